package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"
)

const (
	superuser = "fhirgate"
	startTime = time.Minute
)

// Postgres returns the URL of an empty database of its own. The server, one for
// the test binary, is started by the first call; it needs the programs initdb and
// postgres in PATH or in /usr/lib/postgresql, and listens at a Unix socket only.
func Postgres(t testing.TB) string {
	t.Helper()
	folder, err := server()
	require.NoError(t, err, "the tests need PostgreSQL: the programs initdb and postgres")
	admin, err := sql.Open("pgx", address(folder, "postgres"))
	require.NoError(t, err)
	name := "test_" + strings.ToLower(rand.Text())
	_, err = admin.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, errors.Join(err, admin.Close()))
	})
	return address(folder, name)
}

func address(folder, database string) string {
	query := url.Values{"host": {folder}, "user": {superuser}}
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: query.Encode()}).String()
}

// server starts the server once, and returns the folder of its socket.
var server = sync.OnceValues(start)

// keeper runs PostgreSQL as long as its standard input is open, which is as long
// as the tests run, however they end, and then removes the folder.
const keeper = `"$1" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=300 -c shared_buffers=64MB \
	-c fsync=off -c synchronous_commit=off -c full_page_writes=off </dev/null &
trap "" INT TERM
read -r _
kill -QUIT $!
wait
rm -rf "$2"`

func start() (folder string, err error) {
	initdb, postgres, err := programs()
	if err != nil {
		return "", err
	}
	if folder, err = os.MkdirTemp("", "fhirgate-postgres-"); err != nil {
		return "", err
	}
	attributes, err := ordinary(folder)
	if err != nil {
		return "", err
	}
	making := exec.Command(initdb, "-D", filepath.Join(folder, "data"), "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	making.SysProcAttr, making.Dir = attributes, folder
	if out, err := making.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	running := exec.Command("sh", "-c", keeper, "sh", postgres, folder)
	running.SysProcAttr, running.Dir = attributes, folder
	log := new(bytes.Buffer)
	running.Stdout, running.Stderr = log, log
	if _, err := running.StdinPipe(); err != nil { // it is closed by the end of this process
		return "", err
	}
	if err := running.Start(); err != nil {
		return "", err
	}
	ended := make(chan struct{})
	go func() {
		_ = running.Wait() // its output says more
		close(ended)
	}()
	return folder, await(folder, ended, log)
}

// await waits until the server answers.
func await(folder string, ended <-chan struct{}, log *bytes.Buffer) error {
	db, err := sql.Open("pgx", address(folder, "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it was for this question only
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("postgres has ended:\n%s", log)
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// programs finds initdb and postgres, the newest ones outside of PATH.
func programs() (initdb, postgres string, err error) {
	for _, folder := range []string{"", newest()} {
		initdb, err = exec.LookPath(filepath.Join(folder, "initdb"))
		if err != nil {
			continue
		}
		if postgres, err = exec.LookPath(filepath.Join(folder, "postgres")); err == nil {
			return initdb, postgres, nil
		}
	}
	return "", "", err
}

// newest is where Debian puts the programs of the newest version.
func newest() string {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is a good one
	version := func(folder string) int {
		number, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
		return number
	}
	slices.SortFunc(folders, func(a, b string) int { return version(b) - version(a) })
	return append(folders, "/usr/lib/postgresql/bin")[0]
}

// ordinary makes a folder the property of an ordinary user, and returns what runs
// a program as them, when this process runs as root, as whom PostgreSQL refuses
// to run.
func ordinary(folder string) (*syscall.SysProcAttr, error) {
	// A signal of the terminal that ends the tests is not for the server.
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return attributes, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attributes, os.Chown(folder, int(uid), int(gid))
}
