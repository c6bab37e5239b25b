// Package totp makes and finds time-based one-time passwords (RFC 6238) with its defaults, which authenticator applications take: HMAC-SHA-1, six digits, steps of 30 seconds.
package totp

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

// Step is how long a code is shown.
const Step = 30 * time.Second

// Counter returns the number of the step that t is in.
func Counter(t time.Time) int64 { return t.Unix() / int64(Step/time.Second) }

// Code returns the code of a step, six digits (RFC 4226, section 5.3).
func Code(secret []byte, counter int64) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(counter)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// Find returns the step from first to last, both included, for which every code is that of the step or the next ones in turn.
func Find(secret []byte, first, last int64, codes ...string) (counter int64, ok bool) {
	for c := first; c <= last; c++ {
		same := 1
		for i, code := range codes {
			same &= subtle.ConstantTimeCompare([]byte(Code(secret, c+int64(i))), []byte(code))
		}
		if same == 1 {
			return c, true
		}
	}
	return 0, false
}
