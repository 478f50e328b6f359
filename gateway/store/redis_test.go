package store

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// freePort returns a port that nothing listens on, and whose cluster bus port exists.
func freePort(t testing.TB) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		require.NoError(t, l.Close())
		if port < 55_000 {
			return port
		}
	}
}

// startServer runs redis-server in a directory of its own until the test ends,
// and returns its port once it answers.
func startServer(t testing.TB, config ...string) int {
	t.Helper()
	port, dir := freePort(t), t.TempDir()
	file := filepath.Join(dir, "redis.conf")
	text := strings.Join(append([]string{"bind 127.0.0.1", "port " + strconv.Itoa(port), `dir "` + dir + `"`}, config...), "\n")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	args := []string{file}
	if strings.Contains(text, "sentinel monitor") {
		args = append(args, "--sentinel")
	}
	cmd := exec.Command("redis-server", args...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	}, 10*time.Second, 10*time.Millisecond)
	return port
}

// safe are settings without a risk.
var safe = []string{"maxmemory-policy noeviction", "appendonly yes", "appendfsync always"}

// openRedis opens a store on a real Redis, whose config is the JSON of tyk.conf's storage section.
func openRedis(t *testing.T, storage map[string]any) (*Store, error) {
	t.Helper()
	text, err := json.Marshal(storage)
	require.NoError(t, err)
	var c Config
	require.NoError(t, json.Unmarshal(text, &c))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := Open(ctx, Options{Redis: &c})
	if err == nil {
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
	}
	return s, err
}

func TestRealRedis(t *testing.T) {
	port := startServer(t, append(safe, "user default off", "user gate on >secret ~* &* +@all")...)
	s, err := openRedis(t, map[string]any{"type": "redis", "host": "127.0.0.1", "port": port, "username": "gate", "password": "secret", "database": 2})
	require.NoError(t, err)
	assert.Empty(t, s.Warnings())
	assert.False(t, s.Embedded())
	assert.Nil(t, s.Failed())
	host, port2, password := s.Addr()
	assert.Equal(t, []any{"", 0, ""}, []any{host, port2, password})
	assert.ErrorIs(t, s.Update([]string{"k"}, func(*Tx) error { return nil }), ErrNotEmbedded)
	fill(t, s.Client())
	time.Sleep(60 * time.Millisecond)
	check(t, s.Client())

	_, err = openRedis(t, map[string]any{"host": "127.0.0.1", "port": port, "password": "secret"})
	assert.Error(t, err, "the default user is off")
}

func TestRealRedisWithTLS(t *testing.T) {
	dir := t.TempDir()
	certificate := makeCertificate(t, dir)
	tlsPort := freePort(t)
	startServer(t, append(safe, "tls-port "+strconv.Itoa(tlsPort), "requirepass secret",
		"tls-cert-file "+certificate+".crt", "tls-key-file "+certificate+".key", "tls-ca-cert-file "+certificate+".crt")...)
	storage := map[string]any{
		"addrs": []string{"localhost:" + strconv.Itoa(tlsPort)}, "password": "secret", "use_ssl": true,
		"ca_file": certificate + ".crt", "cert_file": certificate + ".crt", "key_file": certificate + ".key", "tls_min_version": "1.3",
	}
	s, err := openRedis(t, storage)
	require.NoError(t, err)
	assert.Empty(t, s.Warnings())
	require.NoError(t, s.Client().Set(t.Context(), "k", "v", 0).Err())

	delete(storage, "ca_file")
	_, err = openRedis(t, storage)
	require.Error(t, err, "an unknown authority")
	storage["ssl_insecure_skip_verify"] = true
	s, err = openRedis(t, storage)
	require.NoError(t, err)
	require.Len(t, s.Warnings(), 1)
	assert.Contains(t, s.Warnings()[0], "ssl_insecure_skip_verify")
}

// makeCertificate writes a self-signed certificate and key for localhost and returns their path without extension.
func makeCertificate(t *testing.T, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	path := filepath.Join(dir, "redis")
	for name, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(path+name, pem.EncodeToMemory(block), 0o600))
	}
	return path
}

func TestSentinel(t *testing.T) {
	master := startServer(t, append(safe, "requirepass secret", "min-replicas-to-write 0")...)
	startServer(t, append(safe, "masterauth secret", "replicaof 127.0.0.1 "+strconv.Itoa(master))...)
	sentinel := startServer(t, "sentinel monitor gate 127.0.0.1 "+strconv.Itoa(master)+" 1", "sentinel auth-pass gate secret", "requirepass guard")
	direct := redis.NewClient(&redis.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(master)), Password: "secret"})
	defer direct.Close()
	require.Eventually(t, func() bool {
		return strings.Contains(direct.Info(t.Context(), "replication").Val(), "connected_slaves:1")
	}, 10*time.Second, 50*time.Millisecond)

	s, err := openRedis(t, map[string]any{
		"addrs": []string{"127.0.0.1:" + strconv.Itoa(sentinel)}, "master_name": "gate", "sentinel_password": "guard", "password": "secret",
	})
	require.NoError(t, err)
	require.NoError(t, s.Client().Set(t.Context(), "k", "v", 0).Err())
	assert.Equal(t, "v", direct.Get(t.Context(), "k").Val())
	require.Len(t, s.Warnings(), 1)
	assert.Contains(t, s.Warnings()[0], "min-replicas-to-write")
}

