package vtl

import (
	"errors"
	"fmt"
	"strings"
)

// ErrLimit tells that a run was ended by one of its [Limits].
var ErrLimit = errors.New("the template exceeds the limit")

// SyntaxError tells where a template is not in the language.
type SyntaxError struct {
	// Line and Column are where the fault is, counted from 1; a column counts bytes.
	Line, Column int
	// Message says what is wrong.
	Message string
}

// Error returns the place and the message.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

func syntaxError(text string, at int, message string) error {
	at = min(at, len(text))
	line := strings.Count(text[:at], "\n") + 1
	return &SyntaxError{Line: line, Column: at - strings.LastIndexByte(text[:at], '\n'), Message: message}
}
