package logs

import (
	"regexp"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/lib/opt"
)

// matcher tells whether a message meets a filter pattern.
type matcher func(message string) bool

// finder tells what a message has at a selector.
type finder func(selector string) found

// pattern is a compiled filter pattern.
type pattern struct {
	// shape is the mark that a structured pattern begins with, '{' or '['; 0 is that of terms.
	shape byte
	// open takes a message apart, and tells whether it meets the pattern.
	open func(m *message) (finder, bool)
	// paths are the selectors into JSON, by how they are written.
	paths map[string][]step
	// columns are those of a pattern in brackets.
	columns *columns
}

// compilePattern compiles a filter pattern into what tells whether a message meets it.
func compilePattern(text *string) (matcher, error) {
	p, err := parsePattern(opt.Value(text))
	if err != nil {
		return nil, err
	}
	return func(text string) bool { return p.met(newMessage(text)) }, nil
}

// met tells whether a message meets the pattern.
func (p *pattern) met(m *message) bool {
	_, met := p.open(m)
	return met
}

// parsePattern compiles a filter pattern. One in braces looks into messages that are JSON, one in brackets at columns, and any other for terms
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html).
func parsePattern(text string) (*pattern, error) {
	text = strings.TrimSpace(text)
	compile := compileTerms
	switch {
	case text == "":
		return ofTerms(func(string) bool { return true }), nil
	case text[0] == '{':
		compile = compileJSON
	case text[0] == '[':
		compile = compileColumns
	}
	return compile(text)
}

// ofTerms is a pattern that looks into no fields.
func ofTerms(met matcher) *pattern {
	none := func(string) found { return found{} }
	return &pattern{open: func(m *message) (finder, bool) { return none, met(m.text) }}
}

// allow lets fields answer for a selector that is not in the pattern itself, and returns it as they know it: $.latency with a pattern in braces, $size with one in brackets that names the column.
func (p *pattern) allow(selector string) (string, error) {
	switch name, ok := strings.CutPrefix(selector, "$"); {
	case p.shape == '[' && ok && slices.Contains(p.columns.names, name) && name != "":
		return name, nil
	case p.shape == '{' && ok:
		c := &conditions{rest: selector}
		path := c.path()
		if c.err != nil {
			return "", c.err
		}
		if c.rest == "" && len(path) > 0 {
			p.paths[selector] = path
			return selector, nil
		}
	}
	return "", invalid("Invalid metric transformation: %s is no field of the filter pattern. A pattern in braces has fields such as $.latency, one in brackets those that it names, as $size.", selector)
}

// extract returns what the selectors of a pattern find in a message that meets it: those of a pattern in braces, and every column under its name or its number for one in brackets.
func (p *pattern) extract(m *message) (values map[string]string, met bool) {
	find, met := p.open(m)
	if !met {
		return nil, false
	}
	if p.shape == '[' {
		return p.columns.named(m.split()), true
	}
	values = map[string]string{}
	for selector := range p.paths {
		if f := find(selector); f.is == scalar || f.is == truth {
			values[selector] = f.text
		}
	}
	return values, true
}

// compileTerms compiles an unstructured pattern: every plain term, quoted phrase and %regular expression% must be in the message, at least one of
// the ?terms when there are any, and none of the -terms. Terms are case-sensitive.
func compileTerms(p string) (*pattern, error) {
	var all, some, none []matcher
	for p != "" {
		kind, term, rest, err := nextTerm(p)
		if err != nil {
			return nil, err
		}
		switch kind {
		case '?':
			some = append(some, term)
		case '-':
			none = append(none, term)
		default:
			all = append(all, term)
		}
		p = strings.TrimLeft(rest, " \t")
	}
	return ofTerms(func(message string) bool {
		in := func(m matcher) bool { return m(message) }
		return every(all, in) && (len(some) == 0 && len(all)+len(none) > 0 || slices.ContainsFunc(some, in)) && !slices.ContainsFunc(none, in)
	}), nil
}

// nextTerm takes one term from the front of a pattern: its mark (?, - or 0), what it looks for, and what follows.
func nextTerm(p string) (kind byte, term matcher, rest string, err error) {
	if p[0] == '?' || p[0] == '-' {
		kind, p = p[0], p[1:]
	}
	if p == "" {
		return 0, nil, "", invalid("Invalid filter pattern: a mark without a term.")
	}
	var text string
	switch p[0] {
	case '%':
		var re *regexp.Regexp
		if re, rest, err = takeRegexp(p); err != nil {
			return 0, nil, "", err
		}
		return kind, re.MatchString, rest, nil
	case '"':
		if text, rest, err = takeQuoted(p); err != nil {
			return 0, nil, "", err
		}
	default:
		text, rest, _ = strings.Cut(p, " ")
	}
	return kind, func(message string) bool { return strings.Contains(message, text) }, rest, nil
}

// takeQuoted takes a phrase in quotation marks from the front of a pattern.
func takeQuoted(p string) (phrase, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(p); i++ {
		switch {
		case p[i] == '\\' && i+1 < len(p):
			i++
			b.WriteByte(p[i])
		case p[i] == '"':
			return b.String(), p[i+1:], nil
		default:
			b.WriteByte(p[i])
		}
	}
	return "", "", invalid("Invalid filter pattern: a quoted phrase has no end.")
}

// expressible are the characters that a regular expression of a pattern may have
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html#regex-expressions).
var expressible = regexp.MustCompile(`^[A-Za-z0-9 :_#=@/;,\-^$?\[\]{}|\\*+.()<>!'"&~]+$`)

// takeRegexp takes a regular expression between percent signs from the front of a pattern.
func takeRegexp(p string) (re *regexp.Regexp, rest string, err error) {
	text, rest, ok := strings.Cut(p[1:], "%")
	if !ok {
		return nil, "", invalid("Invalid filter pattern: a regular expression has no end.")
	}
	if !expressible.MatchString(text) || strings.Contains(text, "(?") {
		return nil, "", invalid("Invalid filter pattern: the regular expression %%%s%% has characters that are not supported.", text)
	}
	if re, err = regexp.Compile(text); err != nil {
		return nil, "", invalid("Invalid filter pattern: the regular expression %%%s%% is malformed.", text)
	}
	return re, rest, nil
}

func every(terms []matcher, in func(matcher) bool) bool {
	return !slices.ContainsFunc(terms, func(m matcher) bool { return !in(m) })
}
