package insights

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// aggregate is an aggregate in a stats command.
type aggregate struct {
	of   expression
	make func() aggregator
	// every tells that it looks at every row, also at those without a value.
	every bool
}

// name is the column in which the n-th aggregate of a command gives its result to the expressions around it; no query can name it.
func (aggregate) name(n int) string { return "\x00" + strconv.Itoa(n) }

// aggregator takes values, and returns how many bytes it keeps of one.
type aggregator interface {
	add(v any, r *row) (kept int)
	result() any
}

// aggregatorKind is how an aggregate is made: of the percentile that it asks for, if it takes one.
type aggregatorKind struct {
	percentile bool
	isTime     bool // when its values are
	make       func(percent float64) aggregator
}

// aggregators are the aggregates by their names in lower case
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html).
var aggregators = map[string]aggregatorKind{
	"count":          {make: func(float64) aggregator { return &sum{one: true} }},
	"count_distinct": {make: func(float64) aggregator { return &distinct{seen: map[string]bool{}} }},
	"sum":            {make: func(float64) aggregator { return &sum{} }},
	"avg":            {make: func(float64) aggregator { return &moments{answer: (*moments).mean} }},
	"stddev":         {make: func(float64) aggregator { return &moments{answer: (*moments).deviation} }},
	"pct":            {percentile: true, make: func(percent float64) aggregator { return &percentile{percent: percent} }},
	"min":            {isTime: true, make: func(float64) aggregator { return &first{before: less} }},
	"max":            {isTime: true, make: func(float64) aggregator { return &first{before: more} }},
	"sortsfirst":     {isTime: true, make: func(float64) aggregator { return &first{before: less} }},
	"sortslast":      {isTime: true, make: func(float64) aggregator { return &first{before: more} }},
	"earliest":       {isTime: true, make: func(float64) aggregator { return &first{before: less, byTime: true} }},
	"latest":         {isTime: true, make: func(float64) aggregator { return &first{before: atLeast, byTime: true} }},
}

func less(c int) bool    { return c < 0 }
func more(c int) bool    { return c > 0 }
func atLeast(c int) bool { return c >= 0 }

// aggregate reads the arguments of an aggregate, whose name and bracket are taken.
func (p *parser) aggregate(name token, kind aggregatorKind) expression {
	a := aggregate{}
	all := p.aggregates
	p.aggregates = nil // one in another is none
	if strings.EqualFold(name.text, "count") && (p.take("*") || p.is(")")) {
		a.of, a.every = constant(nil), true
	} else {
		a.of = p.expression()
	}
	percent := 0.0
	if kind.percentile {
		p.expect(",")
		v := p.operand()
		percent, _ = num(v.value(&row{}))
		if percent <= 0 || percent > 100 {
			p.fail("a percentile is more than 0 and at most 100")
		}
	}
	p.expect(")")
	p.aggregates = all
	a.make = func() aggregator { return kind.make(percent) }
	result := fieldOf(a.name(len(*all)))
	result.time, result.field = kind.isTime && a.of.time, ""
	*all = append(*all, a)
	return result
}

// sum adds numbers, or counts values.
type sum struct {
	one   bool
	total float64
}

func (s *sum) add(v any, _ *row) int {
	if s.one {
		s.total++
	} else if n, ok := num(v); ok {
		s.total += n
	}
	return 0
}

func (s *sum) result() any { return s.total }

type distinct struct{ seen map[string]bool }

func (d *distinct) add(v any, _ *row) int {
	text := shown(v, false)
	if d.seen[text] {
		return 0
	}
	d.seen[text] = true
	return len(text) + 64
}

func (d *distinct) result() any { return float64(len(d.seen)) }

// moments keeps the mean and the squares of the distances from it (Welford's method).
type moments struct {
	n, center, squares float64
	answer             func(m *moments) float64
}

func (m *moments) add(v any, _ *row) int {
	if x, ok := num(v); ok {
		m.n++
		d := x - m.center
		m.center += d / m.n
		m.squares += d * (x - m.center)
	}
	return 0
}

func (m *moments) mean() float64      { return m.center }
func (m *moments) deviation() float64 { return math.Sqrt(m.squares / m.n) }

func (m *moments) result() any {
	if m.n == 0 {
		return nil
	}
	return m.answer(m)
}

// percentile keeps all numbers.
type percentile struct {
	percent float64
	values  []float64
}

func (p *percentile) add(v any, _ *row) int {
	if x, ok := num(v); ok {
		p.values = append(p.values, x)
		return 16
	}
	return 0
}

// result returns the smallest number that so many percent of all do not exceed.
func (p *percentile) result() any {
	if len(p.values) == 0 {
		return nil
	}
	slices.Sort(p.values)
	return p.values[max(int(math.Ceil(p.percent/100*float64(len(p.values))))-1, 0)]
}

// first keeps the value that comes first in an order, of the values or of the times of their events.
type first struct {
	before func(c int) bool
	byTime bool
	value  any
	at     any
}

func (f *first) add(v any, r *row) int {
	by := v
	if f.byTime {
		by = r.get("@timestamp")
	}
	if f.at != nil && !f.before(compare(by, f.at)) {
		return 0
	}
	kept := len(shown(v, false)) - len(shown(f.value, false))
	f.value, f.at = v, by
	return max(kept, 0)
}

func (f *first) result() any { return f.value }
