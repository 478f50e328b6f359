package audit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

func TestFind(t *testing.T) {
	config, keys := completed(t, nil), envelope.NewSet()
	at := read("").Time
	events := map[string]Event{}
	add := func(name string, minutes int, change func(*Event)) {
		e := read("123")
		e.RequestID, e.Time = name, at.Add(time.Duration(minutes)*time.Minute)
		change(&e)
		events[name] = e
	}
	add("a", 0, func(*Event) {})
	add("b", 1, func(e *Event) { e.Consumer = "key_other" })
	add("c", 2, func(e *Event) { e.Hospital = "harbor" })
	add("d", 3, func(e *Event) { e.Patients, e.Resources = []string{"Patient/999"}, []string{"Observation/7"} })
	add("e", 4, func(e *Event) { e.Patients, e.Resources, e.More = []string{"Patient/999"}, nil, true })
	add("f", 5, func(e *Event) { e.Patients, e.Resources = nil, []string{"Observation/7"} })
	for _, node := range []string{"one", "two"} {
		trail := opened(t, Options{Config: config, Keys: keys, Node: node})
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			trail.Record(events[name])
		}
		closed(t, trail)
	}
	for _, tc := range []struct {
		name string
		o    FindOptions
		want string
	}{
		{"everything", FindOptions{}, "abcdef"},
		{"a hospital", FindOptions{Hospital: "harbor"}, "c"},
		{"a consumer", FindOptions{Consumer: "key_other"}, "b"},
		{"a patient", FindOptions{Hospital: "st-mary", Patient: "Patient/123"}, "abe?"},
		{"a patient elsewhere", FindOptions{Hospital: "harbor", Patient: "Patient/123"}, "c"},
		{"a patient and a consumer", FindOptions{Hospital: "st-mary", Patient: "Patient/123", Consumer: "key_pacs"}, "ae?"},
		{"a resource", FindOptions{Hospital: "st-mary", Resource: "Observation/7"}, "de?f"},
		{"a patient's resource", FindOptions{Hospital: "st-mary", Resource: "Observation/7", Patient: "Patient/999"}, "de?"},
		{"from", FindOptions{From: at.Add(3 * time.Minute)}, "def"},
		{"until", FindOptions{Until: at.Add(3 * time.Minute)}, "abc"},
		{"between", FindOptions{From: at.Add(time.Minute), Until: at.Add(2 * time.Minute)}, "b"},
		{"nobody", FindOptions{Hospital: "harbor", Patient: "Patient/999"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.o.Folder, tc.o.Keys = config.Folder, keys
			got := ""
			for _, one := range found(t, tc.o) {
				got += one.Event.RequestID
				if one.Maybe {
					got += "?"
				}
			}
			require.Equal(t, tc.want+tc.want, got, "both nodes")
		})
	}
}

func TestFindLeavesOutOldFiles(t *testing.T) {
	s := newSpecimen(t)
	require.NoError(t, os.WriteFile(s.file(0), []byte("unreadable\n"), 0o600))
	o := FindOptions{Folder: s.folder, Keys: s.keys, From: time.Now().Add(2 * clockSlack)}
	require.Empty(t, found(t, o), "the first file is not even opened")
	o.From = time.Time{}
	read, unread := 0, 0
	for _, err := range Find(t.Context(), o) {
		if err == nil {
			read++
			continue
		}
		unread++
		require.ErrorContains(t, err, s.file(0)+":1: not sealed")
	}
	require.Equal(t, 20, read, "what can be read is found")
	require.Equal(t, 1, unread)
}

func TestFindErrors(t *testing.T) {
	s := newSpecimen(t)
	first := func(ctx context.Context, o FindOptions) error {
		for _, err := range Find(ctx, o) {
			return err
		}
		return nil
	}
	require.ErrorContains(t, first(t.Context(), FindOptions{Folder: s.folder, Keys: s.keys, Patient: "Patient/1"}), "name it")
	require.ErrorIs(t, first(t.Context(), FindOptions{Folder: s.folder + "x", Keys: s.keys}), os.ErrNotExist)
	require.ErrorContains(t, first(t.Context(), FindOptions{Folder: s.folder}), "holds no key")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, first(ctx, FindOptions{Folder: s.folder, Keys: s.keys}), context.Canceled)
	_, err := Verify(ctx, s.folder, s.keys)
	require.ErrorIs(t, err, context.Canceled)
}

// TestNothingInClear looks for what was recorded in all files of the folder.
func TestNothingInClear(t *testing.T) {
	o := Options{Config: completed(t, nil), Keys: envelope.NewSet(), Server: server}
	trail := opened(t, o)
	// Shorter words stand in so much base64 by chance.
	secrets := []string{"Patient", "st-mary", "key_pacs", "192.0.2.7", "hmac-sha256", "AuditEvent"}
	for n := range 50 {
		id := fmt.Sprintf("id-%d-of-a-patient", n)
		secrets = append(secrets, id)
		trail.Record(read(id))
	}
	closed(t, trail)
	names, err := filepath.Glob(filepath.Join(o.Config.Folder, "*"))
	require.NoError(t, err)
	require.Len(t, names, 4, "records, head, lock and node")
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, secret := range secrets {
			require.False(t, bytes.Contains(data, []byte(secret)), "%s in %s", secret, name)
		}
	}
	for one := range Find(t.Context(), FindOptions{Folder: o.Config.Folder, Keys: o.Keys}) {
		plain := one.encode(server)
		require.NotContains(t, string(plain), "of-a-patient")
	}
}
