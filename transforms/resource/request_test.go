package resource

import (
	"context"
	"errors"
	"net/http"
	"testing"

	testify "github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

func TestAttachmentInline(t *testing.T) {
	const do = `attachment.inline: {path: content.#.attachment}`
	errLost := errors.New("canary")
	answers := map[string]struct {
		mediaType string
		content   []byte
		err       error
	}{
		"Binary/9":   {mediaType: "application/pdf", content: []byte("%PDF")},
		"Binary/big": {content: make([]byte, MaxInline+1)},
		"Binary/no":  {err: errLost},
	}
	content := func(attachment string) string { return `{"content":[{"attachment":` + attachment + `}]}` }
	const refused = "Unprocessable Entity: Resource.content[0].attachment.url: Resource.content[0].attachment.url "
	for _, c := range []struct {
		name, in, want, refusal string
		nowhere                 bool
	}{
		{name: "fetched", in: content(`{"url":"Binary/9","title":"x"}`), want: content(`{"title":"x","contentType":"application/pdf","data":"JVBERg=="}`)},
		{name: "its own type stays", in: content(`{"contentType":"text/plain","url":"Binary/9"}`), want: content(`{"contentType":"text/plain","data":"JVBERg=="}`)},
		{name: "its data stays", in: content(`{"url":"Binary/9","data":"eA=="}`), want: content(`{"url":"Binary/9","data":"eA=="}`)},
		{name: "nothing to fetch", in: content(`{"title":"x"}`), want: content(`{"title":"x"}`)},
		{name: "not there", in: content(`{"url":"Binary/no"}`), refusal: refused + "cannot be fetched from the hospital: the attachment needs its data"},
		{name: "too large", in: content(`{"url":"Binary/big"}`), refusal: refused + "leads to more than 32 MiB, which is too much for the body of a resource"},
		{name: "nothing can be fetched", in: content(`{"url":"Binary/9"}`), nowhere: true, refusal: refused + "cannot be fetched here: the attachment needs its data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := newCall(false)
			if !c.nowhere {
				call.Fetch = func(_ context.Context, locator string) (string, []byte, error) {
					a, ok := answers[locator]
					testify.True(t, ok, locator)
					return a.mediaType, a.content, a.err
				}
			}
			r := newResource(c.in, call)
			changed, err := operation(t, do).Apply(r)
			if c.refusal != "" {
				testify.NotNil(t, err)
				testify.Equal(t, c.refusal, refusalText(err))
				if c.name == "not there" {
					testify.ErrorIs(t, err, errLost)
				}
				return
			}
			testify.Nil(t, err)
			testify.Equal(t, c.want, r.text())
			testify.Equal(t, c.in != c.want, changed)
		})
	}
}

func TestReferenceRelative(t *testing.T) {
	const do = `reference.relative: {path: subject}`
	subject := func(reference string) string { return `{"subject":{"reference":"` + reference + `"}}` }
	runAll(t, []apply{
		{name: "below the base", request: true, do: do, in: subject("https://ehr.example/r4/Patient/e1"), want: subject("Patient/e1")},
		{name: "with a version", request: true, do: do, in: subject("https://ehr.example/r4/Patient/e1/_history/2"), want: subject("Patient/e1/_history/2")},
		{name: "escaped", request: true, do: do, in: subject(`https:\/\/ehr.example\/r4\/Patient\/e1`), want: subject("Patient/e1")},
		{name: "elsewhere", request: true, do: do, in: subject("https://other.example/r4/Patient/e1"), want: subject("https://other.example/r4/Patient/e1")},
		{name: "beside the base", request: true, do: do, in: subject("https://ehr.example/r4x/Patient/e1"), want: subject("https://ehr.example/r4x/Patient/e1")},
		{name: "no resource", request: true, do: do, in: subject("https://ehr.example/r4/$x"), want: subject("https://ehr.example/r4/$x")},
		{name: "relative already", request: true, do: do, in: subject("Patient/e1"), want: subject("Patient/e1")},
		{name: "each reference itself", request: true, do: `reference.relative: {path: author.reference}`, in: `{"author":[{"reference":"https://ehr.example/r4/Practitioner/p"}]}`, want: `{"author":[{"reference":"Practitioner/p"}]}`},
	})
}

func TestIfMatchFromVersion(t *testing.T) {
	o := operation(t, `ifMatch.fromVersion: {}`)
	for _, c := range []struct{ name, in, given, want, refusal string }{
		{name: "from the body", in: `{"meta":{"versionId":"2"}}`, want: `W/"2"`},
		{name: "none in the body", in: `{"meta":{}}`},
		{name: "given already", in: `{"meta":{"versionId":"2"}}`, given: `W/"1"`},
		{name: "no id", in: `{"meta":{"versionId":"2\"\r\nX: y"}}`, refusal: "Unprocessable Entity: Resource.meta.versionId: Resource.meta.versionId must be the id of a version"},
		{name: "no text", in: `{"meta":{"versionId":2}}`, refusal: "Unprocessable Entity: Resource.meta.versionId: Resource.meta.versionId must be the id of a version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, set := newCall(false), http.Header{}
			call.SetHeader = set.Set
			if c.given != "" {
				call.Header.Set("If-Match", c.given)
			}
			r := newResource(c.in, call)
			changed, err := o.Apply(r)
			if c.refusal != "" {
				testify.NotNil(t, err)
				testify.Equal(t, c.refusal, refusalText(err))
				return
			}
			testify.Nil(t, err)
			testify.Equal(t, c.want, set.Get("If-Match"))
			testify.Equal(t, c.want != "", changed)
			testify.Equal(t, c.in, r.text())
		})
	}
}

// TestAnAttachmentForWhichItIsTooEarly has the fetch fail for reasons that say
// nothing of the body.
func TestAnAttachmentForWhichItIsTooEarly(t *testing.T) {
	for status, want := range map[int]int{429: 429, 503: 503, 403: 422, 404: 422} {
		call := newCall(false)
		call.Fetch = func(context.Context, string) (string, []byte, error) {
			return "", nil, fhir.NewError(status, fhir.IssueThrottled, "x")
		}
		_, err := operation(t, `attachment.inline: {path: content}`).Apply(newResource(`{"content":{"url":"Binary/9"}}`, call))
		testify.NotNil(t, err)
		testify.Equal(t, want, err.Status)
	}
}
