package iam

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/lib/glob"
)

// Context tells the condition keys of a request. Few requests meet a policy that asks for any.
type Context interface {
	// Values returns the values of a key, which is in lower case. A key without values counts as absent.
	Values(key string) []string
}

// Keys is a context of which all is known, by keys in lower case.
type Keys map[string][]string

// Values implements [Context].
func (k Keys) Values(key string) []string { return k[key] }

// quantifier is the set operator of a condition.
type quantifier uint8

const (
	single quantifier = iota
	forAll
	forAny
)

// class is the type by which values are compared.
type class uint8

const (
	classString class = iota
	classStringFold
	classStringLike
	classNumeric
	classDate
	classBool
	classBinary
	classIP
	classARN
	classNull
)

// relation is how the value of the request stands to that of the policy.
type relation uint8

const (
	equal relation = iota
	less
	lessEqual
	greater
	greaterEqual
)

// operator is a condition operator without its set prefix and IfExists.
type operator struct {
	class   class
	rel     relation
	negated bool
}

// operatorOf returns the operator of a lower-case name.
func operatorOf(name string) (operator, bool) {
	for _, fam := range [...]struct {
		prefix string
		class  class
	}{{"numeric", classNumeric}, {"date", classDate}} {
		rel, ok := strings.CutPrefix(name, fam.prefix)
		if !ok {
			continue
		}
		switch rel {
		case "equals":
			return operator{fam.class, equal, false}, true
		case "notequals":
			return operator{fam.class, equal, true}, true
		case "lessthan":
			return operator{fam.class, less, false}, true
		case "lessthanequals":
			return operator{fam.class, lessEqual, false}, true
		case "greaterthan":
			return operator{fam.class, greater, false}, true
		case "greaterthanequals":
			return operator{fam.class, greaterEqual, false}, true
		}
		return operator{}, false
	}
	switch name {
	case "stringequals":
		return operator{class: classString}, true
	case "stringnotequals":
		return operator{class: classString, negated: true}, true
	case "stringequalsignorecase":
		return operator{class: classStringFold}, true
	case "stringnotequalsignorecase":
		return operator{class: classStringFold, negated: true}, true
	case "stringlike":
		return operator{class: classStringLike}, true
	case "stringnotlike":
		return operator{class: classStringLike, negated: true}, true
	case "bool":
		return operator{class: classBool}, true
	case "binaryequals":
		return operator{class: classBinary}, true
	case "ipaddress":
		return operator{class: classIP}, true
	case "notipaddress":
		return operator{class: classIP, negated: true}, true
	case "arnequals", "arnlike":
		return operator{class: classARN}, true
	case "arnnotequals", "arnnotlike":
		return operator{class: classARN, negated: true}, true
	case "null":
		return operator{class: classNull}, true
	}
	return operator{}, false
}

// condition is one compiled key of a Condition element.
type condition struct {
	quant    quantifier
	op       operator
	ifExists bool
	// key is lower case, name as written.
	key, name string
	values    []value
}

// value is one compiled value of a policy. Which field counts follows from the class.
type value struct {
	text   string
	parts  []part // variables, or escaped wildcards
	glob   glob.Pattern
	number float64
	time   time.Time
	prefix netip.Prefix
	arn    resource
	flag   bool
}

// compileValue prepares a value of the class. ok is false when it is not of that type.
func compileValue(c class, s string, vars bool) (v value, ok bool) {
	v.text = s
	if vars && strings.Contains(s, "${") {
		if v.parts, ok = split(s); !ok {
			return v, false
		}
		if c == classARN {
			v.arn, ok = compileResource(s, true)
			return v, ok
		}
		if dynamic(v.parts) {
			return v, c == classString || c == classStringFold || c == classStringLike
		}
		v.glob, _ = pattern(v.parts, nil, c == classStringLike)
		var b strings.Builder
		for _, p := range v.parts {
			b.WriteString(p.text)
		}
		v.text = b.String()
		v.parts = nil
		if c == classStringLike {
			return v, true
		}
	}
	return v, v.fix(c)
}

