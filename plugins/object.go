//go:build embedso

package plugins

import _ "embed"

//go:embed fhirgate.so
var object []byte

// Object returns the plugin as a shared object.
func Object() ([]byte, error) { return object, nil }