func TestCluster(t *testing.T) {
	port := startServer(t, append(safe, "cluster-enabled yes", "appendfsync everysec")...)
	node := redis.NewClient(&redis.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))})
	defer node.Close()
	require.NoError(t, node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	require.Eventually(t, func() bool {
		return strings.Contains(node.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	}, 10*time.Second, 50*time.Millisecond)

	s, err := openRedis(t, map[string]any{"addrs": []string{"127.0.0.1:" + strconv.Itoa(port)}, "enable_cluster": true})
	require.NoError(t, err)
	assert.IsType(t, &redis.ClusterClient{}, s.Client())
	require.NoError(t, s.Client().Set(t.Context(), "k", "v", 0).Err())
	require.Len(t, s.Warnings(), 1)
	assert.Contains(t, s.Warnings()[0], "appendfsync everysec")
}

func TestRisksOfARealRedis(t *testing.T) {
	for _, test := range []struct {
		name   string
		config []string
		want   []string // a part of each warning
	}{
		{"evicts", []string{"maxmemory 10mb", "maxmemory-policy allkeys-lru", "appendonly yes", "appendfsync always"}, []string{"allkeys-lru may evict keys and revocations"}},
		{"would evict, but has no limit", []string{"maxmemory-policy allkeys-lru", "appendonly yes", "appendfsync always"}, nil},
		{"keeps nothing", []string{`save ""`}, []string{"loses every key"}},
		{"snapshots only", []string{"save 60 1"}, []string{"since the last snapshot"}},
		{"may not ask CONFIG", []string{"user default on nopass ~* &* +@all -config", "appendonly yes"}, nil},
		{
			"may not ask CONFIG, keeps little",
			[]string{"user default on nopass ~* &* +@all -config", "maxmemory 10mb", "maxmemory-policy volatile-ttl"},
			[]string{"volatile-ttl may evict", "since the last snapshot"},
		},
		{"may ask nothing", []string{"user default on nopass ~* &* +@all -config -info"}, []string{"unchecked"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := openRedis(t, map[string]any{"host": "127.0.0.1", "port": startServer(t, test.config...)})
			require.NoError(t, err)
			require.Len(t, s.Warnings(), len(test.want), s.Warnings())
			for i, part := range test.want {
				assert.Contains(t, s.Warnings()[i], part)
			}
		})
	}
}

func TestNoRedisIsAnError(t *testing.T) {
	_, err := openRedis(t, map[string]any{"host": "127.0.0.1", "port": freePort(t), "password": "do-not-tell"})
	require.ErrorContains(t, err, "redis at 127.0.0.1:")
	assert.NotContains(t, err.Error(), "do-not-tell")
}

func TestConfigProblems(t *testing.T) {
	for name, test := range map[string]struct {
		config Config
		want   []string
	}{
		"nothing":         {Config{}, []string{"addrs, or host and port, are missing"}},
		"several at once": {Config{Type: "mongo", Host: "h", Port: 1, Database: -1, Timeout: -1}, []string{"type", "database", "timeout"}},
		"two modes":       {Config{Addrs: []string{"h:1"}, MasterName: "m", EnableCluster: true}, []string{"exclude each other"}},
		"several addrs":   {Config{Addrs: []string{"h:1", "h:2"}}, []string{"enable_cluster or master_name"}},
		"cluster db":      {Config{Addrs: []string{"h:1"}, EnableCluster: true, Database: 1}, []string{"no database but 0"}},
		"half a pair":     {Config{Host: "h", Port: 1, UseSSL: true, CertFile: "x"}, []string{"need each other"}},
		"old TLS":         {Config{Host: "h", Port: 1, UseSSL: true, TLSMinVersion: "1.1"}, []string{"tls_min_version must be 1.2 or 1.3"}},
		"TLS crossed":     {Config{Host: "h", Port: 1, UseSSL: true, TLSMinVersion: "1.3", TLSMaxVersion: "1.2"}, []string{"above tls_max_version"}},
		"no CA":           {Config{Host: "h", Port: 1, UseSSL: true, CAFile: "none.pem"}, []string{"ca_file: open none.pem"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), Options{Redis: &test.config})
			require.ErrorIs(t, err, ErrConfig)
			for _, part := range test.want {
				assert.ErrorContains(t, err, part)
			}
		})
	}
}

func TestNeitherRedisNorDirectory(t *testing.T) {
	_, err := Open(t.Context(), Options{})
	assert.ErrorIs(t, err, ErrConfig)
}

func TestAddresses(t *testing.T) {
	for want, c := range map[string]Config{
		"h:1":     {Host: "h", Port: 1},
		"a:1 b:2": {Hosts: map[string]string{"b": "2", "a": "1"}, Host: "h", Port: 1},
		"c:3":     {Addrs: []string{"c:3"}, Hosts: map[string]string{"b": "2"}, Host: "h", Port: 1},
		"[::1]:1": {Host: "::1", Port: 1},
	} {
		assert.Equal(t, want, strings.Join(c.addresses(), " "))
	}
}
