package jsonscan

import (
	"encoding/json"
	"strings"
	"testing"
)

// documents are texts of all forms, most of them with something wrong.
func documents() []string {
	return []string{
		"", " ", "null", "nul", "nulls", "true", "false", "tru e", `"a"`, `"a`, `"\u00e9"`, `"\u00g9"`, `"\x"`, `"\`, `"\u12`, "\"\x1f\"", "\"\xff\"", `""`,
		"0", "-0", "-", "01", "1.", "1.5", "1e5", "1E+5", "1e", "1e+", ".5", "+1", "-1.25e-10", "1 2", "1a", "0x1", "--1",
		"{}", "{ }", "[]", "[ ]", "[1]", "[1,]", "[,1]", "[1 2]", "[1,2]", `{"a":1}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{,}`, `{"a":1 "b":2}`, `{"a":{"b":[1,{"c":null}]}}`,
		"{", "[", "}", "]", "[}", "{]", `{"a":1]`, "[1}", `{"a" : [ 1 , 2 ] , "b" : "c" }` + "\n\t\r ", "{}{}", "[] x", "\ufeff{}", "[[[[1]]]]", "[[[[1]]]",
		strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
		strings.Repeat(`{"a":`, 9_999) + "[1]" + strings.Repeat("}", 9_999), strings.Repeat(`{"a":`, 10_000) + "[1]" + strings.Repeat("}", 10_000),
	}
}

func TestWhatIsADocumentIsAsInEncodingJSON(t *testing.T) {
	for _, text := range documents() {
		if got, want := Valid([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Errorf("%.40q: %t, want %t", text, got, want)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, text := range documents() {
		if len(text) < 100 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := Valid(text), json.Valid(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	})
}

func BenchmarkValid(b *testing.B) {
	text := []byte(`{"list":[` + strings.TrimSuffix(strings.Repeat(`{"name":"some text of a member","n":12.5,"ok":true},`, 100), ",") + `]}`)
	for name, fn := range map[string]func([]byte) bool{"jsonscan": Valid, "encoding": json.Valid} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !fn(text) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
