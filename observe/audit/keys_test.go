package audit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

// newKeys is the content of a keys file.
func newKeys(t *testing.T) string {
	t.Helper()
	data, err := json.Marshal(envelope.NewSet())
	require.NoError(t, err)
	return string(data)
}

func TestHashesDifferByHospitalAndKey(t *testing.T) {
	first, err := newKeyring(envelope.NewSet())
	require.NoError(t, err)
	second, err := newKeyring(envelope.NewSet())
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, ring := range []*keyring{first, second} {
		for _, hospital := range []string{"st-mary", "harbor"} {
			for _, patient := range []string{"Patient/1", "Patient/2", "Person/1"} {
				hash := ring.active.reference(hospital, patient)
				require.Len(t, hash, 43)
				require.Equal(t, hash, ring.active.reference(hospital, patient))
				require.False(t, seen[hash])
				seen[hash] = true
			}
		}
	}
}

func TestConceal(t *testing.T) {
	ring, err := newKeyring(envelope.NewSet())
	require.NoError(t, err)
	key := ring.active
	for reference, typ := range map[string]string{
		"Patient/123":                       "Patient/",
		"Patient/":                          "Patient/",
		"123":                               "",
		"":                                  "",
		"https://ehr.example/Patient/123":   "",
		"Patient 123/456":                   "",
		"smith/123":                         "",
		"MRN4711/x":                         "",
		"Observation/7/_history/2":          "Observation/",
		"#contained":                        "",
		"urn:uuid:4d5e/x":                   "",
		"Patient?identifier=4711/something": "",
	} {
		require.Equal(t, typ+key.reference("st-mary", reference), key.conceal("st-mary", reference), reference)
	}
}

func TestReadKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	_, err := ReadKeys(file)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(file, []byte(newKeys(t)), 0o644))
	_, err = ReadKeys(file)
	require.ErrorContains(t, err, "others may read it")
	require.NoError(t, os.Chmod(file, 0o600))
	set, err := ReadKeys(file)
	require.NoError(t, err)
	require.Len(t, set.Keys, 1)
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	_, err = ReadKeys(file)
	require.ErrorContains(t, err, "is not a JWK set")
}

func TestRotation(t *testing.T) {
	config := completed(t, nil)
	first, second := envelope.NewSet().Keys[0], envelope.NewSet().Keys[0]
	second.KeyID = "second"
	before := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{first}}
	after := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{second, first}}
	for _, keys := range []jose.JSONWebKeySet{before, after} {
		trail := opened(t, Options{Config: config, Keys: keys})
		trail.Record(read("123"))
		closed(t, trail)
	}
	intact(t, config.Folder, after)
	all := found(t, FindOptions{Folder: config.Folder, Keys: after, Hospital: "st-mary", Patient: "Patient/123"})
	require.Len(t, all, 2)
	require.Equal(t, first.KeyID, all[0].Key)
	require.Equal(t, "second", all[1].Key)
	require.NotEqual(t, all[0].Event.Patients, all[1].Event.Patients)

	chains, err := Verify(t.Context(), config.Folder, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{second}})
	require.NoError(t, err)
	require.False(t, Intact(chains), "a key was dropped whose records are there")
	_, err = Open(Options{Config: config, Keys: before})
	require.ErrorContains(t, err, "sealed with an unknown key")
}

func TestKeysThatAreRefused(t *testing.T) {
	_, err := Open(Options{Config: completed(t, nil)})
	require.ErrorContains(t, err, "the set holds no key")
}
