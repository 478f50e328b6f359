package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// FoundActs is one page of acts.
type FoundActs struct {
	List[Act]
	Older int64 // the search has not looked at acts before this seq: it goes on with Before; 0 = it has looked at all
}

// searchSpan is how many acts a search looks through at once, of those that the rest
// of the filter chooses: no index helps to find a text in the middle of others, and
// a trail grows without end.
const searchSpan = 25_000

// actText is where a search looks.
const actText = "(user_name || ' ' || name || ' ' || subject || ' ' || detail)"

// Acts returns acts, newest first. A search ends after 25,000 acts, and tells so.
func (s *Store) Acts(ctx context.Context, filter ActFilter, page Page) (FoundActs, error) {
	chosen := selection{columns: actColumns, table: "acts", alias: "a", order: "seq DESC"}
	chosen.where.is("name", filter.Name)
	chosen.where.is("user_id", filter.UserID)
	if len(filter.Subjects) > 0 {
		chosen.where.oneOf("subject", filter.Subjects)
	}
	if !filter.From.IsZero() {
		chosen.where.add("time >= ?", filter.From.UnixMicro())
	}
	if !filter.To.IsZero() {
		chosen.where.add("time < ?", filter.To.UnixMicro())
	}
	if filter.Before != 0 {
		chosen.where.add("seq < ?", filter.Before)
	}
	if strings.TrimSpace(filter.Search) != "" {
		return searchActs(ctx, s.read(), chosen.where, filter.Search, page.filled())
	}
	if len(chosen.where.parts) == 0 {
		return allActs(ctx, s.read(), page.filled())
	}
	found, err := list(ctx, s.read(), scanAct, chosen, page)
	return FoundActs{List: found}, err
}

// allActs returns a page of the whole trail. Acts are numbered without gaps, so that
// none has to be counted or skipped, however many there are; where somebody has
// removed some, a page has fewer.
func allActs(ctx context.Context, q queries, page Page) (FoundActs, error) {
	last, err := one(ctx, q, value[int], "SELECT COALESCE(MAX(seq), 0) FROM acts")
	found := FoundActs{List: List[Act]{Total: last, Page: page}}
	if err != nil {
		return found, err
	}
	newest := last - (page.Number-1)*page.Size
	found.Items, err = all(ctx, q, scanAct, "SELECT "+actColumns+" FROM acts WHERE seq <= ? AND seq > ? ORDER BY seq DESC",
		newest, newest-page.Size)
	return found, err
}

// searchActs looks for a text in the newest acts of some conditions.
func searchActs(ctx context.Context, q queries, where conditions, text string, page Page) (FoundActs, error) {
	var search conditions
	search.matches(text, actText+like)
	among := " FROM (SELECT seq, user_name, name, subject, detail FROM acts" + where.String() + " ORDER BY seq DESC LIMIT " + strconv.Itoa(searchSpan) + ") a"
	looked, err := one(ctx, q, scanLooked, "SELECT COUNT(*) FILTER ("+search.String()+"), COUNT(*), COALESCE(MIN(seq), 0)"+among,
		slices.Concat(search.args, where.args)...)
	if err != nil {
		return FoundActs{}, err
	}
	found := FoundActs{List: List[Act]{Total: looked.found, Page: page}}
	if looked.at == searchSpan && looked.oldest > 1 {
		found.Older = looked.oldest
	}
	skipped := (page.Number - 1) * page.Size
	if looked.found > skipped {
		found.Items, err = all(ctx, q, scanAct, "SELECT "+actColumns+" FROM acts WHERE seq IN (SELECT seq"+among+search.String()+
			" ORDER BY seq DESC LIMIT ? OFFSET ?) ORDER BY seq DESC",
			slices.Concat(where.args, search.args, []any{page.Size, skipped})...)
	}
	return found, err
}

// looked is how far a search has looked.
type looked struct {
	found, at int // acts
	oldest    int64
}

func scanLooked(r row) (looked, error) {
	var l looked
	err := r.Scan(&l.found, &l.at, &l.oldest)
	return l, err
}
