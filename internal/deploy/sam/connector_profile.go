package sam

import (
	"regexp"
	"strings"
	gounicode "unicode"
)

// variable is a part of a connector profile that is filled in.
type variable struct {
	name string
	v    any
}

type missingError string

func (m missingError) Error() string { return string(m) + " is missing." }

var substitutable = regexp.MustCompile(`\$\{.+\}`)

// fill copies a part of a profile with its variables, %{Source.Arn} and the like, filled in.
func fill(v any, variables []variable) (any, error) {
	switch x := v.(type) {
	case *dict:
		out := newDict()
		for k, e := range x.all() {
			filled, err := fill(e, variables)
			if err != nil {
				return nil, err
			}
			out.set(k, filled)
		}
		return out, nil
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			var err error
			if out[i], err = fill(e, variables); err != nil {
				return nil, err
			}
		}
		return out, nil
	case string:
		return fillText(x, variables)
	}
	return v, nil
}

func fillText(s string, variables []variable) (any, error) {
	values := newDict()
	for _, v := range variables {
		mark := "%{" + v.name + "}"
		if !strings.Contains(s, mark) {
			continue
		}
		if v.v == nil {
			return nil, missingError(v.name)
		}
		if s == mark {
			return v.v, nil
		}
		plain := strings.Map(func(c rune) rune {
			if gounicode.IsLetter(c) || gounicode.IsNumber(c) {
				return c
			}
			return -1
		}, v.name)
		s = strings.ReplaceAll(s, mark, "${"+plain+"}")
		values.set(plain, v.v)
	}
	switch {
	case !substitutable.MatchString(s):
		return s, nil
	case values.len() == 0:
		return sub(s), nil
	}
	return dictOf("Fn::Sub", []any{s, values}), nil
}
