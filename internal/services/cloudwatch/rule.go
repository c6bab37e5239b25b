package cloudwatch

import (
	"math"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/arn"
)

// Limits of a rule (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html, AlarmRule).
const (
	maxChildren = 100
	maxElements = 500
)

// holds tells whether a rule holds when alarms are in the states that state returns.
type holds func(state func(name string) string) bool

// rule is the rule of a composite alarm, read.
type rule struct {
	holds
	// names are the alarms that it names, in their order.
	names []string
}

// parseRule reads a rule:
//
//	ALARM("name or ARN") | OK(…) | INSUFFICIENT_DATA(…) | TRUE | FALSE | NOT r | r AND r | r OR r | (r) | AT_LEAST(2 or 50%, [NOT] ALARM, (a, b, …))
//
// NOT binds closest, then AND, then OR.
func parseRule(s scope, text string) (*rule, error) {
	if text != strings.TrimSpace(text) {
		return nil, invalid("AlarmRule must not contain leading or trailing whitespace or be null")
	}
	p := &ruleParser{scope: s, rest: text}
	h, err := p.either()
	if err == nil && p.skip() != "" {
		err = p.fail()
	}
	switch {
	case err != nil:
		return nil, err
	case p.elements > maxElements:
		return nil, invalid("AlarmRule must not contain more than %d elements", maxElements)
	}
	slices.Sort(p.names)
	p.names = slices.Compact(p.names)
	if len(p.names) > maxChildren {
		return nil, invalid("AlarmRule must not contain more than %d alarms", maxChildren)
	}
	return &rule{h, p.names}, nil
}

// ruleParser reads a rule from the left to the right.
type ruleParser struct {
	scope

	rest     string
	names    []string
	elements int
}

// skip drops white space, and returns what follows.
func (p *ruleParser) skip() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest
}

func (p *ruleParser) fail() error {
	near := []rune(p.rest)
	if len(near) == 0 {
		return invalid("Error in AlarmRule: it ends too early")
	}
	return invalid("Error in AlarmRule: unexpected text near %q", string(near[:min(len(near), 20)]))
}

// take drops a token that follows, and tells whether it does. A word must end there.
func (p *ruleParser) take(token string) bool {
	after, ok := strings.CutPrefix(p.skip(), token)
	if !ok || isWord(token[len(token)-1]) && after != "" && isWord(after[0]) {
		return false
	}
	p.rest = after
	p.elements++
	return true
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

func (p *ruleParser) either() (holds, error) {
	return p.series("OR", p.both, func(a, b holds) holds {
		return func(state func(string) string) bool { return a(state) || b(state) }
	})
}

func (p *ruleParser) both() (holds, error) {
	return p.series("AND", p.one, func(a, b holds) holds {
		return func(state func(string) string) bool { return a(state) && b(state) }
	})
}

// series reads parts with an operator between them.
func (p *ruleParser) series(operator string, part func() (holds, error), join func(a, b holds) holds) (holds, error) {
	h, err := part()
	for err == nil && p.take(operator) {
		var next holds
		if next, err = part(); err == nil {
			h = join(h, next)
		}
	}
	return h, err
}

func (p *ruleParser) one() (holds, error) {
	if p.elements > maxElements {
		return nil, invalid("AlarmRule must not contain more than %d elements", maxElements)
	}
	switch {
	case p.take("NOT"):
		h, err := p.one()
		return func(state func(string) string) bool { return !h(state) }, err
	case p.take("("):
		h, err := p.either()
		if err == nil && !p.take(")") {
			err = p.fail()
		}
		return h, err
	case p.take("TRUE"):
		return func(func(string) string) bool { return true }, nil
	case p.take("FALSE"):
		return func(func(string) string) bool { return false }, nil
	case p.take("AT_LEAST"):
		return p.atLeast()
	}
	value, err := p.state()
	if err != nil {
		return nil, err
	}
	names, err := p.list()
	if err == nil && len(names) != 1 {
		err = p.fail()
	}
	if err != nil {
		return nil, err
	}
	return func(state func(string) string) bool { return state(names[0]) == value }, nil
}

// state reads the name of a state.
func (p *ruleParser) state() (string, error) {
	for _, value := range []string{api.StateValueAlarm, api.StateValueOk, api.StateValueInsufficientData} {
		if p.take(value) {
			return value, nil
		}
	}
	return "", p.fail()
}

// atLeast reads the rest of AT_LEAST(number or percent, state, (alarms)).
func (p *ruleParser) atLeast() (holds, error) {
	if !p.take("(") {
		return nil, p.fail()
	}
	digits, after, _ := strings.Cut(p.skip(), ",")
	bare, percent := strings.CutSuffix(strings.TrimSpace(digits), "%")
	n, err := strconv.Atoi(bare)
	if err != nil || n < 1 || percent && n > 100 {
		return nil, p.fail()
	}
	p.rest = after
	not := p.take("NOT")
	value, err := p.state()
	if err != nil {
		return nil, err
	}
	if !p.take(",") {
		return nil, p.fail()
	}
	names, err := p.list()
	if err == nil && !p.take(")") {
		err = p.fail()
	}
	if err != nil {
		return nil, err
	}
	if percent {
		n = int(math.Ceil(float64(n) * float64(len(names)) / 100))
	}
	return func(state func(string) string) bool {
		found := 0
		for _, name := range names {
			if (state(name) == value) != not {
				found++
			}
		}
		return found >= n
	}, nil
}

// list reads alarms in parentheses: names or ARNs, which have quotes when they hold anything that means something in a rule.
func (p *ruleParser) list() (names []string, err error) {
	if !p.take("(") {
		return nil, p.fail()
	}
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if p.take(")") {
			p.names = append(p.names, names...)
			return names, nil
		}
		if !p.take(",") {
			return nil, p.fail()
		}
	}
}

func (p *ruleParser) name() (string, error) {
	text := p.skip()
	var name string
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		end := strings.Index(quoted, `"`)
		if end < 0 {
			return "", p.fail()
		}
		name, p.rest = quoted[:end], quoted[end+1:]
	} else {
		end := strings.IndexAny(text, "(),\" \t\r\n")
		if end < 0 {
			end = len(text)
		}
		name, p.rest = text[:end], text[end:]
	}
	if name == "" {
		return "", p.fail()
	}
	return alarmNamed(p.scope, name)
}

// alarmNamed returns the name of an alarm from its name or its ARN.
func alarmNamed(s scope, text string) (string, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return text, nil //nolint:nilerr // it is a name
	}
	name, ok := strings.CutPrefix(a.Resource, "alarm:")
	if !ok || a.Service != "cloudwatch" || a.Account != s.account || a.Region != s.region {
		return "", invalid("%s is not the ARN of an alarm of this account and region", text)
	}
	return name, nil
}
