package pattern

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// operatorNames cannot be fields of an alternative of `$or`; some are reserved for later.
var operatorNames = []string{
	"exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr", "=", "<", "<=", ">", ">=",
	"regex", "not-wildcard", "not-equals-ignore-case", "date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range",
	"ip-address-in-range", "ip-address-not-in-range",
}

// expression reads a match expression whose opening brace has been read.
func (c *compiler) expression() (test, *Error) {
	t, err := c.next()
	if err != nil {
		return test{}, err
	}
	if t.kind != fieldName {
		return test{}, c.fail(t.at, "Match expression name not found")
	}
	name := t.text
	if name == "wildcard" && c.dialect == SNS {
		return test{}, c.fail(t.at, "Unrecognized match type %s", name)
	}
	if t, err = c.next(); err != nil {
		return test{}, err
	}
	var made test
	switch name {
	case "exactly":
		made, err = c.ofString(t, "exact match pattern must be a string", equalText)
	case "prefix", "suffix":
		made, err = c.affix(name, t)
	case "equals-ignore-case":
		made, err = c.ofString(t, "equals-ignore-case match pattern must be a string", func(s string) test { return test{op: opFold, text: fold(s)} })
	case "wildcard":
		made, err = c.wildcard(t)
	case "cidr":
		made, err = c.cidr(t)
	case "exists":
		if t.kind != literalValue || t.text == "null" {
			return test{}, c.fail(t.at, "exists match pattern must be either true or false.")
		}
		made = test{op: opAbsent}
		if t.text == "true" {
			made.op = opExists
		}
	case "numeric":
		made, err = c.numeric(t)
		if err == nil {
			return made, c.close("Too many elements in numeric expression")
		}
	case "anything-but":
		made, err = c.anythingBut(t)
		if err == nil {
			return made, c.close("Too many elements in numeric expression")
		}
	default:
		return test{}, c.fail(t.at, "Unrecognized match type %s", name)
	}
	if err != nil {
		return test{}, err
	}
	return made, c.close("Only one key allowed in match expression")
}

// close reads the end of an object and fails with message for anything else.
func (c *compiler) close(message string) *Error {
	t, err := c.next()
	if err == nil && t.kind != endObject {
		err = c.fail(t.at, "%s", message)
	}
	return err
}

// ofString makes a test of a string.
func (c *compiler) ofString(t token, message string, build func(string) test) (test, *Error) {
	if t.kind != stringValue {
		return test{}, c.fail(t.at, "%s", message)
	}
	return build(t.text), nil
}

// affix reads the value of prefix or suffix.
func (c *compiler) affix(name string, t token) (test, *Error) {
	op, folded := opPrefix, opPrefixFold
	if name == "suffix" {
		op, folded = opSuffix, opSuffixFold
	}
	if t.kind != beginObject || c.dialect == SNS {
		return c.ofString(t, name+" match pattern must be a string", func(s string) test { return test{op: op, text: s} })
	}
	inner, err := c.next()
	if err != nil {
		return test{}, err
	}
	if inner.kind != fieldName {
		return test{}, c.fail(inner.at, "%s expression name not found", strings.ToUpper(name[:1])+name[1:])
	}
	if inner.text != "equals-ignore-case" {
		return test{}, c.fail(inner.at, "Unsupported %s pattern: %s", name, inner.text)
	}
	if t, err = c.next(); err != nil {
		return test{}, err
	}
	made, err := c.ofString(t, "equals-ignore-case match pattern must be a string", func(s string) test { return test{op: folded, text: fold(s)} })
	if err == nil {
		err = c.close("Only one key allowed in match expression")
	}
	return made, err
}

func (c *compiler) wildcard(t token) (test, *Error) {
	made, err := c.ofString(t, "wildcard match pattern must be a string", func(s string) test { return test{op: opWildcard, text: s} })
	if err == nil {
		made.glob, err = c.glob(t)
	}
	return made, err
}

