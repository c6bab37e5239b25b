package expr

import (
	_ "embed"
	"errors"
	"slices"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/lib/attr"
)

// Placeholders are the #names and :values of a request, which all of its expressions share. It counts which are used.
type Placeholders struct {
	names      map[string]string
	values     attr.Map
	usedNames  map[string]bool
	usedValues map[string]bool
}

// NewPlaceholders checks the placeholders of a request. Nil stands for a parameter that is not there.
func NewPlaceholders(names map[string]string, values attr.Map) (*Placeholders, error) {
	p := &Placeholders{names: names, values: values}
	if names != nil && len(names) == 0 {
		return nil, errorf("ExpressionAttributeNames must not be empty")
	}
	for _, key := range sortedKeys(names) {
		if !validPlaceholder(key, '#') {
			return nil, errorf("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", key)
		}
	}
	var invalid *attr.InvalidError
	if errors.As(values.Err(), &invalid) {
		return nil, errorf("ExpressionAttributeValues contains invalid value: %s for key %s", invalid.Message, invalid.Key)
	}
	if values != nil && values.Len() == 0 {
		return nil, errorf("ExpressionAttributeValues must not be empty")
	}
	for key := range values.All() {
		if !validPlaceholder(string(key), ':') {
			return nil, errorf("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", key)
		}
	}
	return p, nil
}

func validPlaceholder(key string, mark byte) bool {
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

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Unused returns an error when a placeholder was used by none of the expressions parsed with p.
func (p *Placeholders) Unused() error {
	var left []string
	for _, key := range sortedKeys(p.names) {
		if !p.usedNames[key] {
			left = append(left, key)
		}
	}
	if left != nil {
		return errorf("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", strings.Join(left, ", "))
	}
	for key := range p.values.All() {
		if !p.usedValues[string(key)] {
			left = append(left, string(key))
		}
	}
	if left != nil {
		return errorf("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", strings.Join(left, ", "))
	}
	return nil
}

// resolveName returns the attribute that key stands for.
func (p *Placeholders) resolveName(key string) (string, bool) {
	v, ok := p.names[key]
	if ok {
		if p.usedNames == nil {
			p.usedNames = make(map[string]bool, len(p.names))
		}
		p.usedNames[key] = true
	}
	return v, ok
}

// resolveValue returns the value that key stands for.
func (p *Placeholders) resolveValue(key string) (attr.Value, bool) {
	v := p.values.Get(key)
	if v == nil {
		return nil, false
	}
	if p.usedValues == nil {
		p.usedValues = make(map[string]bool, p.values.Len())
	}
	p.usedValues[key] = true
	return v, true
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
