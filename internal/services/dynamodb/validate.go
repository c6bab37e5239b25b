package dynamodb

import (
	"strings"

	"lambent.dev/lambent/internal/lib/attr"
)

// Limits of items and keys, in bytes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
const (
	maxItem    = 400 << 10
	maxHashKey = 2048
	maxSortKey = 1024
)

// checkName checks a TableName or an IndexName as AWS does where the API model does not: parameter is the name in messages. An ARN passes.
func checkName(parameter, name string) error {
	if strings.HasPrefix(name, "arn:") {
		return nil
	}
	if name == "" {
		return violated("''", parameter, "Member must have length greater than or equal to 1")
	}
	if len(name) > 255 {
		return violated("'"+name+"'", parameter, "Member must have length less than or equal to 255")
	}
	for i := range len(name) {
		if c := name[i]; c >= 0x80 || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", rune(c)) {
			return violated("'"+name+"'", parameter, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
		}
	}
	return nil
}

// checkKey checks the Key of a request against the table.
func (t *table) checkKey(key attr.Map) error {
	if !t.keyFits(key) {
		return errKeySchema()
	}
	return t.checkKeyValues(key)
}

// keyFits tells whether a key has the table's key attributes with their types, and nothing else.
func (t *table) keyFits(key attr.Map) bool {
	if key.Len() != len(t.Keys) {
		return false
	}
	for _, a := range t.keys.all {
		if key.Get(a.name).Type() != a.typ {
			return false
		}
	}
	return true
}

func errKeySchema() error { return invalid("The provided key element does not match the schema") }

// checkKeyValues checks the lengths of the key values of a key or an item.
func (t *table) checkKeyValues(item attr.Map) error {
	for _, a := range t.keys.all {
		if a.typ != attr.N && item.Get(a.name).Len() == 0 {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", emptyKind(a.typ), a.name)
		}
	}
	return checkKeyLengths(&t.keys, item)
}

// checkKeyLengths checks the sizes of the key attributes that an item has.
func checkKeyLengths(ks *keyAttrs, item attr.Map) error {
	size := func(attrs []keyAttr) (n int) {
		for _, a := range attrs {
			n += item.Get(a.name).Len()
		}
		return n
	}
	if size(ks.hash) > maxHashKey {
		return invalidValue("Size of hashkey has exceeded the maximum size limit of2048 bytes")
	}
	if size(ks.sort) > maxSortKey {
		return invalidValue("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return nil
}

func emptyKind(t attr.Type) string {
	if t == attr.B {
		return "binary"
	}
	return "string"
}

// checkSize checks what can be known of a new item without its table.
func (w *write) checkSize() error {
	if err := w.item.Err(); err != nil {
		return validation(err)
	}
	if w.item.Size() > maxItem {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

// checkItem checks a new item of the table: its key, the keys of its indexes and its size.
func (t *table) checkItem(item attr.Map, update bool) error {
	for _, a := range t.keys.all {
		v := item.Get(a.name)
		if v == nil {
			return invalidValue("Missing the key %s in the item", a.name)
		}
		if v.Type() != a.typ {
			return invalidValue("Type mismatch for key %s expected: %s actual: %s", a.name, a.typ, v.Type())
		}
	}
	if err := t.checkKeyValues(item); err != nil {
		return err
	}
	for _, ix := range t.indexes {
		if err := t.checkIndexKeys(ix, item); err != nil {
			return err
		}
	}
	if item.Size() > maxItem {
		if update {
			return invalid("Item size to update has exceeded the maximum allowed size")
		}
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

// checkIndexKeys checks the attributes of an item that are keys of an index.
func (t *table) checkIndexKeys(ix *index, item attr.Map) error {
	for _, a := range ix.keys.all {
		v := item.Get(a.name)
		if v == nil || t.isKey(a.name) {
			continue
		}
		if v.Type() != a.typ {
			return invalidValue("Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", a.name, a.typ, v.Type(), ix.Name)
		}
		if a.typ != attr.N && v.Len() == 0 {
			return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. "+
				"The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", emptyKind(a.typ), ix.Name, a.name)
		}
	}
	return checkKeyLengths(&ix.keys, item)
}

// legacy is a parameter of the time before expressions, and whether the request has it.
type legacy struct {
	name string
	set  bool
}

// expression is an expression parameter; Source is nil when the request does not have it.
type expression struct {
	name   string
	source *string
}

// checkParameters refuses requests that mix or lack kinds of parameters. hasNames and hasValues tell whether there are placeholders.
func checkParameters(expressions []expression, old []legacy, hasNames, hasValues bool) error {
	var present, missing, oldPresent []string
	for _, e := range expressions {
		switch {
		case e.source != nil:
			present = append(present, e.name)
		case e.name != "ProjectionExpression":
			missing = append(missing, e.name)
		}
	}
	for _, l := range old {
		if l.set {
			oldPresent = append(oldPresent, l.name)
		}
	}
	if len(present) > 0 && len(oldPresent) > 0 {
		return invalid("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {%s} Expression parameters: {%s}",
			strings.Join(oldPresent, ", "), strings.Join(present, ", "))
	}
	if len(present) == 0 && hasNames {
		return invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if hasValues && len(missing) > 0 && countValueExpressions(expressions) == len(missing) {
		verb := "is"
		if len(missing) > 1 {
			verb = "are"
		}
		return invalid("ExpressionAttributeValues can only be specified when using expressions: %s %s null", strings.Join(missing, " and "), verb)
	}
	return nil
}

// countValueExpressions returns how many of the expressions can hold values.
func countValueExpressions(expressions []expression) (n int) {
	for _, e := range expressions {
		if e.name != "ProjectionExpression" {
			n++
		}
	}
	return n
}
