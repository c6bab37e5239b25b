package lambda

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// seed is 32 hexadecimal digits that are the same for the same parts.
func seed(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = io.WriteString(h, p+"\x00")
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// uuidOf is a UUID that is the same for the same parts.
func uuidOf(parts ...string) string {
	s := seed(parts...)
	return s[:8] + "-" + s[8:12] + "-8" + s[13:16] + "-8" + s[17:20] + "-" + s[20:32]
}
