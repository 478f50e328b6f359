package developer_test

import (
	"bytes"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

var (
	inputs    = regexp.MustCompile(`<input [^>]*\bname="([^"]+)"[^>]*>`)
	inputText = regexp.MustCompile(`\bvalue="([^"]*)"`)
	areas     = regexp.MustCompile(`(?s)<textarea [^>]*\bname="([^"]+)"[^>]*>\n?(.*?)</textarea>`)
)

// formIn reads the fields of the form in a page as a browser would send them,
// which ends lines with CR LF.
func formIn(body string) url.Values {
	form := url.Values{}
	add := func(name, value string) {
		value = strings.ReplaceAll(html.UnescapeString(value), "\r\n", "\n")
		form.Set(name, strings.ReplaceAll(value, "\n", "\r\n"))
	}
	for _, input := range inputs.FindAllStringSubmatch(body, -1) {
		value := inputText.FindStringSubmatch(input[0])
		add(input[1], append(value, "", "")[1])
	}
	for _, area := range areas.FindAllStringSubmatch(body, -1) {
		add(area[1], area[2])
	}
	return form
}

// opens opens a form.
func (r *reader) opens(path string) url.Values {
	r.site.t.Helper()
	return formIn(r.ok(path))
}

// with fills a form in: name, value, name, value, …
func with(form url.Values, values ...string) []string {
	var filled []string
	for i := 0; i+1 < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	for name := range form {
		filled = append(filled, name, form.Get(name))
	}
	return filled
}

// asksAgain has another reader change a field while the member has the form open, and
// the member change it, too: they are told, and get their own way by sending the form
// that comes back.
func (s *site) asksAgain(path, field, theirs, mine, told string) {
	s.t.Helper()
	member, other := s.as("member"), s.as("other")
	opened := member.opens(path)
	other.sent(path, with(other.opens(path), field, theirs)...)
	before := other.opens(path)
	require.Equal(s.t, theirs, strings.ReplaceAll(before.Get(field), "\r\n", "\n"))

	shown := member.refused(field, told, path, with(opened, field, mine)...)
	require.Equal(s.t, before, other.opens(path), "nothing was changed")
	returned := formIn(shown)
	require.Equal(s.t, mine, returned.Get(field), "what was typed stays")
	member.sent(path, with(returned)...)
	require.Equal(s.t, mine, member.opens(path).Get(field))
}

// signer is a client of an app under a request, with keys of its own.
func (s *site) signer(app store.App, keys ...string) (path string, key *record.Key) {
	s.t.Helper()
	request := s.approved(app, time.Time{})
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	got := member.post(path, append(keys, "name", "signer", "request", request.ID, "make", "signer", "life", "30", "once", member.once(path))...)
	require.Equal(s.t, http.StatusOK, got.status, got.body)
	made, err := s.store.CredentialsOfApp(s.t.Context(), app.ID)
	require.NoError(s.t, err)
	require.Len(s.t, made, 1)
	return "/credentials/" + made[0].ID + "/edit", s.gateway.keys[made[0].KeyID]
}

const (
	firstAddress  = "https://app.example/first.json"
	secondAddress = "https://app.example/second.json"
	thirdAddress  = "https://app.example/third.json"
)

func TestAFormLeavesAloneWhatItDoesNotChange(t *testing.T) {
	s := newSite(t)
	path, key := s.signer(s.app("Worklist"), "jwks_url", firstAddress)
	member, other := s.as("member"), s.as("other")

	opened := member.opens(path)
	other.sent(path, with(other.opens(path), "allow_from", "192.0.2.0/24\n2001:db8::/32", "jwks_url", secondAddress)...)
	member.sent(path, with(opened, "name", "night")...)
	require.Equal(t, "night", key.Name)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}, key.AllowFrom)
	require.Equal(t, secondAddress, key.JWKSURL)

	opened = member.opens(path)
	other.sent(path, with(other.opens(path), "name", "day")...)
	member.sent(path, with(opened, "allow_from", "")...)
	require.Equal(t, "day", key.Name)
	require.Empty(t, key.AllowFrom)

	opened = member.opens(path)
	other.sent(path, with(other.opens(path), "allow_from", "192.0.2.0/24", "jwks", publicSet, "jwks_url", "")...)
	shown := member.refused("name", "Give the credential a name.", path, with(opened, "name", "")...)
	require.Contains(t, shown, "192.0.2.0/24</textarea>", "a form that comes back shows what is there now")
	member.sent(path, with(formIn(shown), "name", "night")...)
	require.Len(t, key.AllowFrom, 1)
	require.JSONEq(t, publicSet, string(key.JWKS))
	require.Empty(t, key.JWKSURL)
}

