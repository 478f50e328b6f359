package ui

import (
	"embed"
	"fmt"
	"html/template"
)

//go:embed icons/*.svg art/*.svg
var drawings embed.FS

// icon is a drawing of 20 by 20 in the colour of the text beside it. It is
// hidden from screen readers: a button without a text needs an aria-label.
func icon(name string) (template.HTML, error) { return drawing("icons/" + name + ".svg") }

// art is a larger drawing, for a place where there is nothing yet.
func art(name string) (template.HTML, error) { return drawing("art/" + name + ".svg") }

func drawing(file string) (template.HTML, error) {
	content, err := drawings.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("no drawing is named %q", file)
	}
	return template.HTML(content), nil //nolint:gosec // Only files of this package, never a value.
}
