package trace_test

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/trace"
)

func TestTraceTellsEveryStage(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	r := trace.NewRecorder(now)
	tr := r.Begin(now.Now(), "id-1", "api1", "prod", "GET", "/pets", false)
	now.Advance(time.Millisecond)
	step := tr.Step("integration request", `{"a":1}`)
	now.Advance(1500 * time.Microsecond)
	step.End(strings.Repeat("é", 4000))
	tr.Note("route", "GET /pets")
	if r.Find("id-1") != nil {
		t.Error("a request that is not over is kept")
	}
	tr.End(now.Now(), 200)
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
	now := clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	var r *trace.Recorder
	tr := r.Begin(now.Now(), "id", "a", "s", "GET", "/", false)
	tr.Step("route", "").End("")
	tr.Note("n", "")
	tr.End(now.Now(), 200)
	if tr != nil || r.Find("id") != nil || len(tr.Steps()) != 0 {
		t.Error("something was recorded")
	}
}

func TestMessageIsPutTogetherWithoutSecrets(t *testing.T) {
	head := trace.Map{"Authorization": {"Bearer x"}, "x-api-key": {"key"}, "Accept": {"a", "b"}}
	for want, text := range map[string]trace.Text{
		"200 OK\nAccept: a\nAccept: b\nAuthorization: (8 characters)\nx-api-key: (3 characters)\n\nbody": {Line: "200 OK", Head: head, Body: []byte("body")},
		"Accept: a\n\nbody": {Head: trace.Map{"Accept": {"a"}}, Body: []byte("body")},
		"200\n\n":           {Line: "200", Head: trace.Map{}},
		"line\nbody":        {Line: "line", Body: []byte("body")},
		"body":              {Body: []byte("body")},
		"line":              {Line: "line"},
		"":                  {},
	} {
		if got := text.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestBodyIsCutShort(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	r := trace.NewRecorder(now)
	tr := r.Begin(now.Now(), "id", "a", "s", "GET", "/", false)
	tr.StepText("integration", trace.Text{Body: []byte(strings.Repeat("é", 4000))}).EndText(trace.Text{Line: "200", Body: []byte("b")})
	s := tr.Steps()[0]
	if got := s.Input.String(); got != strings.Repeat("é", 2048)+"… (8000 bytes)" {
		t.Errorf("the input is %q", got)
	}
	if got := s.Output.String(); got != "200\nb" {
		t.Errorf("the output is %q", got)
	}
}

func TestRecorderKeepsTheLastRequests(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	r := trace.NewRecorder(now)
	for i := range 3000 {
		tr := r.Begin(now.Now(), strconv.Itoa(i), "a", "s", "GET", "/", false)
		tr.Note("first of "+strconv.Itoa(i), "")
		if i%2 == 0 {
			tr.Note("second", "")
		}
		tr.End(now.Now(), 200+i%2)
	}
	for i, kept := range map[int]bool{0: false, 1975: false, 1976: true, 1977: true, 2998: true, 2999: true} {
		d := r.Find(strconv.Itoa(i))
		if (d != nil) != kept {
			t.Errorf("request %d is kept: %v", i, d != nil)
			continue
		}
		if kept && (d.ID != strconv.Itoa(i) || d.Status != 200+i%2 || len(d.Entries) != 2-i%2 || d.Entries[0].Name != "first of "+d.ID) {
			t.Errorf("request %d has the record %+v", i, d)
		}
	}
}