func TestAChangeOverANewerOneIsAskedForTwice(t *testing.T) {
	for _, c := range []struct {
		field, theirs, mine string
		told                string
	}{
		{"name", "day", "night", "Somebody has changed this meanwhile to day: look at it, and save again if you still want yours."},
		{"allow_from", "192.0.2.0/24\n2001:db8::/32", "198.51.100.0/24", "meanwhile to 192.0.2.0/24\n2001:db8::/32: look"},
		{"allow_from", "", "198.51.100.0/24", "Somebody has removed this meanwhile: save again"},
		{"allow_from", "192.0.2.0/24", "", "meanwhile to 192.0.2.0/24: look"},
		{"jwks_url", secondAddress, thirdAddress, "meanwhile to " + secondAddress + ": look"},
	} {
		t.Run(c.field+" "+c.theirs, func(t *testing.T) {
			s := newSite(t)
			path, key := s.signer(s.app("Worklist"), "jwks_url", firstAddress)
			key.AllowFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
			s.asksAgain(path, c.field, c.theirs, c.mine, c.told)
		})
	}
}

func TestTheSameChangeTwiceIsNoConflict(t *testing.T) {
	s := newSite(t)
	path, key := s.signer(s.app("Worklist"), "jwks_url", firstAddress)
	member, other := s.as("member"), s.as("other")
	change := []string{"name", "night", "allow_from", "192.0.2.0/24", "jwks_url", secondAddress}
	opened := member.opens(path)
	other.sent(path, with(other.opens(path), change...)...)
	member.sent(path, with(opened, change...)...)
	require.Equal(t, "night", key.Name)
	require.Equal(t, secondAddress, key.JWKSURL)
}

const (
	secondSet = `{"keys":[{"kty":"EC","crv":"P-384","x":"CC","y":"DD","kid":"two"}]}`
	thirdSet  = `{"keys":[{"kty":"EC","crv":"P-384","x":"EE","y":"FF","kid":"three"}]}`
)

func TestKeysThatWereReplacedMeanwhileAreAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		first, theirs, mine []string
		told                string
	}{
		"a set over a set":          {[]string{"jwks", publicSet}, []string{"jwks", secondSet}, []string{"jwks", thirdSet}, "two"},
		"a set over an address":     {[]string{"jwks_url", firstAddress}, []string{"jwks_url", secondAddress}, []string{"jwks", thirdSet}, secondAddress},
		"an address over a set":     {[]string{"jwks", publicSet}, []string{"jwks", secondSet}, []string{"jwks_url", thirdAddress}, "two"},
		"a set of the same name":    {[]string{"jwks", publicSet}, []string{"jwks", strings.ReplaceAll(publicSet, "AA", "ZZ")}, []string{"jwks", thirdSet}, "one"},
		"a set where a set came in": {[]string{"jwks_url", firstAddress}, []string{"jwks", secondSet}, []string{"jwks", thirdSet}, "two"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			path, key := s.signer(s.app("Worklist"), c.first...)
			member, other := s.as("member"), s.as("other")
			opened := member.opens(path)
			other.sent(path, with(other.opens(path), c.theirs...)...)
			before := *key
			shown := member.refused("", "Somebody has changed the keys meanwhile to "+c.told+": look", path, with(opened, c.mine...)...)
			require.Equal(t, before, *key, "nothing was changed")
			member.sent(path, with(formIn(shown))...)
			if c.mine[0] == "jwks" {
				require.JSONEq(t, thirdSet, string(key.JWKS))
				require.Empty(t, key.JWKSURL)
			} else {
				require.Equal(t, thirdAddress, key.JWKSURL)
			}
		})
	}
}

func TestASetThatIsGivenUpLeavesTheAddress(t *testing.T) {
	s := newSite(t)
	path, key := s.signer(s.app("Worklist"), "jwks_url", firstAddress)
	member := s.as("member")
	shown := member.refused("jwks", "This is not JSON.", path, with(member.opens(path), "jwks", "{keys}")...)
	member.sent(path, with(formIn(shown), "jwks", "", "name", "night")...)
	require.Equal(t, firstAddress, key.JWKSURL)
	require.Equal(t, "night", key.Name)
}

