package logs

import (
	"context"
	"errors"
	"strconv"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// anomaly is the record of something that a detector has found wrong with a pattern. Times are Unix milliseconds.
type anomaly struct {
	ID, Detector, Group, Pattern string
	Kind                         string
	Parts                        []patternPart
	Priority                     priority
	First, Last                  int64
	Description                  string
	Active                       bool
	Histogram                    []windowCount // of the last runs that saw it
	Samples                      []sampleEvent
	Values                       []map[string]int64 `json:",omitempty"`
	Peak                         int64              // the greatest count
	Baseline                     bool               `json:",omitempty"` // the user takes it for normal
	Suppressed                   *suppression       `json:",omitempty"`
}

// suppression tells since when an anomaly or a pattern is not wanted, and until when: 0 is for ever.
type suppression struct {
	Since int64
	Until int64 `json:",omitempty"`
	// Pattern tells that it is one of the whole pattern.
	Pattern bool `json:",omitempty"`
}

// on tells whether a suppression holds; there may be none.
func (x *suppression) on(now int64) bool { return x != nil && (x.Until == 0 || now < x.Until) }

// see notes that a run at a time saw an anomaly, with a number of log events.
func (a *anomaly) see(ran, n int64) {
	a.Last, a.Active, a.Peak = ran, true, max(a.Peak, n)
	a.Histogram = append(a.Histogram, windowCount{ran, n})
	a.Histogram = a.Histogram[max(len(a.Histogram)-maxWindows, 0):]
}

// normal tells whether an anomaly is taken for normal, because the user says so or it has been there for as many days as it is visible.
func (a *anomaly) normal(now, days int64) bool {
	return a.Baseline || now >= a.First+days*24*time.Hour.Milliseconds()
}

// quiet tells whether an anomaly is not reported any more.
func (a *anomaly) quiet(now, days int64) bool { return a.Suppressed.on(now) || a.normal(now, days) }

func (a *anomaly) shown(s scope, now, days int64) api.Anomaly {
	out := api.Anomaly{
		AnomalyId: a.ID, PatternId: a.Pattern, AnomalyDetectorArn: detectorARN(s, a.Detector), PatternString: patternText(a.Parts), PatternRegex: ptr(patternRegex(a.Parts)), Priority: ptr(a.Priority.String()),
		FirstSeen: a.First, LastSeen: a.Last, Description: a.Description, Active: a.Active, State: api.StateActive, Histogram: map[string]int64{}, LogSamples: []api.LogEvent{},
		PatternTokens: patternTokens(a.Parts, a.Values), LogGroupArnList: []string{a.Group}, Suppressed: ptr(false),
	}
	for _, w := range a.Histogram {
		out.Histogram[strconv.FormatInt(w.At, 10)] = w.N
	}
	for _, e := range a.Samples {
		out.LogSamples = append(out.LogSamples, api.LogEvent{Timestamp: ptr(e.At), Message: ptr(e.Message)})
	}
	switch {
	case a.Suppressed.on(now):
		out.State, out.Suppressed, out.SuppressedDate, out.SuppressedUntil = api.StateSuppressed, ptr(true), ptr(a.Suppressed.Since), ptr(a.Suppressed.Until)
		out.IsPatternLevelSuppression = ptr(a.Suppressed.Pattern)
	case a.normal(now, days):
		out.State = api.StateBaseline
	}
	return out
}

func (l *Logs) listAnomalies(ctx context.Context, in *api.ListAnomaliesInput) (*api.ListAnomaliesOutput, error) {
	s, now := scopeOf(ctx), l.nowMS()
	prefix, days := s.anomalies(), map[string]int64{}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		if in.AnomalyDetectorArn != nil {
			d, err := getDetector(r, s, *in.AnomalyDetectorArn)
			prefix, days[d.ID] = s.anomaliesOf(d.ID), d.Visible
			return err
		}
		all, err := record.List[detector](r, s.detectors().Span())
		for i := range all {
			days[all[i].ID] = all[i].Visible
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListAnomaliesOutput{Anomalies: []api.Anomaly{}}
	next, err := record.PageRows(ctx, l.deps.Store, prefix, record.Paging{Token: in.NextToken, Limit: limitOf(in.Limit, 50)}, func(_ []byte, a anomaly) bool {
		if in.SuppressionState != "" && a.Suppressed.on(now) != (in.SuppressionState == api.SuppressionStateSuppressed) {
			return false
		}
		out.Anomalies = append(out.Anomalies, a.shown(s, now, days[a.Detector]))
		return true
	})
	if errors.Is(err, record.ErrToken) {
		err = invalid("The specified nextToken is invalid.")
	}
	if err != nil {
		return nil, err
	}
	out.NextToken = next
	return out, nil
}

var suppressionUnits = map[string]time.Duration{api.SuppressionUnitSeconds: time.Second, api.SuppressionUnitMinutes: time.Minute, api.SuppressionUnitHours: time.Hour}

// suppressionOf returns the suppression that a call asks for, nil when it asks for its end.
func (l *Logs) suppressionOf(in *api.UpdateAnomalyInput) (*suppression, error) {
	x := &suppression{Since: l.nowMS(), Pattern: in.PatternId != nil}
	switch in.SuppressionType {
	case "":
		if in.SuppressionPeriod != nil {
			return nil, invalid("A suppressionPeriod needs the suppressionType LIMITED.")
		}
		return nil, nil //nolint:nilnil // no suppression is wanted
	case api.SuppressionTypeInfinite:
		return x, nil
	case api.SuppressionTypeLimited:
	default:
		return nil, invalid("The suppressionType %s is neither LIMITED nor INFINITE.", in.SuppressionType)
	}
	if p := in.SuppressionPeriod; p != nil && opt.Value(p.Value) > 0 && suppressionUnits[p.SuppressionUnit] > 0 {
		x.Until = x.Since + int64(*p.Value)*suppressionUnits[p.SuppressionUnit].Milliseconds()
		return x, nil
	}
	return nil, invalid("The suppressionType LIMITED needs a suppressionPeriod: a value of 1 or more, and a suppressionUnit of SECONDS, MINUTES or HOURS.")
}

// updateAnomaly suppresses an anomaly or all of a pattern, ends that, or takes them for normal.
func (l *Logs) updateAnomaly(ctx context.Context, in *api.UpdateAnomalyInput) (*api.UpdateAnomalyOutput, error) {
	if (in.AnomalyId == nil) == (in.PatternId == nil) {
		return nil, invalid("Give either the anomalyId or the patternId.")
	}
	x, err := l.suppressionOf(in)
	if err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	// A call that says only what is normal leaves the suppression as it is.
	suppresses := in.Baseline == nil || in.SuppressionType != ""
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := getDetector(tx, s, in.AnomalyDetectorArn)
		if err != nil {
			return err
		}
		there := false
		if in.PatternId != nil && suppresses {
			if there, err = suppressPattern(tx, s, d.ID, *in.PatternId, x); err != nil {
				return err
			}
		}
		rows, err := record.List[anomaly](tx, s.anomaliesOf(d.ID).Span())
		if err != nil {
			return err
		}
		for i := range rows {
			a := &rows[i]
			if a.ID != opt.Value(in.AnomalyId) && a.Pattern != opt.Value(in.PatternId) {
				continue
			}
			there = true
			if suppresses {
				a.Suppressed = x
			}
			if in.Baseline != nil {
				a.Baseline = *in.Baseline
			}
			if err := record.Set(tx, s.anomaly(d.ID, a.ID), *a); err != nil {
				return err
			}
		}
		if !there {
			return service.Errorf("ResourceNotFoundException", "The anomaly detector %s has found no such anomaly or pattern. ListAnomalies lists those that it has.", in.AnomalyDetectorArn)
		}
		return nil
	})
	return &api.UpdateAnomalyOutput{}, unavailable(err)
}

// suppressPattern sets the suppression of a pattern, and tells whether the detector knows it.
func suppressPattern(tx store.Txn, s scope, detector, id string, x *suppression) (bool, error) {
	k, ok, err := record.Get[learnt](tx, s.learntPattern(detector, id))
	if err != nil || !ok {
		return false, err
	}
	k.Suppressed = x
	return true, record.Set(tx, s.learntPattern(detector, id), k)
}
