package developer_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

const (
	publicSet  = `{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"BB","kid":"one"}]}`
	privateSet = `{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"BB","d":"VERY-PRIVATE","kid":"one"}]}`
)

// everyPage gets all pages that could show something of an app.
func everyPage(r *reader, app store.App, credentials ...string) string {
	paths := []string{"/", "/apps", "/apps/" + app.ID, "/apps/" + app.ID + "/edit", "/apps/" + app.ID + "/keys/new", "/apps/" + app.ID + "/usage", "/apps/" + app.ID + "/usage.csv", "/apps/" + app.ID + "/errors", "/usage", "/teams"}
	for _, id := range credentials {
		paths = append(paths, "/credentials/"+id, "/credentials/"+id+"/edit", "/credentials/"+id+"/rotate")
	}
	var all strings.Builder
	for _, path := range paths {
		all.WriteString(r.get(path).whole)
	}
	return all.String()
}

func TestASecretIsShownOnce(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	form := []string{"request", request.ID, "make", "key", "life", "90", "name", "night", "once", member.once(path)}
	got := member.post(path, form...)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	const secret = "secret-number-1-Zq01"
	require.Equal(t, 1, strings.Count(got.whole, secret), "once, also in the page")
	require.Contains(t, got.body, "https://gw.example/fhir/harbor/metadata")

	credentials, err := s.store.CredentialsOfApp(t.Context(), app.ID)
	require.NoError(t, err)
	require.Len(t, credentials, 1)
	require.WithinDuration(t, time.Now().Add(90*24*time.Hour), credentials[0].Expires, time.Minute)
	later := everyPage(member, app, credentials[0].ID)
	require.NotContains(t, later, secret)
	require.Contains(t, later, "…Zq01")

	again := member.post(path, form...) // what a reload sends
	require.Equal(t, http.StatusUnprocessableEntity, again.status)
	require.Contains(t, again.body, "was sent before")
	require.Contains(t, again.body, `value="night"`)
	require.NotContains(t, again.whole, "secret-number")
	require.Equal(t, 1, s.gateway.made)
}

// TestAFormThatIsSentTwiceAtOnceCountsOnce clicks a button twice.
func TestAFormThatIsSentTwiceAtOnceCountsOnce(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	form := []string{"request", request.ID, "make", "key", "life", "90", "name", "night", "once", member.once(path)}
	statuses := make([]int, 8)
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() { statuses[i] = member.post(path, form...).status })
	}
	group.Wait()
	slices.Sort(statuses)
	require.Equal(t, []int{200, 422, 422, 422, 422, 422, 422, 422}, statuses)
	require.Equal(t, 1, s.gateway.made)
}

func TestRotationShowsTheNewSecretOnce(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	credential := s.credential(s.approved(app, time.Time{}), "night", 0)
	member, path := s.as("member"), "/credentials/"+credential.ID+"/rotate"
	require.Contains(t, member.ok(path), "…Zq01")
	member.refused("grace", "Choose how long the old secret works on.", path, "grace", "forever", "once", member.once(path))
	form := []string{"grace", "24h", "once", member.once(path)}
	got := member.post(path, form...)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, 1, strings.Count(got.whole, "secret-number-2-Zq02"))
	again := member.post(path, form...)
	require.Equal(t, http.StatusUnprocessableEntity, again.status)
	require.Contains(t, again.body, "was sent before")
	require.Equal(t, 2, s.gateway.made, "the second one rotated nothing")
	shown := member.ok("/credentials/" + credential.ID)
	require.Contains(t, shown, "…Zq01")
	require.Contains(t, shown, "…Zq02")
	require.NotContains(t, everyPage(member, app, credential.ID), "secret-number")
	until := s.gateway.keys[credential.KeyID].Secrets[0].Until
	require.WithinDuration(t, time.Now().Add(24*time.Hour), until, time.Minute)
	require.Contains(t, shown, until.UTC().Format("2006-01-02T15:04:05Z"))

	member.post(path, "grace", "none", "once", member.once(path))
	require.NotContains(t, member.ok("/credentials/"+credential.ID), "…Zq02", "without a grace it works no more")
}

func TestAClientWithASecret(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Now().Add(60*24*time.Hour))
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	shown := member.ok(path + "?make=client")
	require.Contains(t, shown, `value="30"`)
	require.NotContains(t, shown, `value="90"`, "longer than the access")
	got := member.post(path, "request", request.ID, "make", "client", "life", "access", "allow_from", "192.0.2.0/24\r\n2001:db8::/32", "once", member.once(path))
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Contains(t, got.body, "Client secret")
	require.Contains(t, got.body, "grant_type=client_credentials https://gw.example/oauth/token")
	credentials, err := s.store.CredentialsOfApp(t.Context(), app.ID)
	require.NoError(t, err)
	key := s.gateway.keys[credentials[0].KeyID]
	require.Len(t, key.AllowFrom, 2)
	require.WithinDuration(t, request.Created.Add(60*24*time.Hour), key.Expires, time.Minute)
}

