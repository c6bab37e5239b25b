package mergepatch

import "testing"

// The cases are those of RFC 7396, appendix A.
func TestApply(t *testing.T) {
	for _, tc := range []struct{ document, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"n":12345678901234567890.10}`, `{}`, `{"n":12345678901234567890.10}`},
	} {
		got, err := Apply([]byte(tc.document), []byte(tc.patch))
		if err != nil || string(got) != tc.want {
			t.Errorf("%s with %s is %s, %v; want %s", tc.document, tc.patch, got, err, tc.want)
		}
	}
	for _, bad := range [][2]string{{`{`, `{}`}, {`{}`, `}`}, {`{} {}`, `{}`}} {
		if got, err := Apply([]byte(bad[0]), []byte(bad[1])); err == nil {
			t.Errorf("%s with %s is %s, want an error", bad[0], bad[1], got)
		}
	}
}
