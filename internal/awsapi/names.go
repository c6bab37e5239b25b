package awsapi

import "strings"

// FieldName returns the Go field of a model member: the member's name with its
// first letter in upper case and without characters that Go does not allow.
// In exceptions, members whose names are taken by the error's methods get the
// suffix "Field".
func FieldName(member string, exception bool) string {
	name := ExportedName(member)
	if exception && (name == "Error" || name == "ErrorCode") {
		return name + "Field"
	}
	return name
}

// ExportedName returns name as an exported Go identifier.
func ExportedName(name string) string {
	if isIdentifier(name) {
		return strings.ToUpper(name[:1]) + name[1:]
	}
	var b strings.Builder
	upper := true
	for i := range len(name) {
		c := name[i]
		if !isLetter(c) && (c < '0' || c > '9' || b.Len() == 0) {
			upper = true
			continue
		}
		if upper && c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper = false
		b.WriteByte(c)
	}
	if b.Len() == 0 {
		return "X"
	}
	return b.String()
}

func isIdentifier(name string) bool {
	if name == "" || !isLetter(name[0]) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isLetter(c) && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
