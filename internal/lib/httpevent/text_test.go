package httpevent

import (
	"bytes"
	"encoding/json"
	"testing"
)

func texts() []string {
	return []string{
		`"{\"message\":\"hello ann\"}"`, `"a\\b\/c\b\f\n\r\t"`, `"\u00e4\ud83d\ude00\""`, `"\ud800\n"`, `"\x"`, `"\"`, `"\\"`, `"\\\"`, `"\u12"`, "\"\xff\\n\"", `"äöü\n"`, `"\n\u0000"`,
	}
}

func checkText(t *testing.T, quoted []byte) {
	t.Helper()
	s := scanner{b: quoted}
	got, ok := s.text()
	if ok = ok && !s.rest(); !ok {
		return
	}
	var want string
	if err := json.Unmarshal(quoted, &want); err != nil || !bytes.Equal(got, []byte(want)) {
		t.Errorf("%q is %q, want %q, %v", quoted, got, want, err)
	}
}

func TestTextsAreThoseOfEncodingJSON(t *testing.T) {
	for _, text := range texts() {
		checkText(t, []byte(text))
	}
	s := scanner{b: []byte(`"{\"a\":\"b\\n\"}"`)}
	if got, ok := s.text(); !ok || string(got) != `{"a":"b\n"}` {
		t.Errorf("got %q, %t", got, ok)
	}
}

func FuzzText(f *testing.F) {
	for _, text := range texts() {
		f.Add([]byte(text))
	}
	f.Fuzz(checkText)
}

func BenchmarkScan(b *testing.B) {
	answer := []byte(`{"statusCode":200,"headers":{"content-type":"application/json"},"body":"{\"message\":\"hello ann\",\"items\":[\"one\",\"two\",\"three\"]}"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Scan(answer); !ok {
			b.Fatal("not scanned")
		}
	}
}
