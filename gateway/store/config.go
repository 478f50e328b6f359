package store

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config says how to reach a real Redis. Its JSON is the storage section of
// tyk.conf, which Tyk itself reads too.
//
// With master_name the addresses are those of sentinels, with enable_cluster
// those of some cluster nodes, otherwise there is exactly one.
type Config struct {
	Type  string            `json:"type"` // "redis" or empty
	Host  string            `json:"host"`
	Port  int               `json:"port"`
	Addrs []string          `json:"addrs"` // host:port; instead of host and port
	Hosts map[string]string `json:"hosts"` // host to port; an older form of addrs

	MasterName       string `json:"master_name"`
	SentinelPassword string `json:"sentinel_password"`
	EnableCluster    bool   `json:"enable_cluster"`

	Username string `json:"username"` // ACL user; empty is the default user
	Password string `json:"password"`
	Database int    `json:"database"` // not with a cluster

	MaxIdle   int `json:"optimisation_max_idle"`   // connections; 0 is 100
	MaxActive int `json:"optimisation_max_active"` // connections, per node; 0 is 500
	Timeout   int `json:"timeout"`                 // seconds, to dial, read and write; 0 is 5

	UseSSL                bool   `json:"use_ssl"`
	SSLInsecureSkipVerify bool   `json:"ssl_insecure_skip_verify"`
	CAFile                string `json:"ca_file"`         // PEM; empty is the system's
	CertFile              string `json:"cert_file"`       // PEM, with key_file
	KeyFile               string `json:"key_file"`        // PEM
	TLSMaxVersion         string `json:"tls_max_version"` // "1.2" or "1.3"; empty is 1.3
	TLSMinVersion         string `json:"tls_min_version"` // "1.2" or "1.3"; empty is 1.2
}

// ErrConfig says that a Config makes no sense; the text says which settings, all of them.
var ErrConfig = errors.New("storage")

// options returns the settings as go-redis wants them. Its errors wrap [ErrConfig].
func (c *Config) options() (*redis.UniversalOptions, error) {
	addrs := c.addresses()
	problems := c.problems(addrs)
	tlsConfig, err := c.tlsConfig()
	if err = errors.Join(append(problems, err)...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	timeout := time.Duration(cmp.Or(c.Timeout, 5)) * time.Second
	return &redis.UniversalOptions{
		Addrs:                    addrs,
		MasterName:               c.MasterName,
		SentinelPassword:         c.SentinelPassword,
		IsClusterMode:            c.EnableCluster,
		Username:                 c.Username,
		Password:                 c.Password,
		DB:                       c.Database,
		DialTimeout:              timeout,
		DialerRetries:            1, // the command is tried again; more would make every call wait for a Redis that is gone
		ReadTimeout:              timeout,
		WriteTimeout:             timeout,
		ContextTimeoutEnabled:    true,
		PoolSize:                 cmp.Or(c.MaxActive, 500),
		MaxIdleConns:             cmp.Or(c.MaxIdle, 100),
		TLSConfig:                tlsConfig,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}, nil
}

// addresses returns addrs, else hosts in order, else host and port.
func (c *Config) addresses() []string {
	switch {
	case len(c.Addrs) > 0:
		return c.Addrs
	case len(c.Hosts) > 0:
		addrs := make([]string, 0, len(c.Hosts))
		for _, host := range slices.Sorted(maps.Keys(c.Hosts)) {
			addrs = append(addrs, net.JoinHostPort(host, c.Hosts[host]))
		}
		return addrs
	case c.Host != "" && c.Port != 0:
		return []string{net.JoinHostPort(c.Host, strconv.Itoa(c.Port))}
	default:
		return nil
	}
}

func (c *Config) problems(addrs []string) []error {
	var problems []error
	report := func(wrong bool, problem string) {
		if wrong {
			problems = append(problems, errors.New(problem))
		}
	}
	report(c.Type != "" && c.Type != "redis", "type must be redis")
	report(len(addrs) == 0, "addrs, or host and port, are missing")
	report(c.MasterName != "" && c.EnableCluster, "master_name and enable_cluster exclude each other")
	report(len(addrs) > 1 && c.MasterName == "" && !c.EnableCluster, "several addrs need enable_cluster or master_name")
	report(c.EnableCluster && c.Database != 0, "a cluster has no database but 0")
	report(c.Database < 0, "database must not be negative")
	report(c.Timeout < 0, "timeout must not be negative")
	report(c.MaxActive < 0 || c.MaxIdle < 0, "optimisation_max_active and optimisation_max_idle must not be negative")
	report((c.CertFile == "") != (c.KeyFile == ""), "cert_file and key_file need each other")
	return problems
}

// tlsConfig returns nil when TLS is off.
func (c *Config) tlsConfig() (*tls.Config, error) {
	if !c.UseSSL {
		return nil, nil
	}
	minimum, err := tlsVersion("tls_min_version", c.TLSMinVersion, tls.VersionTLS12)
	if err != nil {
		return nil, err
	}
	maximum, err := tlsVersion("tls_max_version", c.TLSMaxVersion, tls.VersionTLS13)
	if err != nil {
		return nil, err
	}
	if minimum > maximum {
		return nil, errors.New("tls_min_version is above tls_max_version")
	}
	config := &tls.Config{
		MinVersion:         minimum,
		MaxVersion:         maximum,
		InsecureSkipVerify: c.SSLInsecureSkipVerify, //nolint:gosec // the operator's explicit setting, with a warning at start
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ca_file holds no certificate")
		}
	}
	if c.CertFile != "" && c.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file and key_file: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func tlsVersion(setting, value string, standard uint16) (uint16, error) {
	switch value {
	case "":
		return standard, nil
	case "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	default:
		return 0, fmt.Errorf("%s must be 1.2 or 1.3", setting)
	}
}
