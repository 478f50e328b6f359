package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	tyk "github.com/TykTechnologies/tyk/config"

	"fhirgate/internal/strict"
)

// Config is a parsed tyk.conf: Tyk's own settings, with the TYK_GW_* variables
// of the environment applied, and the section "fhirgate", which Tyk ignores.
type Config struct {
	Settings Settings // the section "fhirgate", with its defaults filled in

	tyk  tyk.Config
	doc  *strict.Document // of the section "fhirgate"
	file string
	text []byte // of the file, for the places of mistakes in Tyk's settings

	partly bool // not all of Tyk's settings could be decoded
}

// LoadConfig reads the tyk.conf at path. Every mistake is reported at once as
// strict.Problems, with file, line and column: unknown keys, wrong types, and
// settings of Tyk that would be unsafe here. Beside them comes what could be
// read, with the folders of the other files, unless the file is no JSON. A
// missing file is an error (Tyk itself would write a default one).
func LoadConfig(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration file: %w (name another with -c)", err)
	}
	return parseConfig(path, data)
}

func parseConfig(path string, data []byte) (*Config, error) {
	c := &Config{file: path, text: data}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	document := struct {
		*tyk.Config
		Section json.RawMessage `json:"fhirgate"`
	}{Config: &c.tyk}
	var problems strict.Problems
	if err := decoder.Decode(&document); err != nil {
		problems = append(problems, jsonProblem(path, data, err))
		c.partly = true
		if !isDecoded(err) {
			return nil, problems
		}
	}
	if err := tyk.FillEnv(&c.tyk); err != nil {
		return nil, fmt.Errorf("engine: settings in the environment: %w", err)
	}
	if !c.partly { // else a rule may miss what could not be decoded
		problems = c.unsafe()
	}
	section := []byte("{}")
	if document.Section != nil {
		section = onlySection(data, "fhirgate")
	}
	c.doc = strict.Decode(path, section, &c.Settings)
	problems = append(problems, c.doc.Problems()...)
	problems = append(problems, c.Settings.complete(c.Problem, c.localURL())...)
	if c.TLS() && strings.HasPrefix(c.Settings.PublicURL, "http://") {
		problems = append(problems, c.Problem("public_url", "must be https://, as http_server_options.use_ssl is true: links in answers are made from it"))
	}
	if err := c.absolute(); err != nil {
		return nil, err
	}
	return c, problems.Err()
}

// isDecoded reports whether encoding/json has decoded all the rest in spite of
// err: an unknown key, or a value of the wrong type that is not the whole file.
func isDecoded(err error) bool {
	var wrongType *json.UnmarshalTypeError
	return errors.As(err, &wrongType) && wrongType.Field != "" || unknownField.MatchString(err.Error())
}

// unsafe returns the settings of Tyk that break a rule.
func (c *Config) unsafe() strict.Problems {
	var problems strict.Problems
	for _, r := range rules {
		if text := r.check(&c.tyk); text != "" {
			problems = append(problems, c.tykProblem(r.name, "%s", text))
		}
	}
	return problems
}

// tykProblem returns a mistake in a setting of Tyk, named as in
// "http_server_options.use_ssl", with its place in the file if it stands there.
func (c *Config) tykProblem(setting, format string, args ...any) strict.Problem {
	line, column := place(c.text, setting)
	return strict.Problem{File: c.file, Line: line, Column: column, Text: setting + ": " + fmt.Sprintf(format, args...)}
}

// Problem returns a mistake in the section "fhirgate", with its place in the file.
// The setting at fault is named as in "portal.auto_approve.0".
func (c *Config) Problem(setting, format string, args ...any) strict.Problem {
	problem := c.doc.Problem(setting, format, args...)
	problem.Text = "fhirgate." + problem.Text
	return problem
}

// absolute makes every path absolute: Tyk is started in a folder of its own.
func (c *Config) absolute() error {
	s, store := &c.Settings, &c.tyk.Storage
	paths := []*string{
		&s.DataDir, &s.Routes, &s.Transforms, &s.Policies, &s.LinkKeysFile, &s.KeyEncryptionKeysFile, &s.ClientCAFile,
		&s.Audit.Folder, &s.Audit.KeysFile, &s.Audit.Syslog.CAFile, &s.Audit.Syslog.CertFile, &s.Audit.Syslog.KeyFile,
		&store.CAFile, &store.CertFile, &store.KeyFile,
	}
	if p := s.Portal; p != nil {
		paths = append(paths, &p.Database, &p.KeysFile, &p.ActsKeyFile, &p.CertFile, &p.KeyFile)
	}
	for i := range c.tyk.HttpServerOptions.Certificates {
		pair := &c.tyk.HttpServerOptions.Certificates[i]
		paths = append(paths, &pair.CertFile, &pair.KeyFile)
	}
	for _, path := range paths {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
	}
	return nil
}

// Address is the public listen address, host:port; the host may be empty.
func (c *Config) Address() string {
	return net.JoinHostPort(c.tyk.ListenAddress, strconv.Itoa(c.tyk.ListenPort))
}

// TLS reports whether the public address serves TLS.
func (c *Config) TLS() bool { return c.tyk.HttpServerOptions.UseSSL }

// localURL is the public address as seen from this host.
func (c *Config) localURL() string {
	scheme, host := "http", c.tyk.ListenAddress
	if c.TLS() {
		scheme = "https"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(c.tyk.ListenPort))
}

// SetAddress replaces the public listen address, for tests and flags.
func (c *Config) SetAddress(host string, port int) {
	c.tyk.ListenAddress, c.tyk.ListenPort = host, port
}
