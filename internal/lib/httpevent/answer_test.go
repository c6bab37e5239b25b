package httpevent

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzScannedAnswerIsTheDecodedOne compares the quick reader of responses with encoding/json's.
func FuzzScannedAnswerIsTheDecodedOne(f *testing.F) {
	for _, s := range []string{
		`{"statusCode":200,"headers":{"content-type":"text/plain","X-A":"b"},"body":"ok"}`,
		` { "statusCode" : 404 , "body" : "a\n\u00e4\"" , "isBase64Encoded" : false } `,
		`{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`,
		`{"statusCode":200,"statusCode":201}`, `{"statusCode":200,"headers":{"a":"1","A":"2"}}`, `{"statusCode":"200"}`, `{"statusCode":200,"cookies":["a=b"]}`,
		`{"statusCode":0200}`, `{"statusCode":200}x`, `{"statusCode":200,}`, `{"hello":"world"}`, `"text"`, `{"statusCode":200,"body":null}`, "{\"statusCode\":200,\"body\":\"\xff\"}",
		`{"statusCode":200,"headers":null,"multiValueHeaders":null,"body":"ok"}`, `{"statusCode":200,"multiValueHeaders":{}}`, `{"statusCode":200,"headers":nul}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		quick, ok := scan(payload, "text/plain")
		if !ok {
			return
		}
		whole, err := decode(payload, Rules{ContentType: "text/plain"})
		if err != nil {
			t.Fatalf("%q is scanned to %+v and not decoded: %v", payload, quick, err)
		}
		if d := cmp.Diff(whole, quick, cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })); d != "" {
			t.Errorf("%q (-decoded +scanned):\n%s", payload, d)
		}
	})
}

func TestUsualAnswersAreScanned(t *testing.T) {
	for _, payload := range []string{
		`{"statusCode":200,"headers":{"content-type":"application/json"},"body":"{\"a\":1}","isBase64Encoded":false}`,
		`{"statusCode":200,"headers":null,"multiValueHeaders":null,"body":""}`,
	} {
		if _, ok := scan([]byte(payload), ""); !ok {
			t.Errorf("%s is not scanned", payload)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"statusCode":200,"body":"x","headers":{"a":1}}`))
	f.Add([]byte(`"x"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := Parse(b, Rules{}); err == nil && (a.Status < 100 || a.Status > 599) {
			t.Errorf("status %d", a.Status)
		}
	})
}

func TestStreamedAnswersHaveAHeadOrNone(t *testing.T) {
	const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		contentType, stream string
		want                *Answer // nil for an error
		body                string
	}{
		{StreamType, `{"statusCode":201,"headers":{"X-A":"b"},"cookies":["c=d"]}` + zeros + "body", &Answer{
			Status: 201, Headers: map[string]string{"x-a": "b", "content-type": "application/octet-stream"}, Cookies: []string{"c=d"},
		}, "body"},
		{StreamType, `{}` + zeros + "\x00x", &Answer{Status: 200, Headers: map[string]string{"content-type": "application/octet-stream"}}, "\x00x"},
		{"text/html", `{"statusCode":404}`, &Answer{Status: 200, Headers: map[string]string{"content-type": "text/html"}}, `{"statusCode":404}`},
		{"", "x", &Answer{Status: 200, Headers: map[string]string{"content-type": "application/octet-stream"}}, "x"},
		{StreamType, `{"statusCode":7}` + zeros, nil, ""},
		{StreamType, `{"statusCode":200}`, nil, ""},
		{StreamType, `statusCode` + zeros, nil, ""},
		{StreamType, strings.Repeat(" ", maxHead+1), nil, ""},
	} {
		got, rest, err := ReadStreamed(c.contentType, strings.NewReader(c.stream))
		if c.want == nil {
			if err == nil {
				t.Errorf("%.40q was accepted", c.stream)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.stream, err)
			continue
		}
		body, err := io.ReadAll(rest)
		if d := cmp.Diff(c.want, got); err != nil || d != "" || string(body) != c.body {
			t.Errorf("%q: body %q, %v (-want +got):\n%s", c.stream, body, err, d)
		}
	}
}

func TestJSONBodiesAreSentWhereTheRulesAllowThem(t *testing.T) {
	for payload, want := range map[string]string{
		`{"hello": "world"}`:                             `{"hello":"world"}`,
		`["a", 3, true]`:                                 `["a",3,true]`,
		`{"statusCode": 200, "body": {"a": [1, 2]}}`:     `{"a":[1,2]}`,
		`{"statusCode": 200, "body": "{\"a\": [1, 2]}"}`: `{"a": [1, 2]}`,
		`3.1`: `3.1`,
	} {
		a, err := Parse([]byte(payload), Rules{JSON: true})
		if err != nil || string(a.Body) != want {
			t.Errorf("%s is sent as %s (%v), want %s", payload, a.Body, err, want)
		}
	}
	if _, err := Parse([]byte(`{"statusCode": 200, "body": {"a": 1}}`), Rules{}); err == nil {
		t.Error("a body that is not a string was accepted")
	}
}
