package test

import (
	"bufio"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// redisPassword is what every Redis of these tests asks for.
const redisPassword = "a-password-of-the-tests"

// redisServer is a real redis-server, alone on a free port.
type redisServer struct {
	addr   string
	dir    string // of what it keeps when it is stopped
	client *redis.Client
	cmd    *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	s := &redisServer{addr: freeAddress(t), dir: t.TempDir()}
	s.client = redis.NewClient(&redis.Options{Addr: s.addr, Password: redisPassword})
	s.run(t)
	t.Cleanup(func() {
		_ = s.client.Close()
		s.kill()
	})
	return s
}

// run starts the server, at first or after kill, and waits until it answers.
func (s *redisServer) run(t *testing.T) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	require.NoError(t, err)
	s.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--requirepass", redisPassword,
		"--dir", s.dir, "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start(), "redis-server must be installed (Debian: apt-get install redis-server)")
	go func() { // Redis blocks when nobody reads its log
		for lines := bufio.NewScanner(out); lines.Scan(); {
		}
	}()
	require.Eventually(t, func() bool { return s.client.Ping(t.Context()).Err() == nil }, 10*time.Second, 10*time.Millisecond)
}

// kill ends the server as a power failure would.
func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // killed
}

// storage is the section of tyk.conf that leads to this Redis.
func (s *redisServer) storage() map[string]any {
	host, text, _ := net.SplitHostPort(s.addr) // an address of freeAddress
	port, _ := strconv.Atoi(text)
	return map[string]any{"type": "redis", "host": host, "port": port, "password": redisPassword}
}

// dump returns all names and values.
func (s *redisServer) dump(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	names, err := s.client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, name := range names {
		value, err := s.client.Dump(t.Context(), name).Result()
		require.NoError(t, err)
		all.WriteString(name + " " + value + "\n")
	}
	return all.String()
}