var (
	looksV4 = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$`)
	looksV6 = regexp.MustCompile(`^[0-9a-fA-F:]*:[0-9a-fA-F:]*$`)
)

// cidr reads an address block. These errors come without a place.
func (c *compiler) cidr(t token) (test, *Error) {
	if t.kind != stringValue {
		return test{}, c.fail(t.at, "prefix match pattern must be a string")
	}
	host, mask, ok := strings.Cut(t.text, "/")
	if !ok || host == "" || mask == "" || strings.Contains(mask, "/") {
		return test{}, plain("Malformed CIDR, one '/' required")
	}
	bits, err := strconv.Atoi(mask)
	switch {
	case err != nil:
		return test{}, plain("Malformed CIDR, mask bits must be an integer")
	case bits < 0:
		return test{}, plain("Malformed CIDR, mask bits must not be negative")
	case !looksV4.MatchString(host) && !looksV6.MatchString(host):
		return test{}, plain("Nonstandard IP address: %s", host)
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return test{}, plain("Invalid IP address: %s", host)
	case addr.Is4() && bits > 31:
		return test{}, plain("IPv4 mask bits must be < 32")
	case bits > 127:
		return test{}, plain("IPv6 mask bits must be < 128")
	}
	return test{op: opCIDR, net: netip.PrefixFrom(addr, bits).Masked()}, nil
}

// numeric reads the value of numeric.
func (c *compiler) numeric(t token) (test, *Error) {
	if t.kind != beginArray {
		return test{}, c.fail(t.at, "Value of numeric must be an array.")
	}
	t, err := c.next()
	if err != nil {
		return test{}, err
	}
	if t.kind != stringValue {
		return test{}, c.fail(t.at, "Invalid member in numeric match: %s", shown(t))
	}
	switch t.text {
	case "=", "<", "<=", ">", ">=":
	default:
		at := t.end
		if behind, err := c.next(); err == nil { // the operator is looked at when its number has been read
			at = behind.end
		}
		return test{}, c.fail(at, "Unrecognized numeric range operator: %s", t.text)
	}
	operator := t.text
	n, err := c.number(operator)
	if err != nil {
		return test{}, err
	}
	if t, err = c.next(); err != nil {
		return test{}, err
	}
	if t.kind == endArray {
		return bounded(operator, n), nil
	}
	if operator != ">" && operator != ">=" {
		return test{}, c.fail(t.at, "Too many elements in numeric expression")
	}
	return c.upper(t, bounded(operator, n))
}

// number reads the number behind an operator.
func (c *compiler) number(operator string) (float64, *Error) {
	t, err := c.next()
	if err != nil {
		return 0, err
	}
	if operator == "=" {
		operator = "equals"
	}
	if t.kind != numberValue {
		return 0, c.fail(t.at, "Value of %s must be numeric", operator)
	}
	n, ok := parseNumber(t.text)
	if !ok {
		return 0, c.fail(t.at, "Cannot compare number : %s", t.text)
	}
	return n, nil
}

// upper reads the upper bound of a range; t is the token behind the lower one.
func (c *compiler) upper(t token, r test) (test, *Error) {
	if t.kind != stringValue {
		return test{}, c.fail(t.at, "Bad value in numeric range: %s", shown(t))
	}
	operator := t.text
	if operator != "<" && operator != "<=" {
		return test{}, c.fail(t.end, "Bad numeric range operator: %s", operator)
	}
	high, err := c.number(operator)
	if err != nil {
		return test{}, err
	}
	if t, err = c.next(); err != nil {
		return test{}, err
	}
	if t.kind != endArray {
		return test{}, c.fail(t.at, "Too many terms in numeric range expression")
	}
	if r.low >= high {
		return test{}, c.fail(t.at, "Bottom must be less than top")
	}
	r.high, r.openHigh = high, operator == "<"
	return r, nil
}

// shown is a token as AWS repeats it.
func shown(t token) string {
	switch t.kind {
	case beginObject:
		return "{"
	case endObject:
		return "}"
	case beginArray:
		return "["
	case endArray:
		return "]"
	}
	return t.text
}
