package logs

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func TestMessagesBecomePatterns(t *testing.T) {
	for _, c := range []struct{ message, pattern, kinds string }{
		{"[INFO] Request time: 327 ms", "[INFO] Request time: <*> ms", "Number"},
		{"took 12.5ms, 80% of 1.024", "took <*>, <*> of <*>", "Number Number Number"},
		{"2026-11-25T12:00:00.123Z INFO started.", "<*> INFO started.", "Date"},
		{"2026-11-25 12:00:00,123 up", "<*> <*>,<*> up", "Date Time Number"},
		{"from 10.0.0.7:443 and ::1", "from <*> and <*>", "IPAddress IPAddress"},
		{"START RequestId: 6bbfe5ad-3b5f-4b6c-8d5e-1c2d3e4f5a6b", "START RequestId: <*>", "UUID"},
		{`{"level":"ERROR","id":17,"path":"/orders/5"}`, `{"level":"ERROR","id":<*>,"path":"<*>"}`, "Number Path"},
		{"mail to ann@example.com failed!", "mail to <*> failed!", "Email"},
		{"key=abcdefabcdefabcdefabcdefabcdefabcdef", "key=<*>", "Id"},
		{"  nothing varies\n", "nothing varies", ""},
		{"", "", ""},
	} {
		got := tokenise(c.message)
		var kinds []string
		for _, p := range got.parts {
			if p.Kind != "" {
				kinds = append(kinds, p.Kind)
			}
		}
		if want := strings.Fields(c.kinds); got.pattern != c.pattern || !slices.Equal(kinds, want) {
			t.Errorf("%q is %q of %v, want %q of %v", c.message, got.pattern, kinds, c.pattern, want)
		}
		var joined strings.Builder
		for _, x := range patternTokens(got.parts, nil) {
			joined.WriteString(*x.TokenString)
		}
		if joined.String() != got.pattern || patternText(got.parts) != got.pattern || len(got.values) != len(kinds) {
			t.Errorf("%q: its tokens are %q, its values %v", c.message, joined.String(), got.values)
		}
	}
	if long := tokenise(strings.Repeat("é ", maxPatternBytes)); long.pattern != strings.Repeat("é ", maxPatternBytes/3) {
		t.Errorf("%d bytes of a long message are looked at", len(long.pattern))
	}
}

func FuzzTokenise(f *testing.F) {
	f.Add(`{"a": ::1, "b":12}`)
	f.Add("2026-11-25T12:00:00Z [x] 5 <*> .. 7.")
	f.Fuzz(func(t *testing.T, message string) {
		got := tokenise(message)
		var joined strings.Builder
		for _, x := range patternTokens(got.parts, nil) {
			joined.WriteString(*x.TokenString)
		}
		if joined.String() != got.pattern || patternText(got.parts) != got.pattern {
			t.Errorf("%q: the tokens are %q, the pattern is %q", message, joined.String(), got.pattern)
		}
		if !utf8.ValidString(message) {
			return
		}
		if re, err := regexp.Compile(patternRegex(got.parts)); err != nil || !re.MatchString(cutMessage(message)) {
			t.Errorf("%q does not meet its expression %q: %v", message, patternRegex(got.parts), err)
		}
	})
}

func TestBaselinesHoldUntilItIsWorse(t *testing.T) {
	w := watch(t, nil)
	w.train(20)
	for i, n := range []int{60, 100, 200} {
		w.minute(map[string]int{"GET /orders/%d done": n, "tick": 1})
		a := w.list("")[0]
		if i == 0 {
			w.update(&api.UpdateAnomalyInput{AnomalyId: &a.AnomalyId, Baseline: ptr(true)})
		} else if back := a.State == api.StateActive; back != (n > 2*60) {
			t.Errorf("with %d messages the anomaly is %s", n, a.State)
		}
	}
}

func TestSeverityFollowsFromWords(t *testing.T) {
	for text, want := range map[string]severity{
		"fine": plain, "[WARN] slow": warning, "java.lang.IllegalStateException: no": failing, "request failed": failing, "FATAL error": fatal, "terror of errors of it": plain, "Traceback (most recent": failing, "TypeError: x": failing,
	} {
		if got := severityOf(text); got != want {
			t.Errorf("%q is of severity %d, want %d", text, got, want)
		}
	}
}

// watched is a detector of one minute whose events and runs a test makes.
type watched struct {
	*testing.T

	ctx    context.Context //nolint:containedctx // of the test
	logs   *Logs
	clock  *clock.Fake
	counts *tally
	arn    string
}

