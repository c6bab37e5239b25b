package logs

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/glob"
)

// found is what a selector finds in a message.
type found struct {
	is   kind
	text string // of a text, a number, and a truth value
}

type kind byte

const (
	missing kind = iota
	null
	truth
	scalar
	compound // an object or an array
)

// condition is a filter pattern over what selectors find.
type condition func(find func(selector string) found) bool

// conditions parses the expressions in structured patterns: comparisons joined by && and ||, && binding closer, and parentheses.
// Its error stays in err, and then nothing is left to read.
type conditions struct {
	rest string
	// selector takes a selector from the front of rest.
	selector func(c *conditions) string
	depth    int
	err      error
}

// maxDepth bounds the parentheses in each other.
const maxDepth = 32

func (c *conditions) fail(format string, args ...any) condition {
	if c.err == nil {
		c.err = invalid("Invalid filter pattern: "+format, args...)
	}
	c.rest = ""
	return nil
}

func (c *conditions) space() { c.rest = strings.TrimLeft(c.rest, " \t\r\n") }

// take takes a token from the front when it is there.
func (c *conditions) take(token string) bool {
	c.space()
	rest, ok := strings.CutPrefix(c.rest, token)
	if ok {
		c.rest = rest
	}
	return ok
}

// word takes a word in any case from the front when it is there.
func (c *conditions) word(word string) bool {
	c.space()
	n := len(word)
	if len(c.rest) < n || !strings.EqualFold(c.rest[:n], word) || len(c.rest) > n && identifier(c.rest[n]) {
		return false
	}
	c.rest = c.rest[n:]
	return true
}

func identifier(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func (c *conditions) either() condition {
	all := []condition{c.both()}
	for c.err == nil && c.take("||") {
		all = append(all, c.both())
	}
	return func(find func(string) found) bool {
		return slices.ContainsFunc(all, func(one condition) bool { return one(find) })
	}
}

func (c *conditions) both() condition {
	all := []condition{c.one()}
	for c.err == nil && c.take("&&") {
		all = append(all, c.one())
	}
	return func(find func(string) found) bool {
		return !slices.ContainsFunc(all, func(one condition) bool { return !one(find) })
	}
}

func (c *conditions) one() condition {
	if !c.take("(") {
		return c.comparison()
	}
	if c.depth++; c.depth > maxDepth {
		return c.fail("more than %d parentheses lie in each other.", maxDepth)
	}
	inner := c.either()
	c.depth--
	if c.err == nil && !c.take(")") {
		return c.fail("a parenthesis has no end.")
	}
	return inner
}

func (c *conditions) comparison() condition {
	c.space()
	s := c.selector(c)
	switch {
	case c.err != nil:
		return nil
	case c.word("IS"):
		return c.is(s)
	case c.word("NOT"):
		if !c.word("EXISTS") {
			return c.fail("NOT is followed by EXISTS.")
		}
		return func(find func(string) found) bool { return find(s).is == missing }
	}
	for _, op := range []string{"!=", ">=", "<=", "=", ">", "<"} {
		if c.take(op) {
			return c.compare(s, op)
		}
	}
	return c.fail("%s is followed by no operator.", s)
}

func (c *conditions) is(s string) condition {
	for _, want := range []string{"NULL", "TRUE", "FALSE"} {
		if c.word(want) {
			return func(find func(string) found) bool {
				f := find(s)
				return want == "NULL" && f.is == null || f.is == truth && strings.EqualFold(f.text, want)
			}
		}
	}
	return c.fail("IS is followed by NULL, TRUE or FALSE.")
}

// compare reads the value behind an operator.
func (c *conditions) compare(s, op string) condition {
	equal := c.value(op)
	if c.err != nil {
		return nil
	}
	return func(find func(string) found) bool {
		f := find(s)
		return f.is >= truth && f.is <= scalar && equal(f.text) != (op == "!=")
	}
}

// value reads a value, and returns what it says of a text under the operator; != is answered as =.
func (c *conditions) value(op string) matcher {
	c.space()
	switch {
	case c.rest == "":
		c.fail("%s is followed by no value.", op)
		return nil
	case c.rest[0] == '%' && (op == "=" || op == "!="):
		var re *regexp.Regexp
		if re, c.rest, c.err = takeRegexp(c.rest); c.err != nil {
			return nil
		}
		return re.MatchString
	case c.rest[0] == '"':
		var text string
		if text, c.rest, c.err = takeQuoted(c.rest); c.err != nil {
			return nil
		}
		return c.text(op, text)
	}
	n := strings.IndexAny(c.rest, " \t\r\n)}],&|")
	if n < 0 {
		n = len(c.rest)
	}
	text := c.rest[:n]
	c.rest = c.rest[n:]
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		return numeric(op, number)
	}
	return c.text(op, text)
}

// text compares with a text, in which * stands for anything.
func (c *conditions) text(op, text string) matcher {
	if op != "=" && op != "!=" {
		c.fail("%s compares with a number, not with %q.", op, text)
		return nil
	}
	var b glob.Builder
	for i, literal := range strings.Split(text, "*") {
		if i > 0 {
			b.Pattern("*")
		}
		b.Literal(literal)
	}
	p := b.Build()
	return p.Match
}

func numeric(op string, want float64) matcher {
	return func(text string) bool {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) {
			return false
		}
		switch op {
		case ">":
			return n > want
		case ">=":
			return n >= want
		case "<":
			return n < want
		case "<=":
			return n <= want
		}
		return n == want
	}
}