// fix fills the field of the class from the text.
func (v *value) fix(c class) bool {
	var err error
	switch c {
	case classStringLike:
		v.glob = glob.Compile(v.text)
	case classNumeric:
		v.number, err = strconv.ParseFloat(v.text, 64)
	case classDate:
		v.time, err = parseDate(v.text)
	case classBool, classNull:
		v.flag = strings.EqualFold(v.text, "true")
		return v.flag || strings.EqualFold(v.text, "false")
	case classBinary:
		_, err = base64.StdEncoding.DecodeString(v.text)
	case classIP:
		v.prefix, err = parsePrefix(v.text)
	case classARN:
		v.arn, _ = compileResource(v.text, false)
	case classString, classStringFold:
	}
	return err == nil
}

// parsePrefix reads a CIDR range or a single address.
func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}

// parseDate reads ISO 8601 or seconds since the epoch.
func parseDate(s string) (time.Time, error) {
	if secs, err := strconv.ParseFloat(s, 64); err == nil {
		if secs > 1e11 || secs < -1e11 { // milliseconds
			secs /= 1000
		}
		return time.UnixMilli(int64(secs * 1000)), nil
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "20060102T150405Z"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Parse(time.DateOnly, s)
}

// match evaluates the condition.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func (c *condition) match(ctx Context) bool {
	have := ctx.Values(c.key)
	if c.op.class == classNull {
		for i := range c.values {
			if c.values[i].flag == (len(have) == 0) {
				return true
			}
		}
		return false
	}
	if len(have) == 0 {
		switch {
		case c.ifExists || c.quant == forAll:
			return true
		case c.quant == forAny:
			return false
		}
		return c.op.negated
	}
	switch c.quant {
	case forAll:
		for _, h := range have {
			if c.any(h, ctx) == c.op.negated {
				return false
			}
		}
		return true
	case forAny:
		for _, h := range have {
			if c.any(h, ctx) != c.op.negated {
				return true
			}
		}
		return false
	case single:
	}
	for _, h := range have {
		if c.any(h, ctx) {
			return !c.op.negated
		}
	}
	return c.op.negated
}

// any reports whether a value of the request equals (or stands in the relation to) any value of
// the policy, before negation.
func (c *condition) any(have string, ctx Context) bool {
	for i := range c.values {
		if c.values[i].match(c.op, have, ctx) {
			return true
		}
	}
	return false
}

func (v *value) match(op operator, have string, ctx Context) bool {
	if v.parts != nil && op.class != classARN {
		g, ok := pattern(v.parts, ctx, op.class == classStringLike)
		if !ok {
			return false
		}
		if op.class == classStringFold {
			return strings.EqualFold(g.Prefix(), have)
		}
		return g.Match(have)
	}
	switch op.class {
	case classString, classBinary:
		return have == v.text
	case classStringFold:
		return strings.EqualFold(have, v.text)
	case classStringLike:
		return v.glob.Match(have)
	case classNumeric:
		n, err := strconv.ParseFloat(have, 64)
		return err == nil && related(op.rel, compare(n, v.number))
	case classDate:
		t, err := parseDate(have)
		return err == nil && related(op.rel, t.Compare(v.time))
	case classBool:
		return strings.EqualFold(have, v.text)
	case classIP:
		a, err := netip.ParseAddr(have)
		return err == nil && v.prefix.Contains(a.Unmap().WithZone(""))
	case classARN:
		return v.arn.match(have, ctx)
	case classNull:
	}
	return false
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func related(rel relation, c int) bool {
	switch rel {
	case equal:
		return c == 0
	case less:
		return c < 0
	case lessEqual:
		return c <= 0
	case greater:
		return c > 0
	case greaterEqual:
		return c >= 0
	}
	return false
}
