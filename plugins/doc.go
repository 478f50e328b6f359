// Package plugins holds the compiled plugin (see plugins/fhir) inside the host
// binary, so that the two halves can't be of different builds.
package plugins

import "errors"

// ErrNotEmbedded is returned by Object when this binary was built without its
// plugin.
var ErrNotEmbedded = errors.New("plugins: this binary was built without its plugin; run make build")
