package expr

import (
	_ "embed"
	"errors"
	"slices"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/lib/attr"
)

// Placeholders are the #names and :values of a request, which all of its expressions share, and room for the expressions with their values. It counts which
// are used. Make it ready with [Placeholders.Init]; it must not be copied.
type Placeholders struct {
	names                 map[string]string
	values                attr.Map
	usedNames, usedValues keySet
	// bound are the values of the slots of all expressions, one expression after the other.
	bound      []attr.Value
	room       [8]attr.Value
	conditions [2]Condition
	update     Update
}

// NewPlaceholders returns the placeholders of a request; see [Placeholders.Init].
func NewPlaceholders(names map[string]string, values attr.Map) (*Placeholders, error) {
	p := &Placeholders{}
	return p, p.Init(names, values)
}

// Init checks the placeholders of a request. Nil stands for a parameter that is not there.
func (p *Placeholders) Init(names map[string]string, values attr.Map) error {
	p.names, p.values = names, values
	if names != nil && len(names) == 0 {
		return errorf("ExpressionAttributeNames must not be empty")
	}
	bad := ""
	for key := range names {
		if !validPlaceholder(key, '#') && (bad == "" || key < bad) {
			bad = key
		}
	}
	if _, empty := names[""]; bad != "" || empty {
		return errorf("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", bad)
	}
	if err := values.Err(); err != nil {
		var invalid *attr.InvalidError
		if !errors.As(err, &invalid) {
			return err
		}
		return errorf("ExpressionAttributeValues contains invalid value: %s for key %s", invalid.Message, invalid.Key)
	}
	if values != nil && values.Len() == 0 {
		return errorf("ExpressionAttributeValues must not be empty")
	}
	for key := range values.All() {
		if !validPlaceholder(key, ':') {
			return errorf("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", key)
		}
	}
	return nil
}

func validPlaceholder[T string | []byte](key T, mark byte) bool {
	if len(key) < 2 || key[0] != mark {
		return false
	}
	for i := 1; i < len(key); i++ {
		if !isWordPart(key[i]) {
			return false
		}
	}
	return true
}

// Unused returns an error when a placeholder was used by none of the expressions parsed with p.
func (p *Placeholders) Unused() error {
	if p.usedNames.size() < len(p.names) {
		var left []string
		for key := range p.names {
			if !p.usedNames.has(key) {
				left = append(left, key)
			}
		}
		slices.Sort(left)
		return errorf("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", strings.Join(left, ", "))
	}
	if p.usedValues.size() < p.values.Len() {
		var left []string
		for key := range p.values.All() {
			if !p.usedValues.has(string(key)) {
				left = append(left, string(key))
			}
		}
		return errorf("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", strings.Join(left, ", "))
	}
	return nil
}

// keySet is a set of placeholders, which are seldom many.
type keySet struct {
	few  [8]string
	n    int
	many map[string]bool // what does not go into few
}

func (s *keySet) has(key string) bool { return slices.Contains(s.few[:s.n], key) || s.many[key] }

func (s *keySet) size() int { return s.n + len(s.many) }

func (s *keySet) add(key string) {
	switch {
	case s.has(key):
	case s.n < len(s.few):
		s.few[s.n] = key
		s.n++
	case s.many == nil:
		s.many = map[string]bool{key: true}
	default:
		s.many[key] = true
	}
}

// reservedText lists the words that cannot be attribute names in an expression, one a line, in capitals and sorted
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html).
//
//go:embed reserved.txt
var reservedText string

var reservedWords = sync.OnceValue(func() []string { return strings.Fields(reservedText) })

// isReserved tells whether an expression may not use s as an attribute name.
func isReserved(s string) bool {
	_, found := slices.BinarySearch(reservedWords(), strings.ToUpper(s))
	return found
}
