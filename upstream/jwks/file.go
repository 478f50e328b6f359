package jwks

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxFile bounds a ring's file, in bytes.
const maxFile = 1 << 20

// readFolder returns the files of a folder that are rings, by the ring's name:
// NAME.pem and NAME.json. A folder that does not exist has none. Names are
// followed through symbolic links, since mounted secrets are such.
func readFolder(dir string) (map[string]string, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files := make(map[string]string)
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), extension)
		if (extension == ".pem" || extension == ".json") && ringName.MatchString(name) {
			files[name] = filepath.Join(dir, entry.Name())
		}
	}
	return files, nil
}

// openFile reads a ring from a file. When it holds no ring, the one that was
// read before stays in force, with the problem.
func openFile(name, path string, before *opened) *opened {
	data, err := readBounded(path)
	if before != nil && err == nil && before.raw == string(data) {
		return before
	}
	var o *opened
	if err == nil {
		o, err = parseFile(name, path, data)
	}
	switch {
	case err == nil:
		return o
	case before != nil && before.file != "" && !before.unusable:
		kept := *before
		kept.raw, kept.problem = string(data), fmt.Errorf("%s: %w; the keys read before stay in force", filepath.Base(path), err)
		return &kept
	default:
		return &opened{raw: string(data), ring: &Ring{Name: name}, file: path, unusable: true, problem: fmt.Errorf("%s: %w", filepath.Base(path), err)}
	}
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.New("cannot be read")
	}
	if info.Size() > maxFile {
		return nil, errors.New("is larger than 1 MiB")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.New("cannot be read")
	}
	return data, nil
}

// parseFile makes a ring of the content of a file. Its first key signs.
func parseFile(name, path string, data []byte) (*opened, error) {
	parse := parsePEM
	if filepath.Ext(path) == ".json" {
		parse = parseSet
	}
	keys, err := parse(data)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 || keys[0].IsPublic() {
		return nil, errors.New("its first key, which signs, is not a private key")
	}
	o := &opened{raw: string(data), file: path, keys: make(map[string]jose.JSONWebKey), ring: &Ring{Name: name}}
	for _, key := range keys {
		alg, err := checkAlg(key)
		if err != nil {
			return nil, err
		}
		key.Algorithm = string(alg)
		if key.KeyID == "" {
			if key.KeyID, err = thumbprint(key.Key); err != nil {
				return nil, err
			}
		}
		if _, twice := o.keys[key.KeyID]; twice {
			return nil, fmt.Errorf("two keys have the kid %q", key.KeyID)
		}
		o.keys[key.KeyID] = key
		o.fixed.Published = append(o.fixed.Published, key.KeyID)
	}
	o.fixed.Signing = o.fixed.Published[0]
	o.ring.Alg = jose.SignatureAlgorithm(o.keys[o.fixed.Signing].Algorithm)
	return o, nil
}

// parseSet reads a JWK set (RFC 7517 section 5) or a single JWK.
func parseSet(data []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []jose.JSONWebKey `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("is not a JWK set")
	}
	if set.Keys == nil {
		var single jose.JSONWebKey
		if err := json.Unmarshal(data, &single); err != nil {
			return nil, errors.New("is neither a JWK set nor a JWK")
		}
		set.Keys = []jose.JSONWebKey{single}
	}
	for _, key := range set.Keys {
		if !key.Valid() {
			return nil, errors.New("holds a key that is not valid")
		}
	}
	return set.Keys, nil
}

// parsePEM reads private keys in PKCS #8, PKCS #1 or SEC 1 form, and public
// ones. Other blocks, such as certificates, are passed over.
func parsePEM(data []byte) ([]jose.JSONWebKey, error) {
	var keys []jose.JSONWebKey
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return keys, nil
		}
		key, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("holds a %s that cannot be read", strings.ToLower(block.Type))
		}
		if key != nil {
			keys = append(keys, jose.JSONWebKey{Key: key})
		}
	}
}

func parseBlock(block *pem.Block) (key any, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, *rsa.PublicKey, *ecdsa.PublicKey:
		return key, nil
	default:
		return nil, errors.New("neither RSA nor EC")
	}
}
