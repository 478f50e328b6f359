package strict

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
)

// maxSearched is the size of the largest file in which the line of a mistake is
// searched for, in bytes: it is read up to twenty times then.
const maxSearched = 256 << 10

// explained returns the line of a mistake, and what it is in people's words. line and
// text are yaml's: of blocks and brackets it tells the line in which they begin. What
// is not known here stays as it is.
func explained(data []byte, line int, text string) (int, string) {
	last := 1 + bytes.Count(bytes.TrimRight(data, " \t\r\n"), []byte("\n"))
	if line > last && text == "did not find expected node content" {
		return last, "the file ends before a bracket is closed"
	}
	if line > last {
		line = 1 // yaml tells the end where what is not closed begins in the first line
	}
	if said := inWords(text); said != "" {
		return line, said
	}
	if len(data) > maxSearched {
		return line, text
	}
	switch text {
	case "did not find expected key":
		return explainedBlock(data, line, text, `it is a list item ("- ...") and they are none`)
	case "did not find expected '-' indicator":
		return explainedBlock(data, line, text, `they are list items ("- ...") and it is none`)
	case "did not find expected ',' or ']'", "did not find expected ',' or '}'":
		return explainedBracket(data, line, text)
	}
	return line, text
}

// inWords returns people's words for a mistake whose line yaml knows; "" where there
// are none.
func inWords(text string) string {
	switch text {
	case "did not find expected node content":
		return "a value is missing, or there is a comma or bracket too many"
	case "mapping values are not allowed in this context":
		return "a colon stands where no key can: indent the line like the others of its block, or put the value before the colon in quotes"
	case "did not find expected <document start>":
		return "this stands behind the end of the file: it is indented less than the first line, or a bracket is closed too early"
	case "could not find expected ':'":
		return `this line is no "key: value": a colon with a space behind it is missing`
	case "found character that cannot start any token":
		return "a tab indents, or a value begins with one of @ ` %: indent with spaces, and put such a value in quotes"
	case "found unexpected end of stream":
		return "a quote that begins here is not closed"
	}
	return ""
}

// explainedBlock explains a line that does not continue the block that begins in line.
func explainedBlock(data []byte, line int, text, otherwise string) (int, string) {
	ends := lineEnds(data)
	i := firstWrong(data, ends, text, "")
	if i == len(ends) {
		return line, text
	}
	start := 0
	if i > 0 {
		start = ends[i-1]
	}
	if syntaxError(data[:start]) != "" || syntaxError(bytes.TrimSpace(data[start:ends[i]])) == text {
		return i + 1, "a value ends before its line does: look at its quotes and brackets"
	}
	return i + 1, "this line is not indented like the others of its block, or " + otherwise
}

// explainedBracket explains what goes wrong in the brackets that are opened in line.
func explainedBracket(data []byte, line int, text string) (int, string) {
	missing := strings.TrimPrefix(text, "did not find expected ")
	ends := lineEnds(data)
	// At the end of a part that is right so far, yaml misses the same; behind a comma it
	// misses a value.
	i := firstWrong(data, ends, text, "\n,")
	if i == len(ends) {
		return line, fmt.Sprintf("a %s is missing: the file ends before the bracket of this line is closed", strings.TrimPrefix(missing, "',' or "))
	}
	said := fmt.Sprintf("a %s is missing in or before this line", missing)
	if line < i+1 {
		said += fmt.Sprintf(": its bracket is opened in line %d", line)
	}
	return i + 1, said
}

// firstWrong returns the index of the first line behind which yaml says text of the part
// of data that ends there, with probe behind it: whatever follows, that part is wrong.
// It returns len(ends) where there is no such line.
func firstWrong(data []byte, ends []int, text, probe string) int {
	return sort.Search(len(ends), func(i int) bool {
		return syntaxError(append(bytes.Clone(data[:ends[i]]), probe...)) == text
	})
}

// lineEnds returns the offsets behind the lines of data.
func lineEnds(data []byte) []int {
	var ends []int
	for at := 0; at < len(data); {
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			at += i + 1
		} else {
			at = len(data)
		}
		ends = append(ends, at)
	}
	return ends
}

// syntaxError returns what yaml says of data, without its line; "" when it is right.
func syntaxError(data []byte) string {
	_, err := parse(data)
	if err == nil {
		return ""
	}
	_, text := told(err)
	return text
}
