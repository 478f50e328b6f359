package resource

import (
	"encoding/base64"
	"errors"
	"net/http"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// MaxInline is the greatest content, in bytes, that an attachment takes in.
const MaxInline = 32 << 20

// inline puts the content of attachments that stand elsewhere at the hospital
// into the body. Data that is there stays.
type inline struct {
	oneWay

	Path path `yaml:"path"` // to Attachments, such as content.#.attachment
}

// Check implements Operation.
func (o *inline) Check(doc *strict.Document, place string) { o.Path.check(doc, place+".path") }

// Paths implements Operation.
func (o *inline) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Apply implements Operation.
func (o *inline) Apply(r *Resource) (changed bool, err *fhir.Error) {
	o.Path.EachObject(r.Doc, r.Node, func(n tree.Node) bool {
		url := r.Doc.Get(n, "url")
		if r.Doc.Kind(url) != tree.String || r.Doc.Get(n, "data") != tree.None {
			return true
		}
		err = r.fetchInto(n, url)
		changed = changed || err == nil
		return err == nil
	})
	return changed, err
}

func (r *Resource) fetchInto(attachment, url tree.Node) *fhir.Error {
	if r.Call.Fetch == nil {
		return r.refuse(url, fhir.IssueNotSupported, "cannot be fetched here: the attachment needs its data")
	}
	mediaType, content, err := r.Call.Fetch(r.Call.Context, r.Doc.Text(url))
	var later *fhir.Error
	switch {
	case errors.As(err, &later) && (later.Status == http.StatusTooManyRequests || later.Status >= http.StatusInternalServerError):
		return later
	case err != nil:
		return r.refuse(url, fhir.IssueNotFound, "cannot be fetched from the hospital: the attachment needs its data").Because(err)
	case len(content) > MaxInline:
		return r.refuse(url, fhir.IssueTooLong, "leads to more than 32 MiB, which is too much for the body of a resource")
	}
	if mediaType != "" && r.Doc.Get(attachment, "contentType") == tree.None {
		r.Doc.PutString(attachment, "contentType", mediaType)
	}
	data := make([]byte, 0, base64.StdEncoding.EncodedLen(len(content))+2)
	data = append(base64.StdEncoding.AppendEncode(append(data, '"'), content), '"')
	r.Doc.Put(attachment, "data", data)
	r.remove(url)
	return nil
}
