package apigateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/wire"
	"lambent.dev/lambent/test/recorded"
)

// replayed is a harness on which recorded cases run.
type replayed struct {
	*harness
	api   *wire.API
	began time.Time
}

// Advance implements [recorded.Platform].
func (r *replayed) Advance(since time.Duration) {
	r.clock.Advance(max(since-r.clock.Now().Sub(r.began), 0))
}

// Call implements [recorded.Platform]. What is answered is what clients read. A body is given as its text, or as "@name" of a file in testdata/openapi.
func (r *replayed) Call(_, operation, input string) (string, *recorded.Failure, error) {
	o := r.api.Operation(operation)
	if o == nil || !o.Implemented() {
		return "", nil, errors.New("no such operation")
	}
	in := o.Binding.New()
	input, err := withBody(input)
	if err == nil {
		err = json.Unmarshal([]byte(input), in)
	}
	if err != nil {
		return "", nil, err
	}
	out, err := r.run(o, in)
	if e := new(service.Error); errors.As(err, &e) {
		return "", &recorded.Failure{Code: e.Code, Message: e.Message, Status: e.Status}, nil
	}
	if err != nil {
		return "", nil, err
	}
	w := httptest.NewRecorder()
	if err := o.WriteResponse(r.ctx, w, &wire.Request{Protocol: aws.API.Protocols[0]}, out); err != nil {
		return "", nil, err
	}
	if operation == "GetExport" {
		b, err := json.Marshal(map[string]string{"body": w.Body.String(), "contentType": w.Header().Get("Content-Type"), "contentDisposition": w.Header().Get("Content-Disposition")})
		return string(b), nil, err
	}
	return asSDK(w.Body.Bytes(), operation)
}

// asSDK returns an answer as SDKs show it: they call the elements of a list items, which are "item" on the wire except for stages.
func asSDK(body []byte, operation string) (string, *recorded.Failure, error) {
	fields := map[string]json.RawMessage{}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &fields); err != nil {
			return "", nil, err
		}
	}
	if list, ok := fields["item"]; ok && operation != "GetStages" {
		delete(fields, "item")
		fields["items"] = list
	}
	b, err := json.Marshal(fields)
	return string(b), nil, err
}

// run runs a call as the door does, but asks nobody for permission.
func (r *replayed) run(o *wire.Operation, in any) (any, error) {
	if err := o.Validate(&wire.Request{}, in); err != nil {
		return nil, err
	}
	if _, err := r.service.Access[o.Name].Targets(r.ctx, in); err != nil {
		return nil, err
	}
	return o.Binding.Call(r.ctx, in)
}

// withBody returns an input with its body encoded as the JSON of a blob.
func withBody(input string) (string, error) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(input), &fields); err != nil {
		return "", err
	}
	body, ok := fields["body"].(string)
	if !ok {
		return input, nil
	}
	if name, isFile := strings.CutPrefix(body, "@"); isFile {
		b, err := os.ReadFile(filepath.Join("testdata", "openapi", name))
		if err != nil {
			return "", err
		}
		body = string(b)
	}
	fields["body"] = base64.StdEncoding.EncodeToString([]byte(body))
	b, err := json.Marshal(fields)
	return string(b), err
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		return &replayed{harness: h, api: wire.New(aws.API, h.service.Operations), began: h.clock.Now()}
	})
}
