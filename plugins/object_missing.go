//go:build !embedso

package plugins

// Object returns ErrNotEmbedded.
func Object() ([]byte, error) { return nil, ErrNotEmbedded }
