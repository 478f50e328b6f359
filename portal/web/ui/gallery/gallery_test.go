package gallery_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/web/ui/gallery"
)

func TestTheGalleryRenders(t *testing.T) {
	for _, page := range []string{"gallery", "gallery-bare"} {
		var made strings.Builder
		require.NoError(t, gallery.Render(&made, page, gallery.Frame("/apps")))
		require.Contains(t, made.String(), "</html>")
		for text, why := range map[string]string{
			"ZgotmplZ": "a value in a place that html/template refuses",
			" style=":  "the content security policy forbids inline styles",
			" onclick": "the content security policy forbids inline handlers",
		} {
			require.False(t, strings.Contains(made.String(), text), why)
		}
	}
}