func TestAClientWithKeysOfItsOwn(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	form := func(more ...string) []string {
		return append([]string{"request", request.ID, "make", "signer", "life", "30", "once", member.once(path)}, more...)
	}
	member.refused("jwks_url", "Give the address of your JWK set", path, form()...)
	member.refused("jwks_url", "The address must begin with https://", path, form("jwks_url", "http://app.example/jwks.json")...)
	member.refused("jwks_url", "not both", path, form("jwks_url", "https://app.example/jwks.json", "jwks", publicSet)...)
	require.Contains(t, member.refused("jwks", "This is not JSON.", path, form("jwks", "{keys}")...), "{keys}</textarea>", "what was typed stays")
	require.NotContains(t, member.refused("jwks", "Careful: this is a private key", path, form("jwks", privateSet)...), "VERY-PRIVATE")
	s.gateway.refuse = "the JWK set cannot be taken: key 1 of the set: it must have a kid of 1 to 256 characters"
	member.refused("jwks", "The JWK set cannot be taken", path, form("jwks", publicSet)...)
	s.gateway.refuse = ""
	got := member.post(path, form("jwks", publicSet)...)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Contains(t, got.body, "It has no secret")
	credentials, err := s.store.CredentialsOfApp(t.Context(), app.ID)
	require.NoError(t, err)
	var made store.Credential
	for _, c := range credentials {
		if c.State == store.CredentialActive {
			made = c
		}
	}
	require.Equal(t, http.StatusConflict, member.get("/credentials/"+made.ID+"/rotate").status, "there is nothing to rotate")
	require.Contains(t, member.ok("/credentials/"+made.ID+"/edit"), "Registered keys: one.")

	edit := "/credentials/" + made.ID + "/edit"
	member.refused("jwks", "Careful", edit, with(member.opens(edit), "name", "signer", "jwks", privateSet)...)
	member.refused("name", "Give the credential a name.", edit, with(member.opens(edit), "name", "")...)
	member.refused("allow_from", "neither an address", edit, with(member.opens(edit), "name", "signer", "allow_from", "example")...)
	member.sent(edit, with(member.opens(edit), "name", "signer", "jwks_url", "https://app.example/jwks.json", "allow_from", "192.0.2.0/24")...)
	key := s.gateway.keys[made.KeyID]
	require.Equal(t, "https://app.example/jwks.json", key.JWKSURL)
	require.Empty(t, key.JWKS)
	shown := member.ok("/credentials/" + made.ID)
	require.Contains(t, shown, "https://app.example/jwks.json")
	require.Contains(t, shown, "192.0.2.0/24")
	member.refused("jwks_url", "needs its keys", edit, with(member.opens(edit), "jwks_url", "")...)
	member.sent(edit, with(member.opens(edit), "name", "signer", "allow_from", "", "jwks", publicSet)...)
	require.Empty(t, key.JWKSURL)
	require.JSONEq(t, publicSet, string(key.JWKS))
	require.Empty(t, key.AllowFrom, "the field was empty")
}

func TestAKeySetIsUploaded(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	upload := func(content string) *http.Response {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for name, value := range map[string]string{"request": request.ID, "make": "signer", "life": "30", "once": member.once(path)} {
			require.NoError(t, form.WriteField(name, value))
		}
		file, err := form.CreateFormFile("jwks_file", "jwks.json")
		require.NoError(t, err)
		_, err = file.Write([]byte(content))
		require.NoError(t, err)
		require.NoError(t, form.Close())
		got, err := member.client.Post(s.server.URL+path, form.FormDataContentType(), &body)
		require.NoError(t, err)
		t.Cleanup(func() { got.Body.Close() })
		return got
	}
	require.Equal(t, http.StatusUnprocessableEntity, upload(privateSet).StatusCode)
	require.Equal(t, http.StatusOK, upload(publicSet).StatusCode)
	for _, key := range s.gateway.keys {
		require.JSONEq(t, publicSet, string(key.JWKS))
	}
	require.Len(t, s.gateway.keys, 1)
}

func TestMistakesInANewCredential(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	waiting := s.request(app)
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	form := func(more ...string) []string { return append([]string{"request", request.ID, "make", "key"}, more...) }
	member.refused("life", "Choose how long it works.", path, form("life", "1000")...)
	member.refused("name", "At most 80 characters.", path, form("life", "30", "name", strings.Repeat("n", 81))...)
	member.refused("allow_from", "the network is 192.0.2.0/24", path, form("life", "30", "allow_from", "192.0.2.1/24")...)
	require.Contains(t, member.refused("", "was sent before", path, form("life", "30", "name", "kept")...), `value="kept"`)
	require.Equal(t, http.StatusConflict, member.post(path, "request", waiting.ID, "make", "key", "life", "30").status)
	s.gateway.refuse = `a key is allowed from at most 100 networks`
	member.refused("allow_from", "A key is allowed from at most 100 networks.", path, form("life", "30", "once", member.once(path))...)
	s.gateway.refuse = ""
	s.gateway.away = true
	got := member.post(path, form("life", "30", "once", member.once(path))...)
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Zero(t, s.gateway.made)
}

func TestAnAccessIsChosenFirst(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	require.Contains(t, member.ok(path), "First comes access")
	first := s.approved(app, time.Time{})
	require.Contains(t, member.ok(path), `name="request" value="`+first.ID+`"`, "of one there is nothing to choose")
	second := s.approved(app, time.Time{})
	choice := member.ok(path)
	require.Contains(t, choice, "Under which access?")
	require.Contains(t, choice, second.ID)
	require.Contains(t, member.ok(path+"?request="+second.ID), `name="request" value="`+second.ID+`"`)
	require.NoError(t, s.store.EndAccess(t.Context(), s.by("admin"), first.ID, "over"))
	require.NotContains(t, member.ok(path), first.ID)
}
