package usage

import (
	"strconv"
	"strings"
	"time"
)

// Prefix begins the name of everything that this package writes to Redis. What
// it names may lose its last second without harm.
const Prefix = "fhirgate:usage:"

const (
	keepCounts = 8 * 24 * time.Hour // after the last change
	keepErrors = 7 * 24 * time.Hour // after the last error
)

// day is a day of UTC, as the number of days since 1970.
type day int64

func dayOf(t time.Time) day { return day(t.Unix() / 86400) }

// String returns the day as "2006-01-02".
func (d day) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// account is a consumer's day.
type account struct {
	consumer string
	day      day
}

func (a account) name() string { return Prefix + a.day.String() + ":" + a.consumer }

func changedName(d day) string { return Prefix + "changed:" + d.String() }

// subject is whose errors are kept: a consumer's or a hospital's.
type subject struct {
	hospital bool
	id       string
}

func (s subject) name() string {
	if s.hospital {
		return Prefix + "errors:hospital:" + s.id
	}
	return Prefix + "errors:consumer:" + s.id
}

// item is what an account counts: calls of one kind.
type item struct {
	hospital    string
	interaction string
	status      int
}

// field returns the name of the item in its account's hash.
func (i item) field() string {
	return i.hospital + "|" + i.interaction + "|" + strconv.Itoa(i.status)
}

// itemOf reads what field has written. It is false for the mark of a recorder,
// and for what an other version may have left.
func itemOf(field string) (item, bool) {
	hospital, rest, _ := strings.Cut(field, "|")
	interaction, status, _ := strings.Cut(rest, "|")
	number, err := strconv.Atoi(status)
	return item{hospital, interaction, number}, err == nil
}

// mark returns the field in which an account's hash has the number of a
// recorder's last flush. No hospital's id begins like it.
func mark(recorder string) string { return "@" + recorder }
