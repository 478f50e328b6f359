package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Recorded is one recorded answer: a line of a recording file.
type Recorded struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// Replay serves recorded answers as one more hospital, below the path that the recorded URLs have in common. Status, headers and body
// stay as recorded: links in bodies still name the recorded host, see [Replay.RecordedBase]. It asks for no token, and what was not
// recorded is an HTML 404.
type Replay struct {
	host
	base    *url.URL // recorded, without a final slash
	origin  string   // of the listener, empty before Start
	entries []Recorded
	answers map[string]Recorded
}

// NewReplay reads recordings, one JSON object a line: method, url, status, headers, body. Of two answers to the same request the first
// is kept. It is an error if a line is no recording, or the URLs don't share one FHIR base.
func NewReplay(recordings io.Reader) (*Replay, error) {
	replay := &Replay{answers: map[string]Recorded{}}
	lines := bufio.NewReader(recordings)
	for number := 1; ; number++ {
		line, readErr := lines.ReadBytes('\n')
		if len(strings.TrimSpace(string(line))) > 0 {
			if err := replay.add(line); err != nil {
				return nil, fmt.Errorf("sandbox: recording, line %d: %w", number, err)
			}
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return nil, fmt.Errorf("sandbox: recordings: %w", readErr)
		}
	}
	if replay.base == nil {
		return nil, errors.New("sandbox: recordings: no URL names a resource type")
	}
	for _, entry := range replay.entries {
		key, err := replay.key(entry.Method, entry.URL)
		if err != nil {
			return nil, err
		}
		if _, again := replay.answers[key]; !again {
			replay.answers[key] = entry
		}
	}
	return replay, nil
}

// OpenReplay is NewReplay for the file at path.
func OpenReplay(path string) (*Replay, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("sandbox: recordings: %w", err)
	}
	defer file.Close()
	return NewReplay(file)
}

// add reads one line and finds the base of its URL.
func (p *Replay) add(line []byte) error {
	var entry Recorded
	if err := json.Unmarshal(line, &entry); err != nil {
		return err
	}
	u, err := url.Parse(entry.URL)
	switch {
	case err != nil:
		return errors.New("unreadable url")
	case entry.Method == "" || u.Host == "" || entry.Status < 100 || entry.Status > 599:
		return errors.New("method, absolute url and status are required")
	}
	p.entries = append(p.entries, entry)
	segments := strings.Split(u.Path, "/")
	at := len(segments) - 1
	for at >= 0 && !isResourceType(segments[at]) {
		at--
	}
	if at < 0 {
		return nil // metadata, for one; it must lie below the base of the others
	}
	base := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.Join(segments[:at], "/")}
	if p.base != nil && *p.base != *base {
		return errors.New("the url has another base than those before")
	}
	p.base = base
	return nil
}

// key is method, path below the base, and the parameters as a multiset.
func (p *Replay) key(method, rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", errors.New("sandbox: recordings: unreadable url")
	}
	rest, ok := below(u.Path, p.base.Path)
	if !ok {
		return "", errors.New("sandbox: recordings: an url lies outside the base")
	}
	form, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", errors.New("sandbox: recordings: unreadable query")
	}
	for _, values := range form {
		slices.Sort(values)
	}
	return method + " " + rest + "?" + form.Encode(), nil
}

// Start listens on addr and serves until Close.
func (p *Replay) Start(addr string) error {
	origin, err := p.listen(addr, p)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.origin = origin
	return nil
}

// BaseURL is the base where the recorded answers are served. Before Start it has no origin.
func (p *Replay) BaseURL() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.origin + p.base.Path
}

// RecordedBase is the base that the recorded URLs share, which links in recorded bodies may still name.
func (p *Replay) RecordedBase() string { return p.base.String() }

// Entries are all recorded answers in the order of the recording.
func (p *Replay) Entries() []Recorded { return slices.Clone(p.entries) }

// ServeHTTP serves the recorded answers.
func (p *Replay) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.serve(w, r, p.answer) }

func (p *Replay) answer(w http.ResponseWriter, r *http.Request) {
	key, err := p.key(r.Method, r.URL.RequestURI())
	entry, ok := p.answers[key]
	if err != nil || !ok {
		write(w, http.StatusNotFound, "text/html; charset=utf-8", []byte("<html><body><h1>404 Not recorded</h1></body></html>\n"))
		return
	}
	for name, value := range entry.Headers {
		w.Header().Set(name, value)
	}
	if _, typed := entry.Headers["Content-Type"]; !typed {
		w.Header()["Content-Type"] = nil // nothing sniffed
	}
	write(w, entry.Status, "", []byte(entry.Body))
}
