package template

import (
	"errors"
	"fmt"
)

// Position is a place in a template's text, counted from 1. The zero value means unknown.
type Position struct {
	Line, Column int
}

// Error says what is wrong with a template, and where.
type Error struct {
	// Message is the text that clients see, in CloudFormation's words where it has some.
	Message string
	// Position is where the fault lies, when known.
	Position Position
}

// Error returns the message and, when known, the line.
func (e *Error) Error() string {
	if e.Position.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s (line %d)", e.Message, e.Position.Line)
}

// Errorf returns an Error without a position.
func Errorf(format string, args ...any) *Error { return &Error{Message: fmt.Sprintf(format, args...)} }

// at returns e with the position of the value at path, unless it has one.
func (d *Document) at(e *Error, path ...string) *Error {
	if e.Position.Line != 0 || d == nil {
		return e
	}
	for n := len(path); n > 0; n-- {
		if p, ok := d.Position(path[:n]...); ok {
			c := *e
			c.Position = p
			return &c
		}
	}
	return e
}

// Locate gives an error of this package the position of the value at path, or of the nearest value around it, unless it has one. Other
// errors come back as they are.
func (d *Document) Locate(err error, path ...string) error {
	var e *Error
	if errors.As(err, &e) {
		return d.at(e, path...)
	}
	return err
}
