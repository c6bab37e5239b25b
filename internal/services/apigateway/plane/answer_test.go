package plane

import (
	"bytes"
	"slices"
	"testing"

	"lambent.dev/lambent/internal/services/apigateway/api"
)

// FuzzScannedAnswerIsTheDecodedOne compares the quick reader of a function's answer with encoding/json's.
func FuzzScannedAnswerIsTheDecodedOne(f *testing.F) {
	for _, s := range []string{
		`{"statusCode":200,"headers":{"content-type":"text/plain","X-A":"b","x-a":"c"},"body":"ok"}`, `{"statusCode":200,"headers":null,"multiValueHeaders":null,"body":"a\n"}`,
		`{"statusCode":200,"multiValueHeaders":{"a":["b"]}}`, `{"statusCode":"200"}`, `{"statusCode":200,"cookies":null}`, `{"statusCode":200,"body":null}`, `{"statusCode":200}x`, `{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		x := &exchange{stage: &stage{Served: api.Served{Scope: scope()}}, tree: &tree{}}
		quick, err := x.parseProxy(payload)
		whole, wrong := x.decodeProxy(payload)
		if (err == nil) != (wrong == nil) {
			t.Fatalf("%q: %v, decoded %v", payload, err, wrong)
		}
		if err == nil && (quick.status != whole.status || quick.text != whole.text || !slices.Equal(quick.fields, whole.fields) || !bytes.Equal(quick.body, whole.body)) {
			t.Errorf("%q: %+v, decoded %+v", payload, quick, whole)
		}
	})
}
