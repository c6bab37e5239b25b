package insights

import (
	"math"
	"strings"
	"unicode/utf8"
)

// function is a function of values. A function is given as many as it takes, or at least as many when it takes more.
type function struct {
	arguments int
	more      bool
	time      bool
	call      func(v []any) any
}

func ofText(f func(s string) any) function {
	return function{arguments: 1, call: func(v []any) any {
		if v[0] == nil {
			return nil
		}
		return f(shown(v[0], false))
	}}
}

func ofNumber(f func(x float64) float64) function {
	return function{arguments: 1, call: func(v []any) any {
		x, ok := num(v[0])
		if y := f(x); ok && !math.IsNaN(y) && !math.IsInf(y, 0) {
			return y
		}
		return nil
	}}
}

// choose returns the value that comes before all others in an order.
func choose(before func(c int) bool) function {
	return function{arguments: 1, more: true, call: func(v []any) any {
		var best any
		for _, x := range v {
			if _, ok := num(x); ok && (best == nil || before(compare(x, best))) {
				best = x
			}
		}
		return best
	}}
}

// cutset trims with the characters of a second value, or white space.
func cutset(trim func(s, cut string) string) function {
	return function{arguments: 1, more: true, call: func(v []any) any {
		if v[0] == nil {
			return nil
		}
		cut := " \t\r\n"
		if len(v) > 1 {
			cut = shown(v[1], false)
		}
		return trim(shown(v[0], false), cut)
	}}
}

// functions are the functions of values by their names in lower case
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html).
func functions() map[string]function {
	return map[string]function{
		"abs": ofNumber(math.Abs), "ceil": ofNumber(math.Ceil), "floor": ofNumber(math.Floor), "log": ofNumber(math.Log), "sqrt": ofNumber(math.Sqrt),
		"greatest": choose(func(c int) bool { return c > 0 }), "least": choose(func(c int) bool { return c < 0 }),
		"strlen":  ofText(func(s string) any { return float64(utf8.RuneCountInString(s)) }),
		"tolower": ofText(func(s string) any { return strings.ToLower(s) }), "toupper": ofText(func(s string) any { return strings.ToUpper(s) }),
		"trim": cutset(strings.Trim), "ltrim": cutset(strings.TrimLeft), "rtrim": cutset(strings.TrimRight),
		"isempty":   {arguments: 1, call: func(v []any) any { return truth(v[0] == nil || v[0] == "") }},
		"isblank":   {arguments: 1, call: func(v []any) any { return truth(v[0] == nil || strings.TrimSpace(shown(v[0], false)) == "") }},
		"ispresent": {arguments: 1, call: func(v []any) any { return truth(v[0] != nil) }},
		"coalesce":  {arguments: 1, more: true, call: coalesce},
		"concat":    {arguments: 1, more: true, call: concat},
		"strcontains": {arguments: 2, call: func(v []any) any {
			return truth(v[0] != nil && strings.Contains(shown(v[0], false), shown(v[1], false)))
		}},
		"replace": {arguments: 3, call: func(v []any) any {
			if v[0] == nil {
				return nil
			}
			return strings.ReplaceAll(shown(v[0], false), shown(v[1], false), shown(v[2], false))
		}},
		"substr":     {arguments: 2, more: true, call: substr},
		"frommillis": {arguments: 1, time: true, call: func(v []any) any { return numberOrNil(v[0]) }},
		"tomillis":   {arguments: 1, call: func(v []any) any { return numberOrNil(v[0]) }},
	}
}

func numberOrNil(v any) any {
	if n, ok := num(v); ok {
		return n
	}
	return nil
}

func coalesce(v []any) any {
	for _, x := range v {
		if x != nil {
			return x
		}
	}
	return nil
}

func concat(v []any) any {
	var b strings.Builder
	for _, x := range v {
		b.WriteString(shown(x, false))
	}
	return b.String()
}

