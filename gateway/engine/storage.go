package engine

import (
	"net"
	"strconv"

	tyk "github.com/TykTechnologies/tyk/config"
)

// Storage says where Redis is. The zero value means that tyk.conf names none
// and that the embedded store is to be used.
type Storage struct {
	Addrs                   []string // host:port, one or more
	Cluster                 bool
	MasterName              string // not empty: Addrs are sentinels
	SentinelPassword        string
	Username, Password      string
	Database                int
	PoolSize                int // connections; 0 = the client's default
	TLS, InsecureSkipVerify bool
	CAFile                  string
	CertFile, KeyFile       string
}

// Storage returns the section "storage" of tyk.conf.
func (c *Config) Storage() Storage {
	s := c.tyk.Storage
	out := Storage{
		Addrs: s.Addrs, Cluster: s.EnableCluster, MasterName: s.MasterName,
		SentinelPassword: s.SentinelPassword, Username: s.Username, Password: s.Password,
		Database: s.Database, PoolSize: s.MaxActive,
		TLS: s.UseSSL, InsecureSkipVerify: s.SSLInsecureSkipVerify,
		CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile,
	}
	if len(out.Addrs) == 0 && s.Host != "" {
		out.Addrs = []string{net.JoinHostPort(s.Host, strconv.Itoa(s.Port))}
	}
	return out
}

// Embedded reports whether tyk.conf names no Redis.
func (c *Config) Embedded() bool { return len(c.Storage().Addrs) == 0 }

// UseStorage makes Tyk keep its state at s.
func (c *Config) UseStorage(s Storage) {
	c.tyk.Storage = tyk.StorageOptionsConf{
		Type: "redis", Addrs: s.Addrs, EnableCluster: s.Cluster, MasterName: s.MasterName,
		SentinelPassword: s.SentinelPassword, Username: s.Username, Password: s.Password,
		Database: s.Database, MaxActive: s.PoolSize,
		UseSSL: s.TLS, SSLInsecureSkipVerify: s.InsecureSkipVerify,
		CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile,
	}
}
