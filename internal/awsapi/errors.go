package awsapi

// ErrorText is the text of a generated exception: its code and, if it has one,
// its message.
func ErrorText(code string, message *string) string {
	if message == nil || *message == "" {
		return code
	}
	return code + ": " + *message
}