func TestWhatAFormWasOpenedWithGivesNoRights(t *testing.T) {
	s := newSite(t)
	path, key := s.signer(s.app("Worklist"), "jwks_url", firstAddress)
	admin := s.back()
	for _, c := range []struct {
		form   []string
		status int
	}{
		{[]string{"jwks_url", secondAddress}, http.StatusForbidden},
		{[]string{"jwks", secondSet}, http.StatusForbidden},
		{[]string{"jwks", secondSet, "was_jwks_url", ""}, http.StatusForbidden},
		{[]string{"jwks_url", secondAddress, "was_jwks_url", "", "was_keys", ""}, http.StatusUnprocessableEntity},
		{[]string{"jwks_url", secondAddress, "was_jwks_url", secondAddress}, http.StatusSeeOther},
		{[]string{"jwks_url", "", "was_jwks_url", ""}, http.StatusSeeOther},
	} {
		require.Equal(t, c.status, admin.post(path, with(admin.opens(path), c.form...)...).status, c.form)
		require.Equal(t, firstAddress, key.JWKSURL, c.form)
		require.Empty(t, key.JWKS, c.form)
	}
	admin.sent(path, with(admin.opens(path), "allow_from", "192.0.2.0/24")...)
	require.Len(t, key.AllowFrom, 1)
}

func TestAFormThatDoesNotTellWhatItWasOpenedWithPutsNothingOver(t *testing.T) {
	s := newSite(t)
	path, key := s.signer(s.app("Worklist"), "jwks_url", firstAddress)
	key.AllowFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	s.as("member").refused("name", "meanwhile to signer", path, "name", "night")
	require.Equal(t, "signer", key.Name)
	require.Equal(t, firstAddress, key.JWKSURL)
	require.Len(t, key.AllowFrom, 1)
}

func TestAnAppsFormLeavesAloneWhatItDoesNotChange(t *testing.T) {
	s := newSite(t)
	member, other := s.as("member"), s.as("other")
	path := "/apps/" + s.app("Worklist").ID + "/edit"
	opened := member.opens(path)
	other.sent(path, with(other.opens(path), "description", "Of the day.\r\n\r\nAnd of the night.")...)
	member.sent(path, with(opened, "name", "Night")...)
	shown := member.opens(path)
	require.Equal(t, "Night", shown.Get("name"))
	require.Equal(t, "Of the day.\r\n\r\nAnd of the night.", shown.Get("description"))

	opened = member.opens(path)
	other.sent(path, with(other.opens(path), "name", "Day")...)
	member.sent(path, with(opened, "description", "")...)
	shown = member.opens(path)
	require.Equal(t, "Day", shown.Get("name"))
	require.Empty(t, shown.Get("description"))
}

func TestAnAppsChangeOverANewerOneIsAskedForTwice(t *testing.T) {
	for _, c := range []struct{ field, theirs, mine, told string }{
		{"name", "Day", "Night", "Somebody has changed this meanwhile to Day: look at it, and save again if you still want yours."},
		{"description", "Of the day", "Of the night", "Somebody has changed this meanwhile to Of the day: look"},
		{"description", "", "Of the night", "Somebody has removed this meanwhile: save again"},
	} {
		t.Run(c.field+" "+c.theirs, func(t *testing.T) {
			s := newSite(t)
			app := s.app("Worklist")
			app.Description = "Of a ward"
			require.NoError(t, s.store.UpdateApp(t.Context(), s.by("member"), app))
			s.asksAgain("/apps/"+app.ID+"/edit", c.field, c.theirs, c.mine, c.told)
		})
	}
}

func TestASetFromAFileStaysInAFormThatComesBack(t *testing.T) {
	s := newSite(t)
	path, key := s.signer(s.app("Worklist"), "jwks", publicSet)
	member, other := s.as("member"), s.as("other")
	opened := member.opens(path)
	other.sent(path, with(other.opens(path), "jwks", secondSet)...)
	send := func(file string) (int, string) {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for name, values := range opened {
			if name != "jwks_file" {
				require.NoError(t, form.WriteField(name, values[0]))
			}
		}
		part, err := form.CreateFormFile("jwks_file", "jwks.json")
		require.NoError(t, err)
		_, err = part.Write([]byte(file))
		require.NoError(t, err)
		require.NoError(t, form.Close())
		got, err := member.client.Post(s.server.URL+path, form.FormDataContentType(), &body)
		require.NoError(t, err)
		defer got.Body.Close()
		shown, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		return got.StatusCode, mainOf(string(shown))
	}
	status, shown := send(privateSet)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, shown, "Careful: this is a private key")
	require.NotContains(t, shown, "VERY-PRIVATE")
	status, shown = send(thirdSet)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, shown, "Somebody has changed the keys meanwhile to two")
	member.sent(path, with(formIn(shown))...)
	require.JSONEq(t, thirdSet, string(key.JWKS))
}
