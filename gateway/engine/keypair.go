package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// CheckKeyPair tries the files of a certificate and its key. What is wrong goes to
// fail, with the setting that it is about: "cert_file" or "key_file".
func CheckKeyPair(certFile, keyFile string, fail func(setting, text string)) {
	var pair [2][]byte
	failed := false
	for i, file := range []struct{ setting, path string }{{"cert_file", certFile}, {"key_file", keyFile}} {
		var err error
		if file.path == "" {
			err = errMissing
		} else {
			pair[i], err = os.ReadFile(file.path)
		}
		if err != nil {
			fail(file.setting, err.Error())
			failed = true
		}
	}
	if failed {
		return
	}
	if _, err := tls.X509KeyPair(pair[0], pair[1]); err != nil {
		fail("cert_file", fmt.Sprintf("%s with the key %s: %s", certFile, keyFile, strings.TrimPrefix(err.Error(), "tls: ")))
	}
}

var errMissing = errors.New("is missing")

// keyPair is a certificate that is read again when its file has changed.
type keyPair struct {
	certFile, keyFile string

	mu       sync.Mutex
	modified time.Time
	current  *tls.Certificate
}

// load returns the certificate of the files as they are now. While they don't
// fit together, as in the middle of a renewal, the one before stays.
func (p *keyPair) load() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.certFile)
	if err == nil && p.current != nil && info.ModTime().Equal(p.modified) {
		return p.current, nil
	}
	certificate, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		if p.current != nil {
			return p.current, nil
		}
		return nil, err
	}
	p.current, p.modified = &certificate, info.ModTime()
	return p.current, nil
}
