package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is a person at a real Chromium, with cookies of their own.
type browser struct {
	t    *testing.T
	ctx  context.Context
	home string // URL of the portal

	problems []string // what the console has said against pages: broken policies, scripts that failed
}

// chromium is the path of the browser.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.FailNow(t, "there is no Chromium: the tests of the portal drive a real one (Debian package chromium)")
	return ""
}

// openBrowser starts a browser for one person. What its console says against the
// pages fails the test.
func openBrowser(t *testing.T, home string) *browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true), chromedp.WindowSize(1280, 900)))
	b := &browser{t: t, ctx: ctx, home: home}
	said := chromedp.Console(ctx)
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		for message, err := range said {
			if err != nil {
				return
			}
			b.hear(message)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-listened
		require.Empty(t, b.problems, "the browser's console")
	})
	_, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "America/Chicago"})
	require.NoError(t, err)
	return b
}

// hear keeps what the console says against a page. That an answer had a status
// of 400 or above is no fault of the page.
func (b *browser) hear(m chromedp.ConsoleMessage) {
	switch m.Type {
	case chromedp.ConsoleWarning, chromedp.ConsoleError, chromedp.ConsoleException:
		if !strings.HasPrefix(m.Text, "Failed to load resource") {
			b.problems = append(b.problems, fmt.Sprintf("%s: %s (%s)", m.Type, m.Text, m.URL))
		}
	}
}

// do runs actions within twenty seconds.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	run(b, chromedp.Steps(actions...))
}

// run runs an action within twenty seconds, and returns its value.
func run[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		peek, end := context.WithTimeout(b.ctx, 5*time.Second)
		defer end()
		shown, _ := chromedp.Run(peek, chromedp.Evaluate[string](`location.pathname + "\n" + document.body.innerText`))
		require.NoError(b.t, err, "the page shown:\n%s", shown)
	}
	return value
}

// script runs JavaScript in the page and returns its value.
func script[T any](b *browser, format string, args ...any) T {
	b.t.Helper()
	return run(b, chromedp.Evaluate[T](fmt.Sprintf(format, args...), chromedp.EvalAwaitPromise))
}

// open goes to a path of the portal, or to a whole URL.
func (b *browser) open(path string) {
	b.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.home + path
	}
	b.do(chromedp.Navigate(path))
}

// fill types values into the fields of these names: name, value, name, value, …
func (b *browser) fill(values ...string) {
	b.t.Helper()
	for i := 0; i+1 < len(values); i += 2 {
		field := b.scope() + fmt.Sprintf(` [name=%q]:not([type=hidden])`, values[i])
		b.do(chromedp.WaitVisible(chromedp.CSS(field)))
		script[bool](b, `(document.querySelector(%q).value = "") === ""`, field)
		b.do(chromedp.SendKeys(chromedp.CSS(field), values[i+1]))
	}
}

// scope is the part of the page in which a person works: an open dialog, or the
// main part.
func (b *browser) scope() string {
	if script[bool](b, `Boolean(document.querySelector("dialog[open]"))`) {
		return "dialog[open]"
	}
	return "main"
}

// choose picks an option of a select, or ticks the radio or box of a value.
func (b *browser) choose(name, value string) {
	b.t.Helper()
	require.True(b.t, script[bool](b, `(() => {
		const root = document.querySelector(%[3]q);
		const field = root.querySelector('select[name=%[1]q]');
		if (field) { field.value = %[2]q; field.dispatchEvent(new Event('change', {bubbles: true})); return field.value === %[2]q; }
		const box = root.querySelector('input[name=%[1]q][value=%[2]q]');
		if (box && !box.checked) { box.click(); }
		return Boolean(box && box.checked);
	})()`, name, value, b.scope()), "no choice %s = %s", name, value)
}

// press clicks the button or link that is called so, and waits for the page that
// follows.
func (b *browser) press(label string) {
	b.t.Helper()
	b.mark(label)
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	_, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS("[data-test-target]")))
	require.NoError(b.t, err, "no page follows %q", label)
}

// click clicks the button or link that is called so, which stays on the page.
func (b *browser) click(label string) {
	b.t.Helper()
	b.mark(label)
	b.do(chromedp.Click(chromedp.CSS("[data-test-target]")))
}

// mark marks the last visible button or link of a name.
func (b *browser) mark(label string) {
	b.t.Helper()
	require.True(b.t, script[bool](b, `(() => {
		document.querySelectorAll('[data-test-target]').forEach(e => e.removeAttribute('data-test-target'));
		const root = document.querySelector('dialog[open]') || document;
		const target = [...root.querySelectorAll('button, a, summary')].filter(e => e.innerText.trim() === %q && e.checkVisibility()).at(-1);
		if (target) { target.setAttribute('data-test-target', ''); }
		return Boolean(target);
	})()`, label), "nothing to click is called %q; the page shown:\n%s", label, script[string](b, `document.body.innerText`))
}

// text returns what a part of the page says.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(run(b, chromedp.Text(chromedp.CSS(selector))))
}

// sees waits until the page says something.
func (b *browser) sees(text string) {
	b.t.Helper()
	run(b, chromedp.Poll[bool](fmt.Sprintf(`document.body.innerText.includes(%q)`, text), chromedp.WithPollingTimeout(10*time.Second)))
}

// path returns the path of the page that is shown.
func (b *browser) path() string {
	b.t.Helper()
	return script[string](b, `location.pathname`)
}

// shotsDir is where screenshots are kept: PORTAL_SHOTS, or bin/screenshots.
func shotsDir() string {
	if dir := os.Getenv("PORTAL_SHOTS"); dir != "" {
		return dir
	}
	return filepath.Join(root, "bin", "screenshots")
}

// look keeps screenshots of the page, wide and narrow, light and dark, and has
// axe-core look at each: no finding may be serious or critical, and nothing may
// stick out of a narrow page.
func (b *browser) look(name string) {
	b.t.Helper()
	require.NoError(b.t, os.MkdirAll(shotsDir(), 0o755))
	for _, view := range []struct {
		name   string
		width  int64
		scheme string
	}{{"", 1280, "light"}, {"-dark", 1280, "dark"}, {"-360", 360, "light"}} {
		b.view(view.width, view.scheme)
		picture, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: new(true)})
		require.NoError(b.t, err)
		require.NoError(b.t, os.WriteFile(filepath.Join(shotsDir(), name+view.name+".png"), picture.Data, 0o644))
		assert.False(b.t, script[bool](b, `document.documentElement.scrollWidth > document.documentElement.clientWidth`), "%s%s: the page is wider than %d pixels", name, view.name, view.width)
		b.axe(name + view.name)
	}
	b.view(1280, "light")
}

// view sets the width of the window and the colours that the person likes.
func (b *browser) view(width int64, scheme string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, 900))
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	require.NoError(b.t, err)
	script[bool](b, `Promise.all(document.getAnimations().map(a => a.finished)).then(() => true)`) // what still moves comes to rest
}

var axeSource = sync.OnceValues(func() (string, error) {
	source, err := os.ReadFile(filepath.Join(root, "test", "clients", "node_modules", "axe-core", "axe.min.js"))
	return string(source), err
})

// axe has axe-core look at the page.
func (b *browser) axe(name string) {
	b.t.Helper()
	source, err := axeSource()
	require.NoError(b.t, err)
	run(b, chromedp.Evaluate[any](source+";0"))
	found := script[string](b, `axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(
		r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical').map(v => ({rule: v.id, nodes: v.nodes.map(n => n.html + ' ' + n.failureSummary)}))))`)
	assert.Equal(b.t, "[]", found, "axe-core on %s", name)
}