func watch(t *testing.T, change func(in *api.CreateLogAnomalyDetectorInput)) *watched {
	t.Helper()
	ctx, l, c := setup(t)
	w := &watched{t, ctx, l, c, &tally{}, ""}
	l.options.Metrics = w.counts
	makeStream(t, ctx, l, "g", "s")
	in := &api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{groupARN(scopeOf(ctx), "g")}, DetectorName: ptr("d"), EvaluationFrequency: "ONE_MIN", Tags: map[string]string{"a": "b"}}
	if change != nil {
		change(in)
	}
	out, err := l.createLogAnomalyDetector(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	w.arn = *out.AnomalyDetectorArn
	return w
}

// minute is one window: what it has, times how often, and then the run that looks at it.
func (w *watched) minute(messages map[string]int) {
	w.Helper()
	now := w.clock.Now().Truncate(time.Minute)
	for format, n := range messages {
		var batch []api.InputLogEvent
		for i := range n {
			m := format
			if strings.Contains(format, "%d") {
				m = fmt.Sprintf(format, i)
			}
			batch = append(batch, api.InputLogEvent{Timestamp: now.UnixMilli() + int64(i), Message: m})
		}
		if _, err := w.logs.putLogEvents(w.ctx, &api.PutLogEventsInput{LogGroupName: "g", LogStreamName: "s", LogEvents: batch}); err != nil {
			w.Fatal(err)
		}
	}
	w.clock.Set(now.Add(time.Minute + lateFor))
	w.run()
	w.clock.Set(now.Add(time.Minute + lateFor))
}

// run does what the job of the detector does.
func (w *watched) run() {
	w.Helper()
	s := scopeOf(w.ctx)
	_, id, _ := strings.Cut(w.arn, ":anomaly-detector:")
	k, err := w.logs.look(w.ctx, s, id)
	if err == nil && k != nil {
		err = w.logs.deps.Store.Update(w.ctx, func(tx store.Txn) error { return w.logs.conclude(tx, s, k) })
	}
	if err != nil {
		w.Fatal(err)
	}
}

// train lets n minutes pass with what is usual.
func (w *watched) train(n int) {
	w.Helper()
	for range n {
		w.minute(map[string]int{"GET /orders/%d done": 5, "tick": 1})
	}
}

func (w *watched) list(state string) []api.Anomaly {
	w.Helper()
	out, err := w.logs.listAnomalies(w.ctx, &api.ListAnomaliesInput{AnomalyDetectorArn: &w.arn, SuppressionState: state})
	if err != nil {
		w.Fatal(err)
	}
	return out.Anomalies
}

func (w *watched) update(in *api.UpdateAnomalyInput) {
	w.Helper()
	in.AnomalyDetectorArn = w.arn
	if _, err := w.logs.updateAnomaly(w.ctx, in); err != nil {
		w.Fatal(err)
	}
}

func (w *watched) status() string {
	w.Helper()
	out, err := w.logs.getLogAnomalyDetector(w.ctx, &api.GetLogAnomalyDetectorInput{AnomalyDetectorArn: w.arn})
	if err != nil {
		w.Fatal(err)
	}
	return out.AnomalyDetectorStatus
}

