package test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// TestDemo does what the README tells a newcomer to do: start the demo in an
// empty folder, and paste the line that it prints.
func TestDemo(t *testing.T) {
	t.Chdir(t.TempDir())
	_, public, err := net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	_, admin, err := net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	_, portal, err := net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	conf, err := os.ReadFile(filepath.Join(root, "tyk.conf"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("tyk.conf", []byte(strings.NewReplacer("8080", public, "8081", admin, "8082", portal).Replace(string(conf))), 0o600))

	began := time.Now()
	p := start(t, nil, "serve", "--demo")
	t.Cleanup(p.kill)
	out, err := exec.Command("bash", "-c", pasted(t, p)).Output()
	took := time.Since(began)
	require.NoError(t, err)
	t.Logf("from the start to the first answer: %d ms", took.Milliseconds())
	bundle := gjson.ParseBytes(out)
	require.Equal(t, "Bundle", bundle.Get("resourceType").Str, "%.2000s", out)
	require.Equal(t, "searchset", bundle.Get("type").Str)
	require.NotEmpty(t, bundle.Get(`entry.#(resource.resourceType=="Appointment")#`).Array(), "%.2000s", out)

	require.NoError(t, p.stop(), p.output())
	require.Empty(t, p.logged("ERROR"))
}

// pasted waits for the line that the demo wants pasted.
func pasted(t *testing.T, p *process) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^  curl .*\n`)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if found := line.FindString(p.out.String()); found != "" {
			return found
		}
		select {
		case <-p.ended:
			require.FailNow(t, "the demo ended instead of getting ready", p.output())
		default:
		}
	}
	require.FailNow(t, "the demo printed no call within 30 s", p.output())
	return ""
}

// TestHelp asks every command for its help, which must show an example.
func TestHelp(t *testing.T) {
	asked := help(t)
	require.Subset(t, asked, []string{
		"serve", "check", "test", "route", "keys", "keys create", "keys list", "keys show", "keys rotate", "keys revoke", "reload", "portal", "portal invite", "portal acts verify", "portal acts export", "sandbox", "version",
	})

	out, err := exec.Command(binary, "completion", "bash").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "complete ")
}

// help asks a command and all below it for help and returns their names. It
// leaves out the two that come with the command line library.
func help(t *testing.T, command ...string) (asked []string) {
	t.Helper()
	out, err := exec.Command(binary, append(command, "--help")...).Output()
	require.NoError(t, err, "%v", command)
	require.Regexp(t, `(?m)^Examples:\n  fhirgate `, string(out), "%v", command)
	_, list, _ := strings.Cut(string(out), "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.Lines(list) {
		name := strings.Fields(line)[0]
		if name == "completion" || name == "help" {
			continue
		}
		below := append(command[:len(command):len(command)], name)
		asked = append(append(asked, strings.Join(below, " ")), help(t, below...)...)
	}
	return asked
}
