package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error tells what is wrong with a pattern, in AWS's words.
type Error struct {
	// Reason is the message without the place.
	Reason string
	// Place is the place in the text as AWS's parser tells it, or empty; it begins with a line break.
	Place string
}

// Error returns the reason with the place.
func (e *Error) Error() string { return e.Reason + e.Place }

// shownText is how much of a text an error repeats, in characters.
const shownText = 500

// place describes an offset of text: lines and columns count from one, columns in UTF-16 units.
func place(text string, offset int) string {
	line, column := 1, 1
	for i, r := range text {
		if i >= offset {
			break
		}
		switch {
		case r == '\n':
			line, column = line+1, 1
		case r > 0xffff:
			column += 2
		default:
			column++
		}
	}
	rest := ""
	if n := utf8.RuneCountInString(text); n > shownText {
		runes := []rune(text)
		text = string(runes[:shownText])
		rest = fmt.Sprintf("[truncated %d chars]", n-shownText)
	}
	return fmt.Sprintf("\n at [Source: (String)\"%s\"%s; line: %d, column: %d]", text, rest, line, column)
}

// plain returns an error without a place.
func plain(format string, args ...any) *Error { return &Error{Reason: fmt.Sprintf(format, args...)} }

// repeated is the form of an error that AWS's parser wraps once more on its way: the place appears twice.
func (e *Error) repeated() *Error {
	if strings.Count(e.Place, "\n") > 1 {
		return e
	}
	return &Error{Reason: e.Reason, Place: e.Place + e.Place}
}
