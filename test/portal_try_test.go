package test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTryExamples presses every example of "Try it" at every simulated hospital.
func TestTryExamples(t *testing.T) {
	p := startPortal(t, false, nil)
	dev := p.join(p.command("portal", "invite", "dev@pacs.example"), "dev@pacs.example", "Dev Eloper", false)
	tried := 0
	for _, hospital := range []string{"harbor", "lakeside", "st-mary"} {
		dev.open("/try?hospital=" + hospital)
		examples := script[string](dev.browser, `[...document.querySelectorAll('nav[aria-label="Examples"] a')].map(a => a.getAttribute("href")).join("\n")`)
		for _, example := range strings.Split(examples, "\n") {
			require.Eventually(t, func() bool { // the pace of tries is bounded
				dev.open(example)
				dev.press("Call")
				return script[bool](dev.browser, `Boolean(document.getElementById("answer"))`)
			}, 60*time.Second, 2*time.Second, example)
			require.Contains(t, dev.text("#answer-title"), "200", example)
			tried++
		}
	}
	require.GreaterOrEqual(t, tried, 12)
	t.Logf("%d examples at three hospitals: 200", tried)
}
