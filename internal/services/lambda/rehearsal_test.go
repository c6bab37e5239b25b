package lambda

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

func TestRehearsalTreatsAFunctionAsItsTagsSay(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "def handler(e, c): return 'fine'\n", func(in *api.CreateFunctionInput) {
		in.Tags = map[string]string{tagColdStart: "150ms", "team": "x"}
	})
	tag := func(name, value string) {
		t.Helper()
		_, err := f.tagResource(f.ctx, &api.TagResourceInput{Resource: "arn:aws:lambda:us-east-1:000000000000:function:f", Tags: map[string]string{name: value}})
		if err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	out := f.call(t, "f", `{}`)
	if took := time.Since(began); took < 150*time.Millisecond || !strings.Contains(tailOf(t, f.call(t, "f", `{}`)), "REPORT") {
		t.Errorf("the cold start took %v", took)
	}
	if string(out.Payload) != `"fine"` || !strings.Contains(f.sink.text(), "LAMBENT REHEARSAL: this cold start takes 150ms longer") {
		t.Errorf("answer %s, log\n%s", out.Payload, f.sink.text())
	}
	tag(tagError, "1")
	out = f.call(t, "f", `{}`)
	if orZero(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), `"errorType":"Runtime.ExitError"`) || !strings.Contains(tailOf(t, out), "LAMBENT REHEARSAL") {
		t.Errorf("rehearsed error: %s\n%s", out.Payload, tailOf(t, out))
	}
	for value, reason := range map[string]string{"1": reasonAccount, "1/CallerRateLimitExceeded": "CallerRateLimitExceeded"} {
		tag(tagThrottle, value)
		_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f"})
		if e, ok := err.(*service.Error); !ok || e.Status != 429 || e.Detail.(*api.TooManyRequestsException).Reason != reason {
			t.Errorf("rehearsed throttling: %v", err)
		}
	}
	w := httptest.NewRecorder()
	f.serveRehearsals(w, httptest.NewRequest(http.MethodGet, "/_lambent/rehearsals", http.NoBody))
	if body := w.Body.String(); !strings.Contains(body, `"function":"arn:aws:lambda:us-east-1:000000000000:function:f"`) || strings.Contains(body, "team") {
		t.Errorf("shown: %s", body)
	}
}

func TestRehearsalTagsAreChecked(t *testing.T) {
	for _, bad := range []map[string]string{
		{"lambent:rehearse-coldstart": "1s"}, {tagColdStart: "soon"}, {tagColdStart: "11s"}, {tagThrottle: "5%"}, {tagThrottle: "0.5/Because"}, {tagError: "1.1"}, {tagError: "NaN"},
	} {
		if err := checkTags(bad); service.Code(err) != "InvalidParameterValueException" {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := checkTags(map[string]string{tagColdStart: "10s", tagThrottle: "0.5/CallerRateLimitExceeded", tagError: "0"}); err != nil {
		t.Error(err)
	}
}

func TestEventsOfInvocationsAreKeptWithinBounds(t *testing.T) {
	r := &recorder{limit: 100}
	note := func(id string, size int) {
		r.note(&call{snapshot: &snapshot{arn: "arn:aws:lambda:r:1:function:f"}, requestID: id, payload: []byte(strings.Repeat("x", size))}, time.Unix(0, 0))
	}
	note("a", 60)
	note("large", 101)
	note("b", 40)
	if list := r.last(); len(list) != 2 || list[0].requestID != "b" || r.bytes != 100 {
		t.Errorf("%d events of %d bytes", len(list), r.bytes)
	}
	note("c", 1)
	if _, ok := r.find("a"); ok {
		t.Error("the oldest is still there")
	}
	for i := range maxRecorded + 10 {
		note(strconv.Itoa(i), 0)
	}
	if list := r.last(); len(list) != maxRecorded || list[0].requestID != strconv.Itoa(maxRecorded+9) || r.bytes != 0 {
		t.Errorf("%d events of %d bytes", len(list), r.bytes)
	}
	off := &recorder{}
	r = off
	note("x", 0)
	if len(off.last()) != 0 {
		t.Error("events are kept though none shall be")
	}
}
