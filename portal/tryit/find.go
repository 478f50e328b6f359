package tryit

import (
	"context"
	"net/http"

	"github.com/tidwall/gjson"
)

// Find makes a search for a user and returns the first resource of its type that
// comes; one that does not exist = none came, or the hospital refused. It counts
// as a call, and its errors are those of [Trier.Do].
func (t *Trier) Find(ctx context.Context, user string, call Call) (gjson.Result, error) {
	got, err := t.exchange(ctx, user, call)
	if err != nil || got.status != http.StatusOK || !gjson.ValidBytes(got.body) {
		return gjson.Result{}, err
	}
	for _, resource := range gjson.GetBytes(got.body, "entry.#.resource").Array() {
		if resource.Get("resourceType").Str == call.Type {
			return resource, nil
		}
	}
	return gjson.Result{}, nil
}
