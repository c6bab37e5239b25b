package expr

import "strings"

// Attributes returns the attribute names that an expression mentions, on any level, for decisions about permissions. It may return too many for
// an expression that is not valid, and never too few. The result must not be changed.
func (c *Cache) Attributes(src string, names map[string]string) []string {
	var key cacheKey
	if c != nil {
		key = cacheKey{mentions, c.sum(names), src}
		if k, ok := c.kept.Get(key); ok && k.named(names) {
			return k.attributes
		}
	}
	k := &compiled{text: strings.Clone(src)}
	l := lexer{src: k.text}
	for t := l.next(); t.kind != end; t = l.next() {
		switch t.kind {
		case name:
			r := rename{t.text, strings.Clone(names[t.text])}
			k.names = append(k.names, r)
			k.attributes = append(k.attributes, r.attribute)
		case word:
			if !isReservedSyntax(t.text, l) {
				k.attributes = append(k.attributes, t.text)
			}
		}
	}
	if c != nil && len(k.attributes) <= maxParts {
		key.text = k.text
		c.kept.Put(key, k)
	}
	return k.attributes
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
