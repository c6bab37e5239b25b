package attr

import "encoding/binary"

// SyntaxError tells that the JSON of a value is malformed or not of the shape that DynamoDB reads. Its text is what
// DynamoDB answers in a SerializationException.
type SyntaxError struct{ Message string }

// Error returns the message.
func (e *SyntaxError) Error() string { return e.Message }

// InvalidError tells that a value breaks a rule of DynamoDB. Its text is what DynamoDB answers in a ValidationException.
type InvalidError struct {
	// Key is the name under which the value lies in the outermost map.
	Key string
	// Message is DynamoDB's message.
	Message string
}

// Error returns the message.
func (e *InvalidError) Error() string { return e.Message }

// The messages with which DynamoDB refuses values.
const (
	msgEmptyValue = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
	msgManyTypes  = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
	msgNullFalse  = "One or more parameter values were invalid: Null attribute value types must have the value of true"
	msgEmptySS    = "One or more parameter values were invalid: An string set  may not be empty"
	msgEmptyNS    = "One or more parameter values were invalid: An number set  may not be empty"
	msgEmptyBS    = "One or more parameter values were invalid: Binary sets should not be empty"
	msgDuplicateN = "Input collection contains duplicates"
	msgNesting    = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
	msgLongName   = "One or more parameter values were invalid: Attribute name is too large, must be less than 65536 bytes"
)

// Err returns nil for a valid map, and an *[InvalidError] for one that was decoded from input that breaks a rule.
func (m Map) Err() error { return invalid(m) }

// Err returns nil for a valid value, and an *[InvalidError] for one that was decoded from input that breaks a rule.
func (v Value) Err() error { return invalid(v) }

// invalid reads the error that appendInvalid wrote.
func invalid(b []byte) error {
	if len(b) == 0 || b[0] != tagInvalid {
		return nil
	}
	key, n := chunk(b[1:])
	return &InvalidError{Key: string(key), Message: string(b[1+n:])}
}

// appendInvalid appends the form of an invalid map or value.
func appendInvalid(dst []byte, key, message string) []byte {
	dst = append(dst, tagInvalid)
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = append(dst, key...)
	return append(dst, message...)
}
