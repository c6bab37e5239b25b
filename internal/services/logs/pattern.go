package logs

import (
	"regexp"
	"slices"
	"strings"
)

// matcher tells whether a message meets a filter pattern.
type matcher func(message string) bool

// compilePattern compiles a filter pattern; the newline that ends a message plays no part. One in braces looks into messages that are JSON, one in brackets at columns, and any other for terms
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html).
func compilePattern(pattern *string) (matcher, error) {
	if pattern == nil || strings.TrimSpace(*pattern) == "" {
		return func(string) bool { return true }, nil
	}
	p := strings.TrimSpace(*pattern)
	compile := compileTerms
	switch p[0] {
	case '{':
		compile = compileJSON
	case '[':
		compile = compileColumns
	}
	m, err := compile(p)
	if err != nil {
		return nil, err
	}
	return func(message string) bool { return m(strings.TrimSuffix(message, "\n")) }, nil
}

// compileTerms compiles an unstructured pattern: every plain term, quoted phrase and %regular expression% must be in the message, at least one of
// the ?terms when there are any, and none of the -terms. Terms are case-sensitive.
func compileTerms(p string) (matcher, error) {
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
	return func(message string) bool {
		in := func(m matcher) bool { return m(message) }
		return every(all, in) && (len(some) == 0 && len(all)+len(none) > 0 || slices.ContainsFunc(some, in)) && !slices.ContainsFunc(none, in)
	}, nil
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
