package engine

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAnswersOfBothDefinitions(t *testing.T) {
	h := startHost(t, ChainPost)
	for _, c := range []struct{ path, want string }{
		{"/fhir/3k", string(threeKilobytes)},
	} {
		status, body := get(t, h.url(c.path))
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, c.want, body)
	}
	status, body := get(t, h.url("/x"))
	assert.Equal(t, 404, status)
	assert.Equal(t, "root /x", body)
	_, body = get(t, h.url("/fhir/seen?a=b"))
	t.Log(body)
}
