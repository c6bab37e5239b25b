package template

import (
	"math"
	"strconv"
	"strings"
)

// shortTags maps the YAML tags of CloudFormation to the long names of what they stand for, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html.
var shortTags = map[string]string{
	"Ref": "Ref", "Condition": "Condition",
	"Base64": "Fn::Base64", "Cidr": "Fn::Cidr", "FindInMap": "Fn::FindInMap", "GetAtt": "Fn::GetAtt", "GetAZs": "Fn::GetAZs",
	"ImportValue": "Fn::ImportValue", "Join": "Fn::Join", "Select": "Fn::Select", "Split": "Fn::Split", "Sub": "Fn::Sub",
	"Transform": "Fn::Transform", "And": "Fn::And", "Equals": "Fn::Equals", "If": "Fn::If", "Not": "Fn::Not", "Or": "Fn::Or",
	"Length": "Fn::Length", "ToJsonString": "Fn::ToJsonString", "ForEach": "Fn::ForEach",
	"Contains": "Fn::Contains", "EachMemberEquals": "Fn::EachMemberEquals", "EachMemberIn": "Fn::EachMemberIn",
	"RefAll": "Fn::RefAll", "ValueOf": "Fn::ValueOf", "ValueOfAll": "Fn::ValueOfAll", "GetStackOutput": "Fn::GetStackOutput",
}

// scalar resolves a YAML scalar by the rules of YAML 1.1, without its timestamps and binaries.
func scalar(s string, quoted bool) any {
	if quoted {
		return s
	}
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
		return true
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
		return false
	}
	if c := s[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		return s
	}
	if v, ok := integer(s); ok {
		return v
	}
	if v, ok := float(s); ok {
		return v
	}
	return s
}

// integer reads the integers of YAML 1.1: decimal, octal with a leading 0, 0x, 0b, and base 60 with colons.
func integer(s string) (any, bool) {
	digits, negative := strings.TrimLeft(s, "+-"), strings.HasPrefix(s, "-")
	if len(s)-len(digits) > 1 || digits == "" || digits[0] == '_' {
		return nil, false
	}
	text, base := strings.ReplaceAll(digits, "_", ""), 10
	switch {
	case strings.Contains(text, ":"):
		return sexagesimal(text, negative)
	case strings.HasPrefix(text, "0x"):
		text, base = text[2:], 16
	case strings.HasPrefix(text, "0b"):
		text, base = text[2:], 2
	case len(text) > 1 && text[0] == '0':
		text, base = text[1:], 8
	}
	v, err := strconv.ParseInt(text, base, 64)
	if err != nil || text[0] == '+' || text[0] == '-' {
		return nil, false
	}
	if negative {
		v = -v
	}
	return v, true
}

func sexagesimal(text string, negative bool) (any, bool) {
	var v int64
	for i, part := range strings.Split(text, ":") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil || (i > 0 && n > 59) || (i > 0 && len(part) > 2) || (i == 0 && part[0] == '0') || v > math.MaxInt64/120 {
			return nil, false
		}
		v = v*60 + int64(n)
	}
	if negative {
		v = -v
	}
	return v, true
}

// float reads the floats of YAML 1.1, which need a point.
func float(s string) (any, bool) {
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case ".inf":
		if s[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case ".nan":
		return math.NaN(), true
	}
	if !strings.Contains(s, ".") || strings.ContainsAny(s, "xXpPnNiI:") {
		return nil, false
	}
	if e := strings.IndexAny(s, "eE"); e >= 0 && (e+1 >= len(s) || (s[e+1] != '+' && s[e+1] != '-')) {
		return nil, false
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil {
		return nil, false
	}
	return v, true
}

// number reads a JSON number; one that fits neither an int64 nor a float64 stays a string.
func number(s string) any {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		return v
	}
	return s
}

// Text returns the string that CloudFormation makes of a scalar where it needs a string.
func Text(v any) (string, bool) {
	switch t := v.(type) {
	case string:
		return t, true
	case bool:
		return strconv.FormatBool(t), true
	case int64:
		return strconv.FormatInt(t, 10), true
	case int:
		return strconv.Itoa(t), true
	case float64:
		return floatText(t), true
	}
	return "", false
}

// floatText writes a float in the shortest form that reads back the same, with a point, as Python's repr does.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	abs := math.Abs(f)
	if abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		return s
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
