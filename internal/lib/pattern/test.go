package pattern

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/glob"
)

// op is what a test does with a value.
type op uint8

const (
	opText       op = iota // a string equal to text
	opLiteral              // true, false, null, or a number written like text
	opNumber               // a number equal to low, or written like text
	opFold                 // a string equal to text but for case
	opPrefix               // a string that begins with text
	opSuffix               // a string that ends with text
	opPrefixFold           // the same but for case
	opSuffixFold
	opCIDR     // an address in net
	opWildcard // a string that glob matches
	opRange    // a number from low to high
	opNot      // a value that passes none of not
	opExists   // any value
	opAbsent   // no value at all
)

// test is one alternative of a field.
type test struct {
	op                op
	text              string
	low, high         float64
	openLow, openHigh bool
	net               netip.Prefix
	glob              glob.Pattern
	not               []test
}

// equalText is the test of a string in a list. What looks like an address stands for it in all its notations.
func equalText(s string) test {
	if looksV4.MatchString(s) || looksV6.MatchString(s) {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return test{op: opCIDR, text: s, net: netip.PrefixFrom(a, a.BitLen())}
		}
	}
	return test{op: opText, text: s}
}

// equalNumber is the test of a number in a list; one that has no exact counterpart in 64 bits is compared as it is written.
func equalNumber(s string) test {
	if n, ok := parseNumber(s); ok {
		return test{op: opNumber, low: n, text: s}
	}
	return test{op: opLiteral, text: s}
}

// infinity bounds ranges that are open at an end; no JSON number is beyond.
const infinity = 1.7976931348623157e308

// bounded is the range of an operator and a number.
func bounded(operator string, n float64) test {
	r := test{op: opRange, low: -infinity, high: infinity}
	switch operator {
	case "=":
		return test{op: opNumber, low: n}
	case ">", ">=":
		r.low, r.openLow = n, operator == ">"
	default:
		r.high, r.openHigh = n, operator == "<"
	}
	return r
}

// passes tells whether a value passes. opAbsent is not a question about values and never does.
func (t *test) passes(v *value) bool {
	text := v.kind == stringValue
	switch t.op {
	case opText:
		return text && string(v.text) == t.text
	case opLiteral:
		return !text && string(v.text) == t.text
	case opNumber:
		return v.exact && v.number == t.low || v.kind == numberValue && t.text != "" && string(v.text) == t.text
	case opFold:
		return text && string(v.folded()) == t.text
	case opPrefix:
		return text && len(v.text) >= len(t.text) && string(v.text[:len(t.text)]) == t.text
	case opSuffix:
		return text && len(v.text) >= len(t.text) && string(v.text[len(v.text)-len(t.text):]) == t.text
	case opPrefixFold:
		return text && bytes.HasPrefix(v.folded(), []byte(t.text))
	case opSuffixFold:
		return text && bytes.HasSuffix(v.folded(), []byte(t.text))
	case opCIDR:
		return v.addr().IsValid() && t.net.Contains(v.addr())
	case opWildcard:
		return text && t.glob.Match(string(v.text))
	case opRange:
		return v.exact && (v.number > t.low || v.number == t.low && !t.openLow) && (v.number < t.high || v.number == t.high && !t.openHigh)
	case opNot:
		for i := range t.not {
			if t.not[i].passes(v) {
				return false
			}
		}
		return true
	case opExists:
		return true
	case opAbsent:
	}
	return false
}

// fold is the form of a text in which case makes no difference.
func fold(s string) string { return strings.ToLower(s) }

// parseNumber returns a JSON number's value in 64 bits, and whether that is the number: its shortest notation has the same digits.
func parseNumber(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, false
	}
	if len(s) <= 15 {
		return f, true // every decimal of 15 digits comes back from its 64 bits
	}
	var buf [32]byte
	d1, e1 := digits(s)
	d2, e2 := digits(string(strconv.AppendFloat(buf[:0], f, 'e', -1, 64)))
	return f, d1 == d2 && (e1 == e2 || d1 == "")
}

// digits takes a decimal apart: its significant digits without zeros at either end, and the power of ten of the first.
func digits(s string) (string, int) {
	s = strings.TrimPrefix(s, "-")
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil {
			return s, 0 // an exponent beyond all bounds: no number of 64 bits has it
		}
		exponent, s = n, s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	exponent += len(whole) - 1
	all := whole + fraction
	trimmed := strings.TrimLeft(all, "0")
	exponent -= len(all) - len(trimmed)
	return strings.TrimRight(trimmed, "0"), exponent
}
