//go:build goplugin

package docs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/freeport"
)

// patience is how long a block may take, and one of the kind retry until it
// shows what it should.
const patience = 20 * time.Second

// TestPages runs the runnable blocks of every page against a demo.
func TestPages(t *testing.T) {
	binary := binary(t)
	ran := 0
	for _, page := range pages(t) {
		found, _ := blocks(t, page)
		runnable := 0
		for _, b := range found {
			if b.is("sh", "run") {
				runnable++
			}
		}
		if ran += runnable; runnable == 0 {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			runPage(t, binary, page, found)
		})
	}
	require.NotZero(t, ran, "no page has a block to run")
}

// TestGreeting compares what the first command prints with what README shows.
func TestGreeting(t *testing.T) {
	found, _ := blocks(t, "../README.md")
	for _, b := range found {
		if !b.is("text", "greeting") {
			continue
		}
		gateway := startDemo(t, binary(t))
		shown := strings.NewReplacer("http://localhost:8080", gateway.url, "http://localhost:8082", gateway.portal).Replace(b.text)
		require.Regexp(t, pattern(shown), strings.TrimLeft(gateway.greeting, "\n"))
		return
	}
	t.Fatal("README does not show the greeting")
}

func runPage(t *testing.T, binary, page string, found []block) {
	gateway := startDemo(t, binary)
	shell := startShell(t, binary, gateway)
	for i, b := range found {
		switch {
		case b.is("sh", "run"):
			var want *regexp.Regexp
			if i+1 < len(found) && found[i+1].is("output") {
				want = pattern(found[i+1].text)
			}
			shell.check(t, page, b, want)
		case len(b.info) == 2 && strings.Contains(b.info[1], "/"):
			path := filepath.Join(gateway.dir, b.info[1])
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, []byte(b.text), 0o600))
		}
	}
}

// binary returns the program that the pages are about.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("FHIRGATE_BIN")
	if path == "" {
		path = "../bin/fhirgate"
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	require.FileExists(t, path, "run make build, or set FHIRGATE_BIN")
	for _, tool := range []string{"bash", "curl", "jq", "openssl"} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "the pages use %s", tool)
	}
	return path
}

// demo is a running demo in a folder of its own that looks like the project's.
type demo struct{ dir, url, portal, key, greeting string }

var greetedKey = regexp.MustCompile(`Bearer (fg_\w+)`)

func startDemo(t *testing.T, binary string) *demo {
	t.Helper()
	g := &demo{dir: t.TempDir()}
	for _, folder := range []string{"transforms", "policies"} {
		require.NoError(t, os.CopyFS(filepath.Join(g.dir, folder), os.DirFS(filepath.Join("..", folder))))
	}
	require.NoError(t, os.Mkdir(filepath.Join(g.dir, "routes"), 0o700))
	public, admin, portal := freePort(t), freePort(t), freePort(t)
	g.url, g.portal = "http://localhost:"+public, "http://localhost:"+portal
	conf := strings.NewReplacer("8080", public, "8081", admin, "8082", portal).Replace(read(t, "../tyk.conf"))
	require.NoError(t, os.WriteFile(filepath.Join(g.dir, "tyk.conf"), []byte(conf), 0o600))

	var log bytes.Buffer
	cmd := exec.Command(binary, "serve", "--demo")
	cmd.Dir, cmd.Stderr = g.dir, &log
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err := cmd.Wait()
		if t.Failed() || err != nil {
			t.Logf("the gateway ended with %v and wrote\n%s", err, log.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		g.greeting += lines.Text() + "\n"
		if found := greetedKey.FindStringSubmatch(lines.Text()); found != nil {
			g.key = found[1]
		}
		if strings.Contains(lines.Text(), "Stop with Ctrl-C") {
			break
		}
	}
	require.NotEmpty(t, g.key, "the demo greets with a key")
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return g
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	require.NoError(t, err)
	_, port, _ := strings.Cut(address, ":")
	return port
}

// shell is the bash of a page.
type shell struct {
	in    io.Writer
	mu    sync.Mutex
	out   bytes.Buffer
	ended bool
	count int
}

func startShell(t *testing.T, binary string, g *demo) *shell {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc")
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "GATEWAY="+g.url, "KEY="+g.key, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	s := &shell{}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	s.in = in
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = writer, writer
	require.NoError(t, cmd.Start())
	_ = writer.Close()
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := reader.Read(buffer)
			s.mu.Lock()
			s.out.Write(buffer[:n])
			s.ended = err != nil
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		_ = reader.Close()
	})
	return s
}

// run runs text and returns what it printed, and its exit status. With strict
// the first command that fails ends the shell, which is an error.
func (s *shell) run(text string, strict bool) (string, int, error) {
	s.count++
	mark := fmt.Sprintf("--end of block %d, status ", s.count)
	options := "set +e -o pipefail"
	if strict {
		options = "set -e -o pipefail"
	}
	if _, err := fmt.Fprintf(s.in, "%s\n{ %s} </dev/null\necho '%s'$?\n", options, text, mark); err != nil {
		return "", 0, err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		out, rest, done := strings.Cut(s.out.String(), mark)
		status, _, whole := strings.Cut(rest, "\n")
		ended := s.ended
		if done && whole {
			s.out.Reset()
		}
		s.mu.Unlock()
		switch {
		case done && whole:
			code, err := strconv.Atoi(status)
			return out, code, err
		case ended:
			return out, 0, fmt.Errorf("a command failed; before, there was printed\n%s", out)
		}
	}
	return "", 0, fmt.Errorf("no end after %s", patience)
}

// check runs a block and compares what it printed with want, which may be nil.
func (s *shell) check(t *testing.T, page string, b block, want *regexp.Regexp) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		out, status, err := s.run(b.text, !b.has("fails") && !b.has("retry"))
		require.NoError(t, err, "%s:%d", page, b.line)
		out = strings.ReplaceAll(out, "\r", "")
		if out != "" && !strings.HasSuffix(out, "\n") {
			out += "\n"
		}
		right := (status != 0) == b.has("fails") && (want == nil || want.MatchString(out))
		if right {
			return
		}
		if !b.has("retry") || time.Now().After(deadline) {
			require.Failf(t, "a page does not show what happens", "%s:%d ends with %d and prints\n%s", page, b.line, status, out)
		}
	}
}
