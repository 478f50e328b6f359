package alternate

import (
	"errors"
	"regexp"
	"strings"
)

// layoutForm is YYYY, MM, DD, hh (00 to 23), mm and ss between signs.
var layoutForm = regexp.MustCompile(`^([ /.,:T-]|YYYY|MM|DD|hh|mm|ss)+$`)

var layoutWords = strings.NewReplacer("YYYY", "2006", "MM", "01", "DD", "02", "hh", "15", "mm", "04", "ss", "05")

// Layout returns the layout of Go (see package time) for one such as
// "MM/DD/YYYY hh:mm".
func Layout(text string) (string, error) {
	if !layoutForm.MatchString(text) || !strings.Contains(text, "YYYY") || !strings.Contains(text, "MM") || !strings.Contains(text, "DD") {
		return "", errors.New("the layout must be YYYY, MM, DD and, of a time, hh (00 to 23), mm and ss, between blanks, 'T' and '/.,:-'")
	}
	return layoutWords.Replace(text), nil
}