func TestDetectorsFindWhatIsUnusual(t *testing.T) {
	usual := map[string]int{"GET /orders/%d done": 5, "tick": 1}
	with := func(m string, n int) map[string]int {
		return map[string]int{"GET /orders/%d done": 5, "tick": 1, m: n}
	}
	for name, c := range map[string]struct {
		filter string
		last   map[string]int
		want   []string
	}{
		"nothing":                    {"", usual, nil},
		"a new pattern of an error":  {"", with("ERROR of order %d", 2), []string{"HIGH ERROR of order <*>"}},
		"a new pattern of a warning": {"", with("WARN low on disk", 1), []string{"MEDIUM WARN low on disk"}},
		"a new pattern, quiet":       {"", with("hello", 3), nil},
		"a new pattern in a burst":   {"", with("hello", 12), []string{"HIGH hello"}},
		"a burst":                    {"", with("GET /orders/%d done", 60), []string{"HIGH GET <*> done"}},
		"a little more":              {"", with("GET /orders/%d done", 12), nil},
		"some more":                  {"", with("GET /orders/%d done", 20), []string{"MEDIUM GET <*> done"}},
		"silence of a pattern":       {"", map[string]int{"tick": 1}, []string{"MEDIUM GET <*> done"}},
		"silence of a rare pattern":  {"", map[string]int{"GET /orders/%d done": 5}, nil},
		"what the filter leaves out": {"-ERROR", with("ERROR of order %d", 2), nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, func(in *api.CreateLogAnomalyDetectorInput) { in.FilterPattern = &c.filter })
			w.train(30)
			if w.status() != api.AnomalyDetectorStatusAnalyzing {
				t.Fatalf("after half an hour the detector is %s", w.status())
			}
			if got := w.list(""); len(got) > 0 {
				t.Fatalf("what is usual is an anomaly: %+v", got)
			}
			w.minute(c.last)
			var got []string
			for _, a := range w.list("") {
				got = append(got, *a.Priority+" "+a.PatternString)
				if !a.Active || a.State != api.StateActive || len(a.LogSamples) == 0 || len(a.Histogram) != 1 || a.FirstSeen != a.LastSeen || len(a.AnomalyId) != 36 || len(a.PatternId) != 32 {
					t.Errorf("the anomaly is %+v", a)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDetectorsLearnBeforeTheyJudge(t *testing.T) {
	ctx, l, c := setup(t)
	makeStream(t, ctx, l, "g", "s")
	putAt(t, ctx, l, "g", -3600, "ERROR of old 1")
	w := &watched{t, ctx, l, c, &tally{}, ""}
	l.options.Metrics = w.counts
	out, err := l.createLogAnomalyDetector(ctx, &api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{groupARN(scopeOf(ctx), "g")}, EvaluationFrequency: "ONE_MIN"})
	if err != nil {
		t.Fatal(err)
	}
	w.arn = *out.AnomalyDetectorArn
	if w.status() != api.AnomalyDetectorStatusInitializing {
		t.Errorf("a new detector is %s", w.status())
	}
	w.minute(map[string]int{"ERROR while it trains": 1})
	if w.status() != api.AnomalyDetectorStatusTraining {
		t.Errorf("in its first minutes a detector is %s", w.status())
	}
	w.train(20)
	w.minute(map[string]int{"ERROR while it trains": 1, "ERROR of old %d": 1, "GET /orders/%d done": 5})
	if got := w.list(""); len(got) > 0 {
		t.Errorf("what it has learnt is an anomaly: %+v", got)
	}
	w.minute(map[string]int{"ERROR at last": 1, "GET /orders/%d done": 5})
	if got := w.list(""); len(got) != 1 {
		t.Errorf("anomalies %+v, want one", got)
	}
}

func TestAnomaliesGoOnAndEnd(t *testing.T) {
	w := watch(t, nil)
	w.train(20)
	for range 2 {
		w.minute(map[string]int{"GET /orders/%d done": 5, "tick": 1, "ERROR of order %d": 2})
	}
	a := w.list("")[0]
	if a.LastSeen != a.FirstSeen+60_000 || len(a.Histogram) != 2 || !a.Active || *a.LogSamples[0].Message != "ERROR of order 0" {
		t.Errorf("a pattern that stays is %+v", a)
	}
	last := a.PatternTokens[len(a.PatternTokens)-1]
	if d := cmp.Diff(api.PatternToken{DynamicTokenPosition: ptr(int32(1)), IsDynamic: ptr(true), TokenString: ptr("<*>"), InferredTokenName: ptr("Number-1"), Enumerations: map[string]int64{"0": 1, "1": 1}}, last); d != "" {
		t.Error(d)
	}
	at := time.UnixMilli(a.LastSeen).Format(time.TimeOnly)
	var want []string
	for _, p := range []string{"HIGH", "LOW", "MEDIUM"} {
		want = append(want, "000000000000 us-east-1 AWS/Logs/AnomalyCount LogAnomalyDetector=d LogAnomalyPriority="+p+" "+at+"  n=1 sum=1")
	}
	if d := cmp.Diff(want, w.counts.got); d != "" {
		t.Error(d)
	}
	w.train(1)
	if a := w.list("")[0]; a.Active || a.State != api.StateActive {
		t.Errorf("a pattern that is gone is %+v", a)
	}
	w.clock.Advance(21 * 24 * time.Hour)
	if a := w.list("")[0]; a.State != api.StateBaseline {
		t.Errorf("after 21 days the anomaly is %s", a.State)
	}
}

func TestAnomaliesAreSuppressed(t *testing.T) {
	errs := map[string]int{"GET /orders/%d done": 5, "tick": 1, "ERROR of order %d": 2}
	for name, c := range map[string]struct {
		in        api.UpdateAnomalyInput // of the anomaly, unless it is of its pattern
		byPattern bool
		after     string
		back      bool // after two minutes
	}{
		"for ever":         {api.UpdateAnomalyInput{SuppressionType: "INFINITE"}, false, api.StateSuppressed, false},
		"for two minutes":  {api.UpdateAnomalyInput{SuppressionType: "LIMITED", SuppressionPeriod: &api.SuppressionPeriod{Value: ptr(int32(2)), SuppressionUnit: "MINUTES"}}, false, api.StateSuppressed, true},
		"with the pattern": {api.UpdateAnomalyInput{SuppressionType: "INFINITE"}, true, api.StateSuppressed, false},
		"as normal":        {api.UpdateAnomalyInput{Baseline: ptr(true)}, false, api.StateBaseline, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, nil)
			w.train(20)
			w.minute(errs)
			before := w.list("UNSUPPRESSED")[0]
			if c.in.AnomalyId = &before.AnomalyId; c.byPattern {
				c.in.AnomalyId, c.in.PatternId = nil, &before.PatternId
			}
			w.update(&c.in)
			w.minute(errs)
			got := w.list("")[0]
			if got.State != c.after || got.LastSeen != before.LastSeen || *got.Suppressed != (c.after == api.StateSuppressed) {
				t.Errorf("the anomaly is %+v", got)
			}
			if *got.Suppressed && (*got.IsPatternLevelSuppression != c.byPattern || len(w.list("SUPPRESSED")) != 1 || len(w.list("UNSUPPRESSED")) != 0) {
				t.Errorf("the suppression is %+v", got)
			}
			w.minute(errs)
			if back := w.list("")[0].State == api.StateActive; back != c.back {
				t.Errorf("after two minutes it is %s", w.list("")[0].State)
			}
			w.update(&api.UpdateAnomalyInput{AnomalyId: c.in.AnomalyId, PatternId: c.in.PatternId, Baseline: nil})
			if got := w.list("")[0]; *got.Suppressed {
				t.Errorf("after the end of the suppression it is %+v", got)
			}
		})
	}
}

func TestDetectorsAreChangedPausedAndDeleted(t *testing.T) {
	w := watch(t, nil)
	w.train(20)
	change := func(in api.UpdateLogAnomalyDetectorInput) {
		in.AnomalyDetectorArn = w.arn
		if _, err := w.logs.updateLogAnomalyDetector(w.ctx, &in); err != nil {
			t.Fatal(err)
		}
	}
	change(api.UpdateLogAnomalyDetectorInput{Enabled: false})
	w.minute(map[string]int{"ERROR while it rests": 1})
	if w.status() != api.AnomalyDetectorStatusPaused || len(w.list("")) != 0 {
		t.Errorf("a paused detector is %s and has found %+v", w.status(), w.list(""))
	}
	change(api.UpdateLogAnomalyDetectorInput{Enabled: true, AnomalyVisibilityTime: ptr(int64(7))})
	w.minute(map[string]int{"ERROR again": 1})
	if w.status() != api.AnomalyDetectorStatusAnalyzing || len(w.list("")) != 1 {
		t.Errorf("after its rest a detector is %s and has found %+v", w.status(), w.list(""))
	}
	change(api.UpdateLogAnomalyDetectorInput{Enabled: true, EvaluationFrequency: "TEN_MIN"})
	if w.status() != api.AnomalyDetectorStatusTraining {
		t.Errorf("with another frequency it is %s", w.status())
	}
	if _, err := w.logs.tagResource(w.ctx, &api.TagResourceInput{ResourceArn: w.arn, Tags: map[string]string{"c": "d"}}); err != nil {
		t.Fatal(err)
	}
	if tags, err := w.logs.listTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceArn: w.arn}); err != nil || len(tags.Tags) != 2 {
		t.Errorf("tags %+v %v", tags, err)
	}
	for group, want := range map[string]int{"g": 1, "h": 0} {
		list, err := w.logs.listLogAnomalyDetectors(w.ctx, &api.ListLogAnomalyDetectorsInput{FilterLogGroupArn: ptr(groupARN(scopeOf(w.ctx), group))})
		if err != nil || len(list.AnomalyDetectors) != want {
			t.Errorf("detectors of %s: %+v %v", group, list, err)
		}
	}
	if _, err := w.logs.deleteLogGroup(w.ctx, &api.DeleteLogGroupInput{LogGroupName: "g"}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(10 * time.Minute)
	if w.run(); w.status() != api.AnomalyDetectorStatusFailed {
		t.Errorf("without its group a detector is %s", w.status())
	}
	if _, err := w.logs.deleteLogAnomalyDetector(w.ctx, &api.DeleteLogAnomalyDetectorInput{AnomalyDetectorArn: w.arn}); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		second(w.logs.getLogAnomalyDetector(w.ctx, &api.GetLogAnomalyDetectorInput{AnomalyDetectorArn: w.arn})), second(w.logs.listAnomalies(w.ctx, &api.ListAnomaliesInput{AnomalyDetectorArn: &w.arn})),
	} {
		if service.Code(err) != "ResourceNotFoundException" {
			t.Errorf("after its deletion: %v", err)
		}
	}
}

