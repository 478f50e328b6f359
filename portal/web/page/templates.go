package page

import (
	"embed"
	"io/fs"
)

//go:embed all:templates
var templates embed.FS

// Templates are the pages that errors end on.
func Templates() fs.FS { return templates }
