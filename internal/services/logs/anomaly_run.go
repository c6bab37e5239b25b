package logs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// detectKind is the job that looks at the events of a detector's next windows.
	detectKind = "logs.anomalydetector"
	// trainFrom is how far back the events are from which a detector learns at first, and trainFor how long it only learns
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/LogsAnomalyDetection.html).
	trainFrom, trainFor = 14 * 24 * time.Hour, 15 * time.Minute
	// lateFor is how long after its end a window is looked at, so that events may come late.
	lateFor = 30 * time.Second
	// maxLook is how many events a run looks at, and at most of one window. A run ends at the end of a window.
	maxLook = 50_000
	// maxAnomalies is how many anomalies of a detector are kept; the one that was not seen for longest goes first.
	maxAnomalies = 500
)

// armDetector plans the next run of a detector: when its next window is over.
func armDetector(tx store.Txn, s scope, d *detector) error {
	return events.Enqueue(tx, events.Job{
		Kind: detectKind, Name: detectorARN(s, d.ID), Payload: key.New(s.account, s.region, d.ID), NotBefore: time.UnixMilli(d.Read + d.width()).Add(lateFor),
	})
}

// detect looks at the windows that are over.
func (l *Logs) detect(ctx context.Context, job events.Job) error {
	p := key.Decode(job.Payload)
	s, id := scope{p.Str(), p.Str()}, p.Str()
	if err := p.Done(); err != nil {
		return events.Permanent(err)
	}
	k, err := l.look(ctx, s, id)
	if err != nil || k == nil {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error { return l.conclude(tx, s, k) })
}

// look reads the windows of a detector that are over; nil when it is gone or paused.
func (l *Logs) look(ctx context.Context, s scope, id string) (*look, error) {
	d, err := viewed(ctx, l, func(r store.Reader) (detector, error) { return getDetector(r, s, detectorARN(s, id)) })
	if err != nil || d.Paused {
		return nil, gone(err)
	}
	if err := l.sink.Flush(ctx); err != nil {
		return nil, err
	}
	now := l.nowMS()
	over := now - lateFor.Milliseconds()
	k := &look{d: &d, now: now, end: max(over-over%d.width(), d.Read), judged: max(d.Trained, over-maxWindows*d.width())}
	return k, l.lookAt(ctx, s, k)
}

// look is what a run sees: the windows that have events, in their order.
type look struct {
	d   *detector
	now int64
	// end is where the windows begin that are not looked at; windows before judged only train.
	end, judged int64
	windows     []*window
	gone        bool // there is no log group
	total, n    int  // events of all windows, and of the last one
}

