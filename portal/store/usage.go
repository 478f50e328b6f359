package store

// Day is a day in UTC, such as 2026-11-22.
type Day string

// UsageRow is how often a consumer called on a day, by hospital, interaction and
// HTTP status.
type UsageRow struct {
	KeyID       string
	Day         Day
	Hospital    string
	Interaction string
	Status      int
	Calls       int64 // of the whole day, not since the last row
}

// UsageQuery chooses usage.
type UsageQuery struct {
	Keys     []string // nil = of all; empty = of none
	From, To Day      // both included
	Hospital string   // "" = all
}

// Usage is what was called in a range of days.
type Usage struct {
	Days         []DayCount // every day of the range
	Hospitals    []Count    // most first, as all counts
	Interactions []Count
	Statuses     []Count
	Total        int64
}

// DayCount is how the calls of a day ended.
type DayCount struct {
	Day          Day
	OK           int64 // below 400
	ClientErrors int64 // 400 to 499
	ServerErrors int64 // from 500 on
}

// Count is a number of calls.
type Count struct {
	Name  string
	Calls int64
}
