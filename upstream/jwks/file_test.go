package jwks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

func pemOf(t *testing.T, key any) []byte {
	t.Helper()
	data, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: data})
}

func setOf(t *testing.T, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	require.NoError(t, err)
	return data
}

func made(t *testing.T, alg jose.SignatureAlgorithm, bits int) jose.JSONWebKey {
	t.Helper()
	key, err := generate(alg, bits)
	require.NoError(t, err)
	return key
}

// inFolder returns a node with a folder of rings, and what writes into it.
func inFolder(t *testing.T) (*lab, *Rings, func(name string, data []byte)) {
	l, dir := newLab(t), t.TempDir()
	r := l.node(func(o *Options) { o.Folder = dir })
	return l, r, func(name string, data []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
		l.clock.pass(freshness)
	}
}

func TestARingOfAFileRotatesByItsReplacement(t *testing.T) {
	l, r, write := inFolder(t)
	one, two := made(t, jose.ES384, 0), made(t, jose.ES384, 0)
	two.KeyID = "a name of its own"
	set := []string{one.KeyID, two.KeyID}

	write("mounted.json", setOf(t, one))
	require.Equal(t, one.KeyID, signing(t, r, "mounted"))
	write("mounted.json", setOf(t, one, two.Public()))
	require.Equal(t, one.KeyID, signing(t, r, "mounted"))
	require.Equal(t, set, published(t, r, "mounted"))
	write("mounted.json", setOf(t, two, one))
	require.Equal(t, two.KeyID, signing(t, r, "mounted"))
	require.ElementsMatch(t, set, published(t, r, ""), "the set of all has it too")
	assertion, err := sign(r.Signer("mounted"), t)
	require.NoError(t, err)
	data, _, err := r.Set(t.Context(), "mounted")
	require.NoError(t, err)
	require.NoError(t, verify(assertion, parseKeySet(t, data)))

	status, err := r.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, "mounted.json", status[0].File)
	require.Equal(t, []KeyStatus{{KID: two.KeyID, State: Active}, {KID: one.KeyID, State: Published}}, status[0].Keys)

	write("mounted.json", []byte(`{"keys":[`))
	require.Equal(t, two.KeyID, signing(t, r, "mounted"), "a bad file does not replace a good one")
	require.Equal(t, two.KeyID, signing(t, r, "mounted"))
	require.Contains(t, l.log.String(), "mounted.json: is not a JWK set; the keys read before stay in force")
	status, err = r.List(t.Context())
	require.NoError(t, err)
	require.Contains(t, status[0].Problem, "stay in force")
	write("mounted.json", setOf(t, two))
	require.Equal(t, []string{two.KeyID}, published(t, r, "mounted"))

	_, err = r.Rotate(t.Context(), "mounted", 0)
	require.ErrorIs(t, err, ErrFile)
	_, err = r.Retire(t.Context(), "mounted", two.KeyID, true)
	require.ErrorIs(t, err, ErrFile)
	_, err = r.Create(t.Context(), New{Name: "mounted"})
	require.ErrorIs(t, err, ErrExists)
}

func TestARingOfAFileNeedsNoRedis(t *testing.T) {
	l, r, write := inFolder(t)
	l.server.SetError("LOADING")
	write("mounted.json", setOf(t, made(t, jose.ES256, 0)))
	require.NotEmpty(t, signing(t, r, "mounted"))
	require.Len(t, published(t, r, "mounted"), 1)
	_, _, err := r.Set(t.Context(), "")
	require.Error(t, err, "the others are not known")
}

