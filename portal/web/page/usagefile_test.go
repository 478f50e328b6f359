package page

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestUsageFilesHoldNoFormulas(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, writeUsage(&out, store.Usage{
		Days:         []store.DayCount{{Day: "2026-11-22", OK: 3, ClientErrors: 2, ServerErrors: 1}},
		Hospitals:    []store.Count{{Name: "=HYPERLINK(\"https://evil.example\")", Calls: 5}, {Name: "harbor", Calls: 1}},
		Interactions: []store.Count{{Name: "+1", Calls: 1}, {Name: "@SUM(A1)", Calls: 1}, {Name: "-2", Calls: 1}, {Name: "\tx", Calls: 1}},
		Statuses:     []store.Count{{Name: "200", Calls: 3}},
	}))
	require.Equal(t, `by,name,outcome,calls
day,2026-11-22,answered,3
day,2026-11-22,client error,2
day,2026-11-22,server error,1
hospital,"'=HYPERLINK(""https://evil.example"")",,5
hospital,harbor,,1
interaction,'+1,,1
interaction,'@SUM(A1),,1
interaction,'-2,,1
interaction,'	x,,1
status,200,,3
`, out.String())
}
