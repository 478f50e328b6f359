package links

import (
	"errors"
	"fmt"
	"strconv"
)

// What an *Error may wrap, besides the errors of a Map's functions.
var (
	// ErrMalformed means that the text is not one JSON object or array.
	ErrMalformed = errors.New("malformed JSON")
	// ErrTruncated means that the text ends early; it is an ErrMalformed.
	ErrTruncated = fmt.Errorf("%w: ends before it is complete", ErrMalformed)
	// ErrTooDeep means more than 200 objects and arrays inside one another.
	ErrTooDeep = errors.New("JSON nested too deeply")
	// ErrTooLong means that a locator, a number, a member's name, or what a
	// link holds between its url and its relation, exceeds 64 KiB.
	ErrTooLong = errors.New("JSON token too long")
)

var (
	errUnexpected = fmt.Errorf("%w: unexpected character", ErrMalformed)
	errTrailing   = fmt.Errorf("%w: data after its end", ErrMalformed)
	errControl    = fmt.Errorf("%w: control character in a string", ErrMalformed)
	errEscape     = fmt.Errorf("%w: unknown escape in a string", ErrMalformed)
	errNumber     = fmt.Errorf("%w: not a number", ErrMalformed)
	errLiteral    = fmt.Errorf("%w: unknown literal", ErrMalformed)
)

// Error is a failure at a place of the text. It never holds a value: the path
// is made of names alone, and the text of Err is ours or a Map function's.
type Error struct {
	// Offset is the place in the text, in bytes from its start: of the first
	// byte at fault, of a refused locator's opening quote, or the text's length
	// if it ends early.
	Offset int64
	// Path is the place in the manner of FHIRPath, such as
	// Bundle.entry[3].resource.subject.reference. It starts with "$" while the
	// resource type is unknown; "?" stands for a name that no FHIR element has.
	Path string
	// Err is the reason.
	Err error
}

func (e *Error) Error() string {
	return "byte " + strconv.FormatInt(e.Offset, 10) + " at " + e.Path + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// SignedError means that a Bundle turned out to be signed after parts of it
// had been changed and written. The text must be rewritten from its start,
// with Offset added to Map.Frozen.
type SignedError struct {
	Offset int64 // of the Bundle's "{", in bytes from the start of the text
}

func (e *SignedError) Error() string {
	return "the Bundle at byte " + strconv.FormatInt(e.Offset, 10) + " is signed and was already changed"
}
