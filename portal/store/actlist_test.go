package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

// TestASearchTellsHowFarItHasLooked searches more acts than it looks through at once:
// one of each hundred is of another name.
func TestASearchTellsHowFarItHasLooked(t *testing.T) {
	const span, acts = 25_000, 25_150
	each(t, func(t *testing.T, w *world) {
		numbers := "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d)"
		_, err := w.raw(t).ExecContext(t.Context(), fmt.Sprintf("INSERT INTO acts "+numbers+` SELECT n, n, '', 'Ada', '',
			CASE n %% 100 WHEN 0 THEN 'hundred' ELSE 'other' END, '', CASE n WHEN 3 THEN 'needle' ELSE '' END, '{}', '', '' FROM numbers`, acts))
		require.NoError(t, err)
		for name, test := range map[string]struct {
			filter store.ActFilter
			page   store.Page
			total  int
			first  int64 // 0 = nothing is found
			count  int
			older  int64
		}{
			"all":                    {store.ActFilter{Search: "ada"}, store.Page{}, span, acts, 50, 151},
			"the last page":          {store.ActFilter{Search: "ada"}, store.Page{Number: 500}, span, 200, 50, 151},
			"behind it":              {store.ActFilter{Search: "ada"}, store.Page{Number: 501}, span, 0, 0, 151},
			"some":                   {store.ActFilter{Search: "hundred"}, store.Page{Number: 3, Size: 100}, 250, 5100, 50, 151},
			"out of sight":           {store.ActFilter{Search: "needle"}, store.Page{}, 0, 0, 0, 151},
			"the older ones":         {store.ActFilter{Search: "needle", Before: 151}, store.Page{}, 1, 3, 1, 0},
			"of those with a name":   {store.ActFilter{Search: "ada", Name: "hundred"}, store.Page{}, 251, 25_100, 50, 0},
			"just all":               {store.ActFilter{Search: "needle", Before: span + 1}, store.Page{}, 1, 3, 1, 0},
			"one too many":           {store.ActFilter{Search: "needle", Before: span + 2}, store.Page{}, 1, 3, 1, 2},
			"without a text all are": {store.ActFilter{}, store.Page{}, acts, acts, 50, 0},
			"the last of all":        {store.ActFilter{}, store.Page{Number: 252, Size: 100}, acts, 50, 50, 0},
			"behind all":             {store.ActFilter{}, store.Page{Number: 504}, acts, 0, 0, 0},
		} {
			found, err := w.Acts(t.Context(), test.filter, test.page)
			require.NoError(t, err, name)
			require.Equal(t, test.total, found.Total, name)
			require.Len(t, found.Items, test.count, name)
			require.Equal(t, test.older, found.Older, name)
			if test.first != 0 {
				require.Equal(t, test.first, found.Items[0].Seq, name)
			}
		}
	})
}
