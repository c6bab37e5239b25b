package apigatewayv2

import (
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
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		quick, ok := scanAnswer(payload)
		if !ok {
			return
		}
		whole, err := decodeAnswer(payload)
		if err != nil {
			t.Fatalf("%q is scanned to %+v and not decoded: %v", payload, quick, err)
		}
		if d := cmp.Diff(whole, quick, cmp.AllowUnexported(answer{}), cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })); d != "" {
			t.Errorf("%q (-decoded +scanned):\n%s", payload, d)
		}
	})
}

func TestUsualAnswersAreScanned(t *testing.T) {
	if _, ok := scanAnswer([]byte(`{"statusCode":200,"headers":{"content-type":"application/json"},"body":"{\"a\":1}","isBase64Encoded":false}`)); !ok {
		t.Error("not scanned")
	}
}
