package portal

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
)

// compressed compresses answers to GET. Those to POST stay as they are: some show
// a secret beside what a form has sent, and their compressed length would tell of
// it (BREACH).
func compressed(next http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.EnableZstd(false)) // its encoders hold megabytes each
	if err != nil {
		return nil, err
	}
	compressing := wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			compressing.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}
