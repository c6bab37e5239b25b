package token

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The prefixes of ids.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
const (
	PrefixAccessKey   = "AKIA"
	PrefixTemporary   = "ASIA"
	PrefixUser        = "AIDA"
	PrefixRole        = "AROA"
	PrefixGroup       = "AGPA"
	PrefixPolicy      = "ANPA"
	PrefixProfile     = "AIPA"
	PrefixCertificate = "ASCA"
	PrefixSAML        = "SAMLSP"
	prefixSize        = 4
	accountBits       = 40
	idBytes           = 10
	accessKeySize     = prefixSize + 16
	secretAccessSize  = 30
)

// NewAccessKeyID returns a key id that carries the account: a set bit, 40 bits of account,
// then random bits.
func NewAccessKeyID(prefix, account string, rand io.Reader) (string, error) {
	var b [idBytes]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	n, err := strconv.ParseUint(account, 10, accountBits)
	if err != nil || len(account) != 12 {
		return "", fmt.Errorf("account %q is not a 12-digit number", account)
	}
	low := binary.BigEndian.Uint64(b[:8])
	binary.BigEndian.PutUint64(b[:8], 1<<63|n<<23|low&(1<<23-1))
	return prefix + base32.StdEncoding.EncodeToString(b[:]), nil
}

// AccountOf returns the account that an access key id carries. ok is false for ids of another form.
func AccountOf(accessKeyID string) (account string, ok bool) {
	if len(accessKeyID) != accessKeySize {
		return "", false
	}
	b, err := base32.StdEncoding.DecodeString(accessKeyID[prefixSize:])
	if err != nil || b[0]&0x80 == 0 {
		return "", false
	}
	n := binary.BigEndian.Uint64(b[:8]) << 1 >> (64 - accountBits)
	if n > 999999999999 {
		return "", false
	}
	s := strconv.FormatUint(n, 10)
	return strings.Repeat("0", 12-len(s)) + s, true
}

// NewID returns a unique id: the prefix and 17 characters.
func NewID(prefix string, rand io.Reader) (string, error) {
	var b [11]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return prefix + base32.StdEncoding.EncodeToString(b[:])[:17], nil
}

// NewSecret returns a secret access key of 40 characters.
func NewSecret(rand io.Reader) (string, error) {
	var b [secretAccessSize]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b[:]), nil
}
