package logs

import (
	"slices"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// compilePattern compiles an unstructured filter pattern: every plain term and quoted phrase must be in the message, at least one of
// the ?terms when there are any, and none of the -terms. Terms are case-sensitive
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html).
func compilePattern(pattern *string) (func(message string) bool, error) {
	if pattern == nil || strings.TrimSpace(*pattern) == "" {
		return func(string) bool { return true }, nil
	}
	p := strings.TrimSpace(*pattern)
	if p[0] == '{' || p[0] == '[' || p[0] == '%' {
		return nil, service.Unsupported("InvalidParameterException", "FilterLogEvents", "filterPattern with a JSON, column or regular expression pattern")
	}
	var all, some, none []string
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
		in := func(term string) bool { return strings.Contains(message, term) }
		return every(all, in) && (len(some) == 0 && len(all)+len(none) > 0 || contains(some, in)) && !contains(none, in)
	}, nil
}

// nextTerm takes one term from the front of a pattern: its mark (?, - or 0), its text, and what follows.
func nextTerm(p string) (kind byte, term, rest string, err error) {
	if p[0] == '?' || p[0] == '-' {
		kind, p = p[0], p[1:]
	}
	if p == "" {
		return 0, "", "", invalid("Invalid filter pattern: a mark without a term.")
	}
	if p[0] != '"' {
		term, rest, _ = strings.Cut(p, " ")
		return kind, term, rest, nil
	}
	var b strings.Builder
	for i := 1; i < len(p); i++ {
		switch {
		case p[i] == '\\' && i+1 < len(p):
			i++
			b.WriteByte(p[i])
		case p[i] == '"':
			return kind, b.String(), p[i+1:], nil
		default:
			b.WriteByte(p[i])
		}
	}
	return 0, "", "", invalid("Invalid filter pattern: a quoted phrase has no end.")
}

func every(terms []string, in func(string) bool) bool {
	for _, t := range terms {
		if !in(t) {
			return false
		}
	}
	return true
}

func contains(terms []string, in func(string) bool) bool {
	return slices.ContainsFunc(terms, in)
}
