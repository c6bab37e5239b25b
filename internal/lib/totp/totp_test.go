package totp_test

import (
	"testing"
	"time"

	"lambent.dev/lambent/internal/lib/totp"
)

// secret is that of the test vectors of RFC 6238, appendix B, for SHA-1; their codes have eight digits, of which six are the last.
var secret = []byte("12345678901234567890")

func TestCodesAreThoseOfRFC6238(t *testing.T) {
	for seconds, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := totp.Code(secret, totp.Counter(time.Unix(seconds, 0))); got != want {
			t.Errorf("at %d: %s, want %s", seconds, got, want)
		}
	}
}

func TestCodesAreFoundInTurn(t *testing.T) {
	code := func(c int64) string { return totp.Code(secret, c) }
	for _, tc := range []struct {
		name        string
		first, last int64
		codes       []string
		want        int64
		ok          bool
	}{
		{"at the first step", 10, 12, []string{code(10)}, 10, true},
		{"at the last step", 10, 12, []string{code(12)}, 12, true},
		{"behind it", 10, 12, []string{code(13)}, 0, false},
		{"two in turn", 10, 12, []string{code(11), code(12)}, 11, true},
		{"the second behind the last step", 10, 12, []string{code(12), code(13)}, 12, true},
		{"two the other way round", 10, 12, []string{code(12), code(11)}, 0, false},
		{"one of them twice", 10, 12, []string{code(11), code(11)}, 0, false},
		{"too short", 10, 12, []string{code(11)[:5]}, 0, false},
		{"no steps", 10, 9, []string{code(10)}, 0, false},
	} {
		if got, ok := totp.Find(secret, tc.first, tc.last, tc.codes...); got != tc.want || ok != tc.ok {
			t.Errorf("%s: %d, %v", tc.name, got, ok)
		}
	}
}