// lookAt reads the events of the windows up to k.end, and brings that forward to where it stopped.
func (l *Logs) lookAt(ctx context.Context, s scope, k *look) error {
	match, err := compilePattern(&k.d.Filter)
	if err != nil {
		return events.Permanent(err)
	}
	from := position{ms: k.d.Read}
	for more := true; more; {
		more = false
		err := l.deps.Store.View(ctx, func(r store.Reader) error {
			g, err := getGroup(r, s, k.d.Group)
			if service.Code(err) == "ResourceNotFoundException" {
				k.gone = true
				return nil
			}
			if err != nil {
				return err
			}
			read := 0
			for e, err := range inGroup(r, s, g.ID, from, position{ms: k.end}, everyStream) {
				if err != nil {
					return err
				}
				if read++; read > readAtOnce {
					from, more = e.position, true
					return nil
				}
				if !k.begin(e.ms - e.ms%k.d.width()) {
					k.end = e.ms - e.ms%k.d.width()
					return nil
				}
				if k.n++; k.n > maxLook {
					from, more = position{ms: k.windows[len(k.windows)-1].at + k.d.width()}, true
					return nil
				}
				if k.total++; match(e.message) {
					k.add(&e)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// begin goes on to the window of an event. It tells whether there is room for its events in this run.
func (k *look) begin(at int64) bool {
	if n := len(k.windows); n > 0 && k.windows[n-1].at == at {
		return true
	}
	if k.total >= maxLook {
		return false
	}
	k.windows, k.n = append(k.windows, &window{at: at, patterns: map[string]*seenPattern{}}), 0
	return true
}

// add counts an event of the last window. Patterns beyond twice as many as are known are left out.
func (k *look) add(e *event) {
	w, t := k.windows[len(k.windows)-1], tokenise(e.message)
	if t.pattern == "" {
		return
	}
	id := patternID(t.pattern)
	seen := w.patterns[id]
	if seen == nil {
		if len(w.patterns) >= 2*maxPatterns {
			return
		}
		seen = &seenPattern{parts: t.parts}
		w.patterns[id] = seen
	}
	seen.add(&t, e.ms, e.message, w.at < k.judged)
}

// conclude learns from what a run saw, keeps the anomalies, and plans the next run. A detector that was changed since has another run planned.
func (l *Logs) conclude(tx store.Txn, s scope, k *look) error {
	d, err := getDetector(tx, s, detectorARN(s, k.d.ID))
	if err != nil || d.Paused || d.Read != k.d.Read || d.Modified != k.d.Modified {
		return gone(err)
	}
	if d.Since == d.Read { // windows before the first event are no measure
		if d.Since = k.end; len(k.windows) > 0 {
			d.Since = k.windows[0].at
		}
	}
	if d.Broken = k.gone; !k.gone {
		v, err := openVerdict(tx, s, &d, k.now)
		if err != nil {
			return err
		}
		v.windows(k)
		if err := v.keep(tx, s); err != nil {
			return err
		}
		if err := l.countAnomalies(tx, s, &d, v.counted); err != nil {
			return err
		}
	}
	d.Read = k.end
	return l.keepDetector(tx, s, &d)
}

// verdict is what a detector knows and has found, while a run adds to it.
type verdict struct {
	d       *detector
	now     int64
	model   model
	found   map[string]*anomaly // by id
	changed map[string]bool     // the anomalies that did
	counted map[int64][high + 1]int
}

func openVerdict(r store.Reader, s scope, d *detector, now int64) (*verdict, error) {
	v := &verdict{d: d, now: now, found: map[string]*anomaly{}, changed: map[string]bool{}, counted: map[int64][high + 1]int{}}
	v.model = model{patterns: map[string]*learnt{}, changed: map[string]bool{}, since: d.Since, width: d.width()}
	for row, err := range record.Range[learnt](r, s.learnt(d.ID).Span()) {
		if err != nil {
			return nil, err
		}
		v.model.patterns[patternID(patternText(row.Value.Parts))] = &row.Value
	}
	for row, err := range record.Range[anomaly](r, s.anomaliesOf(d.ID).Span()) {
		if err != nil {
			return nil, err
		}
		v.found[row.Value.ID] = &row.Value
	}
	return v, nil
}

// windows learns from the windows of a run. Those that are judged are so when they have no events, too.
func (v *verdict) windows(k *look) {
	rest := k.windows
	for len(rest) > 0 && rest[0].at < k.judged {
		v.model.learn(rest[0], false)
		rest = rest[1:]
	}
	width := v.d.width()
	first := max(k.judged+(width-k.judged%width)%width, v.d.Read)
	for at := first; at < k.end; at += width {
		w := &window{at: at}
		if len(rest) > 0 && rest[0].at == at {
			w, rest = rest[0], rest[1:]
		}
		v.judge(w)
	}
}

// judge learns from a window, and keeps what is wrong in it.
func (v *verdict) judge(w *window) {
	ran, began := w.at+v.d.width(), 0
	seen := map[string]bool{}
	for _, f := range v.model.learn(w, true) {
		id := uuid.Of(v.d.ID, f.pattern, f.kind)
		a := v.found[id]
		if known := v.model.patterns[f.pattern]; known != nil && known.Suppressed.on(v.now) {
			continue
		}
		switch {
		case a == nil && began == maxFindings:
			continue
		case a == nil || a.normal(v.now, v.d.Visible) && !a.Suppressed.on(v.now) && f.kind == kindBurst && f.n > 2*a.Peak:
			began++
			a = &anomaly{ID: id, Detector: v.d.ID, Group: v.d.Group, Pattern: f.pattern, Kind: f.kind, Parts: f.parts, First: ran}
			v.found[id] = a
		case a.Suppressed.on(v.now) || a.normal(v.now, v.d.Visible):
			continue
		}
		a.Priority, a.Description, a.Samples, a.Values = f.priority, f.description, f.samples, f.values
		a.see(ran, f.n)
		seen[id] = true
	}
	for id, a := range v.found {
		still := w.patterns[a.Pattern]
		switch {
		case seen[id]:
		case a.Active && a.Kind == kindNew && still != nil && !a.quiet(v.now, v.d.Visible):
			a.see(ran, still.n)
			seen[id] = true
		case a.Active:
			a.Active = false
			v.changed[id] = true
		}
	}
	for id := range seen {
		v.changed[id] = true
		n := v.counted[ran]
		for p := low; p <= v.found[id].Priority; p++ {
			n[p]++
		}
		v.counted[ran] = n
	}
}

// keep writes what has changed.
func (v *verdict) keep(tx store.Txn, s scope) error {
	if over := len(v.found) - maxAnomalies; over > 0 {
		ids := slices.SortedFunc(maps.Keys(v.found), func(a, b string) int { return cmp.Or(cmp.Compare(v.found[a].Last, v.found[b].Last), cmp.Compare(a, b)) })
		for _, id := range ids[:over] {
			delete(v.found, id)
			v.changed[id] = true
		}
	}
	for id := range v.changed {
		a := v.found[id]
		if a == nil {
			tx.Delete(s.anomaly(v.d.ID, id))
			continue
		}
		if err := record.Set(tx, s.anomaly(v.d.ID, id), *a); err != nil {
			return err
		}
	}
	for id := range v.model.changed {
		k := v.model.patterns[id]
		if k == nil {
			tx.Delete(s.learntPattern(v.d.ID, id))
			continue
		}
		if err := record.Set(tx, s.learntPattern(v.d.ID, id), *k); err != nil {
			return err
		}
	}
	return nil
}

// countAnomalies puts the metric AnomalyCount: how many anomalies a run saw, of a priority and above
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/LogsAnomalyDetection.html).
func (l *Logs) countAnomalies(tx store.Txn, s scope, d *detector, counted map[int64][high + 1]int) error {
	var data []port.MetricDatum
	for ran, of := range counted {
		for p := low; p <= high; p++ {
			if of[p] > 0 {
				data = append(data, port.MetricDatum{
					Namespace: "AWS/Logs", Name: "AnomalyCount", At: time.UnixMilli(ran), Samples: meter.Of(float64(of[p]), 1),
					Dimensions: []meter.Dimension{{Name: "LogAnomalyDetector", Value: cmp.Or(d.Name, d.ID)}, {Name: "LogAnomalyPriority", Value: p.String()}},
				})
			}
		}
	}
	if data == nil {
		return nil
	}
	return l.options.Metrics.PutMetrics(tx, s.account, s.region, data)
}
