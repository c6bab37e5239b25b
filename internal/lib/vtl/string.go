package vtl

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// units returns how many UTF-16 units, in which Java counts, the first n bytes of s are; -1 stays.
func units(s string, n int) int64 {
	if n < 0 {
		return -1
	}
	count := int64(0)
	for _, c := range s[:n] {
		count += int64(utf16.RuneLen(c))
	}
	return count
}

// substring cuts by UTF-16 units.
func substring(s string, from, to int) string {
	if ascii(s) {
		return s[from:to]
	}
	return string(utf16.Decode(utf16.Encode([]rune(s))[from:to]))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (r *run) callString(s, name string, args []any) (any, error) {
	switch name {
	case "length":
		return units(s, len(s)), nil
	case "isEmpty":
		return s == "", nil
	case "isBlank":
		return strings.TrimSpace(s) == "", nil
	case "toString", "intern":
		return s, nil
	case "trim", "strip":
		return strings.TrimFunc(s, func(c rune) bool { return c <= ' ' }), nil
	case "toLowerCase":
		return r.made(strings.ToLower(s))
	case "toUpperCase":
		return r.made(strings.ToUpper(s))
	case "substring", "charAt":
		return r.cut(s, name, args)
	case "hashCode":
		return hashCode(s), nil
	}
	texts := make([]string, len(args))
	for i, a := range args {
		var err error
		if texts[i], err = r.string(a); err != nil {
			return nil, err
		}
	}
	if test := stringTests[name]; test != nil && len(texts) == 1 {
		if name == "equals" {
			return r.same(s, args[0])
		}
		out := test(s, texts[0])
		if made, ok := out.(string); ok {
			return r.made(made)
		}
		return out, nil
	}
	return r.pattern(s, name, texts, args)
}

func (r *run) cut(s, name string, args []any) (any, error) {
	n := int(units(s, len(s)))
	to := n
	var err error
	if name == "substring" && len(args) > 1 {
		if to, err = whole(args, 1, n); err != nil {
			return nil, err
		}
	}
	from, err := whole(args, 0, to)
	if err != nil {
		return nil, err
	}
	if name == "charAt" {
		if from == n {
			return nil, errors.New("charAt is beyond the end of the string")
		}
		to = from + 1
	}
	return r.made(substring(s, from, to))
}

// hashCode is that of Java: templates use it to choose a partition.
func hashCode(s string) int64 {
	h := int32(0)
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(u)
	}
	return int64(h)
}

// pattern calls the methods that replace, match and split.
func (r *run) pattern(s, name string, texts []string, args []any) (any, error) {
	switch {
	case name == "replace" && len(texts) == 2:
		count := strings.Count(s, texts[0])
		if err := r.spend(len(s)); err != nil {
			return nil, err
		}
		if len(texts[1]) > 0 && count > r.text/len(texts[1]) {
			return nil, fmt.Errorf("%w of text made", ErrLimit)
		}
		return r.made(strings.ReplaceAll(s, texts[0], texts[1]))
	case (name == "replaceAll" || name == "replaceFirst") && len(texts) == 2:
		limit := -1
		if name == "replaceFirst" {
			limit = 1
		}
		return r.replace(s, texts[0], texts[1], limit)
	case name == "matches" && len(texts) == 1:
		re, err := r.regexp(`\A(?:` + texts[0] + `)\z`)
		if err != nil {
			return nil, err
		}
		return re.MatchString(s), nil
	case name == "split" && len(texts) > 0:
		limit := 0
		if len(args) > 1 {
			n, ok := args[1].(int64)
			if !ok {
				return nil, errors.New("the limit of split is not a whole number")
			}
			limit = int(n)
		}
		return r.split(s, texts[0], limit)
	}
	return nil, nil
}

// regexp compiles an expression once in a run.
func (r *run) regexp(text string) (*regexp.Regexp, error) {
	if re := r.regexps[text]; re != nil {
		return re, nil
	}
	if err := r.spend(16 * len(text)); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the regular expression %q is not supported: %w", text, err)
	}
	if r.regexps == nil {
		r.regexps = map[string]*regexp.Regexp{}
	}
	r.regexps[text] = re
	return re, nil
}

// split cuts a string as Java does: without a limit, empty strings at the end are left out.
func (r *run) split(s, pattern string, limit int) (any, error) {
	re, err := r.regexp(pattern)
	if err != nil {
		return nil, err
	}
	n := limit
	if n <= 0 {
		n = -1
	}
	parts := re.Split(s, n)
	if limit == 0 {
		for len(parts) > 1 && parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1]
		}
	}
	l := &List{Items: make([]any, len(parts))}
	for i, part := range parts {
		l.Items[i] = part
	}
	return l, r.step(len(parts))
}

// replace replaces matches. In the replacement $1 is a group and a backslash takes the meaning from what follows it.
func (r *run) replace(s, pattern, with string, limit int) (any, error) {
	re, err := r.regexp(pattern)
	if err != nil {
		return nil, err
	}
	matches := re.FindAllStringSubmatchIndex(s, limit)
	if err := r.step(len(matches)); err != nil {
		return nil, err
	}
	var out []byte
	from := 0
	for _, m := range matches {
		out = append(out, s[from:m[0]]...)
		from = m[1]
		for i := 0; i < len(with); i++ {
			if len(out) > r.text {
				return nil, fmt.Errorf("%w of text made", ErrLimit)
			}
			c := with[i]
			switch {
			case c == '\\' && i+1 < len(with):
				i++
				out = append(out, with[i])
			case c == '$' && i+1 < len(with) && with[i+1] >= '0' && with[i+1] <= '9':
				i++
				group := int(with[i] - '0')
				if 2*group >= len(m) {
					return nil, errors.New("the expression has no group " + strconv.Itoa(group))
				}
				if m[2*group] >= 0 {
					out = append(out, s[m[2*group]:m[2*group+1]]...)
				}
			default:
				out = append(out, c)
			}
		}
	}
	return r.made(string(append(out, s[from:]...)))
}
