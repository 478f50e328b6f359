package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

const (
	pageLifetime = 10 * time.Minute
	maxPageSets  = 1_000
)

// pageSet is the result of a search or history, kept so that its pages can be asked for.
type pageSet struct {
	typ      string // that the paging request must name, empty for the base
	found    []version
	includes []string // _include parameters, which each page follows for its own matches
	size     int      // entries a page
	self     string
	made     time.Time
}

// page is one page of a set.
type page struct {
	*pageSet
	id     string // of the set, empty when it fits one page
	offset int
}

// pager keeps page sets for ten minutes of the hospital's clock.
type pager struct {
	now func() time.Time

	mu    sync.Mutex
	sets  map[string]*pageSet
	order []string
}

func newPager(now func() time.Time) *pager { return &pager{now: now, sets: map[string]*pageSet{}} }

// first returns the first page of a set, keeping the set only if there are more.
func (p *pager) first(set *pageSet) page {
	if len(set.found) <= set.size || set.size <= 0 {
		return page{pageSet: set}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	set.made = p.now()
	id := newUUID()
	p.sets[id] = set
	p.order = append(p.order, id)
	if len(p.order) > maxPageSets {
		delete(p.sets, p.order[0])
		p.order = p.order[1:]
	}
	return page{pageSet: set, id: id}
}

// at returns the page of a kept set that starts at offset; false when the set expired or never was.
func (p *pager) at(id string, offset int) (page, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set, ok := p.sets[id]
	if !ok || p.now().Sub(set.made) > pageLifetime || offset < 0 || offset >= len(set.found) {
		return page{}, false
	}
	return page{pageSet: set, id: id, offset: offset}, true
}

// expire forgets all sets.
func (p *pager) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.sets)
	p.order = nil
}

// entries are the page's own matches.
func (p page) entries() []version { return p.found[p.offset:p.end()] }

func (p page) end() int { return min(p.offset+max(p.size, 0), len(p.found)) }

// more tells whether another page follows.
func (p page) more() bool { return p.id != "" && p.end() < len(p.found) }

// newUUID is a random UUID (RFC 9562 version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}