func TestDetectorsThatAreRefused(t *testing.T) {
	ctx, l, _ := setup(t)
	makeStream(t, ctx, l, "g", "s")
	arn := groupARN(scopeOf(ctx), "g")
	for name, c := range map[string]struct {
		in   api.CreateLogAnomalyDetectorInput
		code string
	}{
		"no group":          {api.CreateLogAnomalyDetectorInput{}, "InvalidParameterException"},
		"two groups":        {api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{arn, arn}}, "InvalidParameterException"},
		"a name":            {api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{"g"}}, "InvalidParameterException"},
		"another account":   {api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{"arn:aws:logs:us-east-1:111111111111:log-group:g"}}, "InvalidParameterException"},
		"a missing group":   {api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{arn + "one"}}, "ResourceNotFoundException"},
		"a key":             {api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{arn}, KmsKeyId: ptr("k")}, "InvalidParameterException"},
		"six days":          {api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{arn}, AnomalyVisibilityTime: ptr(int64(6))}, "InvalidParameterException"},
		"another frequency": {api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{arn}, EvaluationFrequency: "TWO_MIN"}, "InvalidParameterException"},
		"a broken pattern":  {api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{arn}, FilterPattern: ptr("{ $.a")}, "InvalidParameterException"},
	} {
		if _, err := l.createLogAnomalyDetector(ctx, &c.in); service.Code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	w := watch(t, nil)
	for name, c := range map[string]struct {
		in   api.UpdateAnomalyInput
		code string
	}{
		"neither":         {api.UpdateAnomalyInput{}, "InvalidParameterException"},
		"both":            {api.UpdateAnomalyInput{AnomalyId: ptr("a"), PatternId: ptr("p")}, "InvalidParameterException"},
		"no period":       {api.UpdateAnomalyInput{AnomalyId: ptr("a"), SuppressionType: "LIMITED"}, "InvalidParameterException"},
		"a period alone":  {api.UpdateAnomalyInput{AnomalyId: ptr("a"), SuppressionPeriod: &api.SuppressionPeriod{}}, "InvalidParameterException"},
		"a missing one":   {api.UpdateAnomalyInput{AnomalyId: ptr("a"), SuppressionType: "INFINITE"}, "ResourceNotFoundException"},
		"no such pattern": {api.UpdateAnomalyInput{PatternId: ptr("p"), SuppressionType: "INFINITE"}, "ResourceNotFoundException"},
	} {
		c.in.AnomalyDetectorArn = w.arn
		if _, err := w.logs.updateAnomaly(w.ctx, &c.in); service.Code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestDetectorsRunByThemselves(t *testing.T) {
	ctx, l, _, c := scheduling(t)
	makeStream(t, ctx, l, "g", "s")
	out, err := l.createLogAnomalyDetector(ctx, &api.CreateLogAnomalyDetectorInput{LogGroupArnList: []string{groupARN(scopeOf(ctx), "g")}})
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t, ctx, l, c, nil, *out.AnomalyDetectorArn}
	again, end := time.NewTicker(time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	reaches := func(status string) {
		t.Helper()
		for w.status() != status {
			select {
			case <-again.C:
			case <-end:
				t.Fatalf("the detector is %s, and never %s", w.status(), status)
			}
		}
	}
	reaches(api.AnomalyDetectorStatusTraining)
	c.Advance(20*time.Minute + lateFor)
	reaches(api.AnomalyDetectorStatusAnalyzing)
}
