package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"

	"fhirgate/facade"
	"fhirgate/internal/envelope"
)

// AdminSecretFile is the name of the file in the data folder that holds the
// secret of the admin API.
const AdminSecretFile = "admin-secret"

// adminSecret returns the secret of the admin API, made at the first start.
func adminSecret(dataDir string) (string, error) {
	data, err := makeOnce(filepath.Join(dataDir, AdminSecretFile), func() ([]byte, error) { return []byte(rand.Text() + "\n"), nil })
	if err != nil {
		return "", inSetting("data_dir", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// newSealer returns a sealer with the keys of link_keys_file. To rotate, put a new
// key first, and drop an old one when a day has passed.
func newSealer(path string) (*facade.Sealer, error) {
	const setting = "link_keys_file"
	keys, err := symmetricKeys(setting, path)
	if err != nil {
		return nil, err
	}
	sealer, err := facade.NewSealer(keys)
	if err != nil {
		return nil, inSetting(setting, fmt.Errorf("%s: %w", path, err))
	}
	return sealer, nil
}

// symmetricKeys reads the JWK set file of AES keys that a setting names. It is made
// with one key at the first start.
func symmetricKeys(setting, path string) (jose.JSONWebKeySet, error) {
	var keys jose.JSONWebKeySet
	data, err := makeOnce(path, func() ([]byte, error) { return json.Marshal(envelope.NewSet()) })
	if err != nil {
		return keys, inSetting(setting, err)
	}
	if err := json.Unmarshal(data, &keys); err != nil {
		return keys, inSetting(setting, fmt.Errorf("%s: is not a JWK set", path))
	}
	return keys, nil
}

// makeOnce returns the content of a private file, which it makes when it is not
// there yet. A file that others may read is refused, and so is an empty one: it
// would be a secret that everybody knows.
func makeOnce(path string, content func() ([]byte, error)) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeFile(path, content)
	case err != nil:
		return nil, err
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s: others may read it: chmod it to 0600", path)
	}
	data, err := os.ReadFile(path)
	if err == nil && len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%s: is empty: remove it, and the next start makes another", path)
	}
	return data, err
}

// makeFile makes a private file, as a whole or not at all.
func makeFile(path string, content func() ([]byte, error)) ([]byte, error) {
	data, err := content()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	// A link, unlike a rename, leaves the file of a process that was faster; not
	// every file system has links.
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(file.Name(), path); err != nil {
			return nil, err
		}
	}
	return os.ReadFile(path)
}

const nodeSecretName = "fhirgate:node-secret" //nolint:gosec // where it is, not what it is

// sharedNodeSecret returns the secret with which Tyk's nodes sign what they tell
// one another through Redis. The first node makes it; it guards against nobody
// who can read that Redis.
func sharedNodeSecret(ctx context.Context, client redis.UniversalClient) (string, error) {
	if err := client.SetNX(ctx, nodeSecretName, rand.Text(), 0).Err(); err != nil {
		return "", fmt.Errorf("the secret that nodes share: %w", err)
	}
	return client.Get(ctx, nodeSecretName).Result()
}
