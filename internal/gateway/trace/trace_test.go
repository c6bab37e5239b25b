package trace_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/trace"
)

func TestTraceTellsEveryStage(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	r := trace.NewRecorder(now)
	tr := r.Begin("id-1", "api1", "prod", "GET", "/pets", false)
	now.Advance(time.Millisecond)
	step := tr.Step("integration request", `{"a":1}`)
	now.Advance(1500 * time.Microsecond)
	step.End(strings.Repeat("é", 4000))
	tr.Note("route", "GET /pets")
	if r.Find("id-1") != nil {
		t.Error("a request that is not over is kept")
	}
	tr.End(200)
	if got := tr.Timing(); got != "integration-request;dur=1.5, route;dur=0" {
		t.Errorf("timing %q", got)
	}
	w := httptest.NewRecorder()
	r.ServeID(w, "id-1")
	for _, want := range []string{`"status":200`, `"took_us":2500`, `"name":"integration request"`, `"after_us":1000`, "é… (8000 bytes)"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not in %s", want, w.Body)
		}
	}
	w = httptest.NewRecorder()
	if r.ServeID(w, "id-2"); w.Code != 404 {
		t.Errorf("status %d", w.Code)
	}
}

func TestNothingIsRecordedWithoutARecorder(t *testing.T) {
	var r *trace.Recorder
	tr := r.Begin("id", "a", "s", "GET", "/", false)
	tr.Step("route", "").End("")
	tr.Note("n", "")
	tr.End(200)
	if tr != nil || r.Find("id") != nil || len(tr.Steps()) != 0 {
		t.Error("something was recorded")
	}
}

func TestSecretsOfHeadersAreLeftOut(t *testing.T) {
	got := trace.Head(map[string][]string{"Authorization": {"Bearer x"}, "x-api-key": {"key"}, "Accept": {"a", "b"}})
	if got != "Accept: a\nAccept: b\nAuthorization: (8 characters)\nx-api-key: (3 characters)\n" {
		t.Errorf("got %q", got)
	}
}
