package jsonenc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/lib/jsonenc"
)

func FuzzStringIsReadBackByEncodingJSON(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\r\t\x00\x1f", "päß 😀 \u2028", "\xff\xc0x\xe2\x82"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		b := jsonenc.String(nil, s)
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("String(%q) = %q: %v", s, b, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); got != want && strings.Count(got, "\ufffd") < strings.Count(want, "\ufffd") {
			t.Errorf("String(%q) reads back as %q, want %q", s, got, want)
		}
	})
}
