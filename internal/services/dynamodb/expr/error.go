package expr

import "fmt"

// Error tells that an expression is not valid, or that it cannot be applied to an item. Its text is DynamoDB's message.
type Error struct{ Message string }

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func errorf(format string, args ...any) *Error { return &Error{fmt.Sprintf(format, args...)} }

// rank orders the rules that an expression can break: of several only the first is reported, as DynamoDB does.
type rank int

const (
	rankParens rank = iota
	rankUnknownFunction
	rankMisusedFunction
	rankReserved
	rankSection
	rankPlaceholder
	rankOverlap
	rankConflict
	rankOperandCount
	rankDistinct
	rankOperandType
	ranks
)

// findings collects what is wrong with an expression: the first finding of each rank.
type findings [ranks]string

func (f *findings) add(r rank, format string, args ...any) {
	if f[r] == "" {
		f[r] = fmt.Sprintf(format, args...)
	}
}

// first returns the finding that is reported, or "".
func (f *findings) first() string {
	for _, message := range f {
		if message != "" {
			return message
		}
	}
	return ""
}