func TestFiles(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	strange, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(other)
	require.NoError(t, err)
	pkix, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	require.NoError(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	secret := jose.JSONWebKey{Key: make([]byte, 32), KeyID: "x"}
	wrong := jose.JSONWebKey{Key: ec, Algorithm: "RS384", KeyID: "x"}
	one := made(t, jose.ES256, 0)
	single, err := one.MarshalJSON()
	require.NoError(t, err)

	for name, test := range map[string]struct {
		file string
		data []byte
		alg  jose.SignatureAlgorithm
		keys int
		want string
	}{
		"PKCS 8, EC":            {"a.pem", pemOf(t, ec), jose.ES384, 1, ""},
		"PKCS 8, RSA":           {"a.pem", pemOf(t, rsaKey), jose.RS384, 1, ""},
		"PKCS 1":                {"a.pem", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}), jose.RS384, 1, ""},
		"SEC 1":                 {"a.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), jose.ES256, 1, ""},
		"two, the later public": {"a.pem", append(pemOf(t, ec), public...), jose.ES384, 2, ""},
		"a JWK":                 {"a.json", single, jose.ES256, 1, ""},
		"a set":                 {"a.json", setOf(t, one, plainKey()), jose.ES256, 2, ""},

		"empty PEM":        {"a.pem", nil, "", 0, "its first key, which signs, is not a private key"},
		"public PEM":       {"a.pem", public, "", 0, "its first key, which signs, is not a private key"},
		"broken PEM":       {"a.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), "", 0, "holds a private key that cannot be read"},
		"another curve":    {"a.pem", pemOf(t, strange), "", 0, "P-256 for ES256 or P-384 for ES384"},
		"the same twice":   {"a.pem", append(pemOf(t, ec), pemOf(t, ec)...), "", 0, "two keys have the kid"},
		"public set":       {"a.json", setOf(t, one.Public()), "", 0, "its first key, which signs, is not a private key"},
		"empty set":        {"a.json", []byte(`{"keys":[]}`), "", 0, "its first key, which signs, is not a private key"},
		"a symmetric key":  {"a.json", setOf(t, secret), "", 0, "a key that is not valid"},
		"wrong alg":        {"a.json", setOf(t, wrong), "", 0, "a key must be RSA"},
		"not a set":        {"a.json", []byte(`{}`), "", 0, "neither a JWK set nor a JWK"},
		"no JSON":          {"a.json", []byte("-----BEGIN"), "", 0, "is not a JWK set"},
		"larger than 1 MB": {"a.json", make([]byte, maxFile+1), "", 0, "larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, write := inFolder(t)
			write(test.file, test.data)
			key, err := r.Signer("a").SigningKey(t.Context())
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.alg, key.Algorithm)
			require.Len(t, published(t, r, "a"), test.keys)
		})
	}
}

// plainKey returns a key with no alg and no kid.
func plainKey() jose.JSONWebKey {
	key, _ := generate(jose.ES384, 0)
	return jose.JSONWebKey{Key: key.Key}
}

func TestAnRSAKeyOfAFileIsLargeEnough(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	_, r, write := inFolder(t)
	write("a.pem", pemOf(t, small))
	_, err = r.Signer("a").SigningKey(t.Context())
	require.ErrorContains(t, err, "2048 bits or more")
}

func TestMountedSecretsAreLinks(t *testing.T) {
	l, r, write := inFolder(t)
	dir := t.TempDir()
	old, renewed := made(t, jose.ES256, 0), made(t, jose.ES256, 0)
	for name, key := range map[string]jose.JSONWebKey{"1": old, "2": renewed} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "k"), setOf(t, key), 0o644))
	}
	link := filepath.Join(dir, "data")
	require.NoError(t, os.Symlink("1", link))
	require.NoError(t, os.Symlink(filepath.Join(link, "k"), filepath.Join(r.folder, "a.json")))
	write("README.md", []byte("not a ring"))
	require.Equal(t, old.KeyID, signing(t, r, "a"))
	require.NoError(t, os.Remove(link))
	l.clock.pass(freshness)
	require.Equal(t, old.KeyID, signing(t, r, "a"), "while the mount is being replaced")
	require.NoError(t, os.Symlink("2", link))
	l.clock.pass(freshness)
	require.Equal(t, renewed.KeyID, signing(t, r, "a"))
	require.Len(t, published(t, r, ""), 1)
}

func FuzzParseFile(f *testing.F) {
	key, err := generate(jose.ES256, 0)
	require.NoError(f, err)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	require.NoError(f, err)
	block, err := x509.MarshalPKCS8PrivateKey(key.Key)
	require.NoError(f, err)
	f.Add(true, set)
	f.Add(false, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block}))
	f.Fuzz(func(t *testing.T, isJSON bool, data []byte) {
		path := map[bool]string{true: "a.json", false: "a.pem"}[isJSON]
		o, err := parseFile("a", path, data)
		if err != nil {
			return
		}
		signing, ok := o.signingKey(begin)
		require.True(t, ok)
		private := signing.Key.(jose.JSONWebKey)
		require.False(t, private.IsPublic())
		for _, key := range o.published(nil, begin) {
			require.True(t, key.IsPublic())
		}
	})
}
