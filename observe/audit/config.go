package audit

import (
	"net"
	"path/filepath"
	"strings"

	"fhirgate/internal/strict"
)

// The values of Config.Sink.
const (
	SinkFile   = "file"
	SinkSyslog = "syslog"
	SinkOff    = "off"
)

// The values of Config.WhenDown.
const (
	Refuse   = "refuse"
	Continue = "continue"
)

// Config is the section "audit" of fhirgate's settings.
type Config struct {
	Sink     string `yaml:"sink"`      // file, syslog or off; default file
	Folder   string `yaml:"folder"`    // of the records, or of the chain's state with syslog; default "<data_dir>/audit"
	KeysFile string `yaml:"keys_file"` // JWK set of 32-byte keys, the first one in use; default "<data_dir>/audit-keys"
	WhenDown string `yaml:"when_down"` // refuse calls, or continue and count what is lost; default refuse
	RotateMB int    `yaml:"rotate_mb"` // size at which a new file begins, in MiB; default 64
	KeepDays int    `yaml:"keep_days"` // age at which a file is removed; default 0, never
	Syslog   Syslog `yaml:"syslog"`
}

// Syslog is a server that takes RFC 5424 messages over TLS (RFC 5425).
type Syslog struct {
	Address    string `yaml:"address"`     // host:port; the port is mostly 6514
	CAFile     string `yaml:"ca_file"`     // PEM; the CAs that are trusted, instead of the system's
	CertFile   string `yaml:"cert_file"`   // PEM; the gateway's own certificate, if the server wants one
	KeyFile    string `yaml:"key_file"`    // PEM; its key
	ServerName string `yaml:"server_name"` // the name in the server's certificate; default the host of address
}

// Mistake is a wrong setting: its key below the section, as in
// "syslog.address", and what is wrong.
type Mistake struct{ Place, Text string }

// Complete fills in the defaults and returns all mistakes at once. The folder
// and the keys are in dataDir unless they are elsewhere.
func (c *Config) Complete(dataDir string) []Mistake {
	orElse := func(value *string, fallback string) {
		if *value == "" {
			*value = fallback
		}
	}
	orElse(&c.Sink, SinkFile)
	orElse(&c.Folder, filepath.Join(dataDir, "audit"))
	orElse(&c.KeysFile, filepath.Join(dataDir, "audit-keys"))
	orElse(&c.WhenDown, Refuse)
	if c.RotateMB == 0 {
		c.RotateMB = 64
	}

	var found []Mistake
	fail := func(place, text string) { found = append(found, Mistake{place, text}) }
	switch c.Sink {
	case SinkFile, SinkOff:
		if c.Syslog != (Syslog{}) {
			fail("syslog", `is used by the sink "syslog" only`)
		}
	case SinkSyslog:
		c.Syslog.check(fail)
	default:
		fail("sink", strict.Unknown("sink", c.Sink, []string{SinkFile, SinkSyslog, SinkOff}))
	}
	if c.WhenDown != Refuse && c.WhenDown != Continue {
		fail("when_down", strict.Unknown("way", c.WhenDown, []string{Refuse, Continue}))
	}
	if c.RotateMB < 0 {
		fail("rotate_mb", "must be positive")
	}
	if c.KeepDays < 0 {
		fail("keep_days", "must not be negative; 0 keeps files for ever")
	}
	return found
}

func (s *Syslog) check(fail func(place, text string)) {
	host, port, err := net.SplitHostPort(s.Address)
	switch {
	case s.Address == "":
		fail("syslog.address", "is missing: host:port of a server that takes syslog over TLS")
	case err != nil || host == "" || port == "" || strings.ContainsAny(s.Address, "/ "):
		fail("syslog.address", `must be host:port, such as "syslog.example:6514"`)
	case s.ServerName == "":
		s.ServerName = host
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		fail("syslog.cert_file", "cert_file and key_file belong together")
	}
}
