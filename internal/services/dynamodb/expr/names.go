package expr

import "strings"

// Attributes returns the attribute names that an expression mentions, on any level, for decisions about permissions. It may return too many for
// an expression that is not valid, and never too few.
func Attributes(src string, names map[string]string) []string {
	var out []string
	l := lexer{src: src}
	for t := l.next(); t.kind != end; t = l.next() {
		switch t.kind {
		case name:
			out = append(out, names[t.text])
		case word:
			if !isReservedSyntax(t.text, l) {
				out = append(out, t.text)
			}
		}
	}
	return out
}

// isReservedSyntax tells whether a word is a keyword or the name of a function.
func isReservedSyntax(text string, after lexer) bool {
	switch strings.ToUpper(text) {
	case "AND", "OR", "NOT", "IN", "BETWEEN", "SET", "REMOVE", "ADD", "DELETE":
		return true
	}
	next := after.next()
	return next.kind == symbol && next.text == "("
}