// substr returns a part of a text, from a character on, and at most so many.
func substr(v []any) any {
	from, ok := num(v[1])
	if v[0] == nil || !ok {
		return nil
	}
	s := []rune(shown(v[0], false))
	s = s[min(max(int(from), 0), len(s)):]
	if len(v) > 2 {
		n, ok := num(v[2])
		if !ok {
			return nil
		}
		s = s[:min(max(int(n), 0), len(s))]
	}
	return string(s)
}

// units are those of periods, in milliseconds.
var units = map[string]float64{
	"ms": 1, "s": 1e3, "sec": 1e3, "second": 1e3, "m": 60e3, "min": 60e3, "minute": 60e3, "h": 3600e3, "hr": 3600e3, "hour": 3600e3, "d": 86400e3, "day": 86400e3, "w": 7 * 86400e3, "week": 7 * 86400e3,
}

// period reads a period such as 5m, in milliseconds.
func (p *parser) period() float64 {
	e, unit := p.operand(), p.tok
	n, _ := num(e.value(&row{}))
	ms, ok := units[unit.text]
	if !ok {
		ms, ok = units[strings.TrimSuffix(unit.text, "s")]
	}
	if unit.kind != word || !ok || n < 1 {
		p.fail("unexpected %s: a period such as 5m or 1h was expected", unit.shown())
		return 1
	}
	p.advance()
	return n * ms
}

// function reads a function, whose name is taken. When a command before has made a column of the same text, that is meant.
func (p *parser) function(name token) expression {
	before, failed := *p, p.err
	e := p.computed(name)
	text := p.query[name.from:p.last]
	if _, made := p.columns[text]; made && p.aggregates == nil {
		return p.field(text)
	}
	if p.err == nil || failed != nil || p.aggregates != nil {
		return e
	}
	// What is no function of values may be such a column: count(*).
	made := ""
	for column := range p.columns {
		if strings.HasPrefix(p.query[name.from:], column) && len(column) > len(made) {
			made = column
		}
	}
	if !strings.HasSuffix(made, ")") {
		return e
	}
	*p = before
	p.at, p.value = name.from+len(made), true
	p.advance()
	return p.field(made)
}

// computed reads the arguments of a function.
func (p *parser) computed(name token) expression {
	p.expect("(")
	lower := strings.ToLower(name.text)
	switch lower {
	case "bin":
		width := p.period()
		p.expect(")")
		return binned(fieldOf("@timestamp"), width, math.Floor)
	case "datefloor", "dateceil":
		of := p.expression()
		p.expect(",")
		width := p.period()
		p.expect(")")
		if lower == "dateceil" {
			return binned(of, width, math.Ceil)
		}
		return binned(of, width, math.Floor)
	}
	if kind, ok := aggregators[lower]; ok && p.aggregates != nil {
		return p.aggregate(name, kind)
	}
	f, ok := functions()[lower]
	if !ok {
		p.err = malformed(name.from, name.to, "the function %s is not supported", name.text)
		return constant(nil)
	}
	var arguments []expression
	for p.err == nil && !p.take(")") {
		arguments = append(arguments, p.expression())
		if !p.take(",") && !p.is(")") {
			p.fail("unexpected %s in the arguments of %s", p.tok.shown(), name.text)
		}
	}
	if p.err == nil && (len(arguments) < f.arguments || len(arguments) > f.arguments && !f.more) {
		p.err = malformed(name.from, name.to, "the function %s takes %d arguments, not %d", name.text, f.arguments, len(arguments))
	}
	return expression{time: f.time, value: func(r *row) any {
		values := make([]any, len(arguments))
		for i, a := range arguments {
			values[i] = a.value(r)
		}
		return f.call(values)
	}}
}

// binned rounds times to a multiple of a width.
func binned(of expression, width float64, round func(float64) float64) expression {
	return expression{time: true, value: func(r *row) any {
		if t, ok := num(of.value(r)); ok {
			return round(t/width) * width
		}
		return nil
	}}
}
