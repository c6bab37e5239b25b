package logs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// maxDetectors is how many anomaly detectors an account has in a region.
	maxDetectors = 500
	// visibleFor is how many days an anomaly is one, unless the detector says otherwise, and minVisible and maxVisible are what it may say
	// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogAnomalyDetector.html).
	visibleFor, minVisible, maxVisible = 21, 7, 90
)

// frequencies are the evaluation frequencies: how long a window is.
var frequencies = map[string]time.Duration{
	api.EvaluationFrequencyOneMin: time.Minute, api.EvaluationFrequencyFiveMin: 5 * time.Minute, api.EvaluationFrequencyTenMin: 10 * time.Minute,
	api.EvaluationFrequencyFifteenMin: 15 * time.Minute, api.EvaluationFrequencyThirtyMin: 30 * time.Minute, api.EvaluationFrequencyOneHour: time.Hour,
}

// detector is the record of a log anomaly detector. Times are Unix milliseconds.
type detector struct {
	ID        string
	Name      string `json:",omitempty"`
	Group     string // ARN, as it was given
	Frequency string
	Filter    string            `json:",omitempty"`
	Visible   int64             // days
	Tags      map[string]string `json:",omitempty"`
	Paused    bool              `json:",omitempty"`
	// Broken tells that the log group was gone when it was last looked at.
	Broken            bool `json:",omitempty"`
	Created, Modified int64
	// Read is where the windows begin that were not looked at yet, Since where those began that were looked at one after another, beginning with one that has events, and Trained up to where windows only train.
	Read, Since, Trained int64
}

func detectorARN(s scope, id string) string {
	return "arn:aws:logs:" + s.region + ":" + s.account + ":anomaly-detector:" + id
}

func (d *detector) width() int64 { return frequencies[d.Frequency].Milliseconds() }

// train makes the detector learn anew, from the events of two weeks before now on.
func (d *detector) train(now int64) {
	from := now - trainFrom.Milliseconds()
	d.Read = from - from%d.width()
	d.Since, d.Trained = d.Read, now+trainFor.Milliseconds()
}

// resume goes on at a time with what was learnt. What was not looked at in between is no measure.
func (d *detector) resume(now int64) {
	d.Read = now - now%d.width()
	d.Since = d.Read
}

func (d *detector) status() string {
	switch {
	case d.Paused:
		return api.AnomalyDetectorStatusPaused
	case d.Broken:
		return api.AnomalyDetectorStatusFailed
	case d.Read <= d.Created-trainFrom.Milliseconds():
		return api.AnomalyDetectorStatusInitializing
	case d.Read < d.Trained:
		return api.AnomalyDetectorStatusTraining
	}
	return api.AnomalyDetectorStatusAnalyzing
}

func (d *detector) shown(s scope) *api.AnomalyDetector {
	return &api.AnomalyDetector{
		AnomalyDetectorArn: ptr(detectorARN(s, d.ID)), DetectorName: opt.Of(d.Name), LogGroupArnList: []string{d.Group}, EvaluationFrequency: d.Frequency, FilterPattern: opt.Of(d.Filter),
		AnomalyDetectorStatus: d.status(), CreationTimeStamp: &d.Created, LastModifiedTimeStamp: &d.Modified, AnomalyVisibilityTime: &d.Visible,
	}
}

// getDetector returns a detector by its ARN, or ResourceNotFoundException.
func getDetector(r store.Reader, s scope, resource string) (detector, error) {
	_, id, _ := strings.Cut(resource, ":anomaly-detector:")
	d, ok, err := record.Get[detector](r, s.detector(id))
	if err == nil && (!ok || resource != detectorARN(s, id)) {
		err = service.Errorf("ResourceNotFoundException", "The anomaly detector %s does not exist. ListLogAnomalyDetectors lists those that do.", resource)
	}
	return d, err
}

// settings checks what a detector can be told when it is made and when it is changed, and takes what is given.
func (d *detector) settings(frequency string, filter *string, visible *int64) error {
	d.Frequency, d.Visible = cmp.Or(frequency, d.Frequency), cmp.Or(opt.Value(visible), d.Visible)
	if filter != nil {
		d.Filter = *filter
	}
	if frequencies[d.Frequency] == 0 {
		return invalid("The evaluationFrequency %s is none of ONE_MIN, FIVE_MIN, TEN_MIN, FIFTEEN_MIN, THIRTY_MIN and ONE_HOUR.", d.Frequency)
	}
	if d.Visible < minVisible || d.Visible > maxVisible {
		return invalid("The anomalyVisibilityTime must be %d to %d days.", minVisible, maxVisible)
	}
	_, err := compilePattern(&d.Filter)
	return err
}

func (l *Logs) createLogAnomalyDetector(ctx context.Context, in *api.CreateLogAnomalyDetectorInput) (*api.CreateLogAnomalyDetectorOutput, error) {
	s := scopeOf(ctx)
	switch {
	case in.KmsKeyId != nil:
		return nil, service.Unsupported("InvalidParameterException", "CreateLogAnomalyDetector", "kmsKeyId")
	case len(in.LogGroupArnList) != 1:
		return nil, invalid("The logGroupArnList must have the ARN of one log group.")
	case len(in.Tags) > maxTags:
		return nil, invalid("An anomaly detector has at most %d tags.", maxTags)
	}
	group := in.LogGroupArnList[0]
	if a, err := arn.Parse(group); err != nil || group != groupARN(s, groupName(group)) && a.Account == s.account && a.Region == s.region {
		return nil, invalid("%s is no ARN of a log group: expected one of the form %s.", group, groupARN(s, "NAME"))
	} else if a.Account != s.account || a.Region != s.region {
		return nil, invalid("The log group of an anomaly detector must be in its account and region.")
	}
	d := detector{Name: opt.Value(in.DetectorName), Group: group, Tags: in.Tags, Frequency: api.EvaluationFrequencyFiveMin, Visible: visibleFor, Created: l.nowMS()}
	if err := d.settings(in.EvaluationFrequency, in.FilterPattern, in.AnomalyVisibilityTime); err != nil {
		return nil, err
	}
	var err error
	if d.ID, err = uuid.New(l.deps.Random); err != nil {
		return nil, err
	}
	d.Modified = d.Created
	d.train(d.Created)
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := getGroup(tx, s, d.Group); err != nil {
			return err
		}
		if err := room(tx, s.detectors(), maxDetectors, "anomaly detectors"); err != nil {
			return err
		}
		return l.keepDetector(tx, s, &d)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.CreateLogAnomalyDetectorOutput{AnomalyDetectorArn: ptr(detectorARN(s, d.ID))}, nil
}

// keepDetector writes a detector and plans its next run, or ends them when it is paused.
func (l *Logs) keepDetector(tx store.Txn, s scope, d *detector) error {
	if err := record.Set(tx, s.detector(d.ID), *d); err != nil {
		return err
	}
	if d.Paused {
		return events.Cancel(tx, detectKind, detectorARN(s, d.ID))
	}
	return armDetector(tx, s, d)
}

func (l *Logs) getLogAnomalyDetector(ctx context.Context, in *api.GetLogAnomalyDetectorInput) (*api.GetLogAnomalyDetectorOutput, error) {
	s := scopeOf(ctx)
	d, err := viewed(ctx, l, func(r store.Reader) (detector, error) { return getDetector(r, s, in.AnomalyDetectorArn) })
	if err != nil {
		return nil, err
	}
	return reshape.To[api.GetLogAnomalyDetectorOutput](d.shown(s)), nil
}

func (l *Logs) listLogAnomalyDetectors(ctx context.Context, in *api.ListLogAnomalyDetectorsInput) (*api.ListLogAnomalyDetectorsOutput, error) {
	s := scopeOf(ctx)
	out := &api.ListLogAnomalyDetectorsOutput{AnomalyDetectors: []api.AnomalyDetector{}}
	next, err := record.Page(ctx, l.deps.Store, s.detectors(), record.Paging{Token: in.NextToken, Limit: limitOf(in.Limit, 50)}, func(_ string, d detector) bool {
		if in.FilterLogGroupArn != nil && *in.FilterLogGroupArn != d.Group {
			return false
		}
		out.AnomalyDetectors = append(out.AnomalyDetectors, *d.shown(s))
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

func (l *Logs) updateLogAnomalyDetector(ctx context.Context, in *api.UpdateLogAnomalyDetectorInput) (*api.UpdateLogAnomalyDetectorOutput, error) {
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := getDetector(tx, s, in.AnomalyDetectorArn)
		if err != nil {
			return err
		}
		old := d
		if err := d.settings(in.EvaluationFrequency, in.FilterPattern, in.AnomalyVisibilityTime); err != nil {
			return err
		}
		now := l.nowMS()
		d.Modified, d.Paused = now, !in.Enabled
		switch {
		case d.Frequency != old.Frequency || d.Filter != old.Filter: // the counts are of other windows or other events
			if err := l.unlearn(tx, s, d.ID); err != nil {
				return err
			}
			d.train(now)
		case old.Paused && in.Enabled:
			d.resume(now)
		}
		return l.keepDetector(tx, s, &d)
	})
	return &api.UpdateLogAnomalyDetectorOutput{}, unavailable(err)
}

// unlearn drops what a detector has learnt, and keeps which patterns are suppressed.
func (l *Logs) unlearn(tx store.Txn, s scope, id string) error {
	rows, err := record.List[learnt](tx, s.learnt(id).Span())
	if err != nil {
		return err
	}
	tx.DeleteRange(s.learnt(id), s.learnt(id).End())
	for _, k := range slices.DeleteFunc(rows, func(k learnt) bool { return !k.Suppressed.on(l.nowMS()) }) {
		k.Windows, k.Peak = nil, 0
		if err := record.Set(tx, s.learntPattern(id, patternID(patternText(k.Parts))), k); err != nil {
			return err
		}
	}
	return nil
}

func (l *Logs) deleteLogAnomalyDetector(ctx context.Context, in *api.DeleteLogAnomalyDetectorInput) (*api.DeleteLogAnomalyDetectorOutput, error) {
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := getDetector(tx, s, in.AnomalyDetectorArn)
		if err != nil {
			return err
		}
		tx.Delete(s.detector(d.ID))
		tx.DeleteRange(s.learnt(d.ID), s.learnt(d.ID).End())
		tx.DeleteRange(s.anomaliesOf(d.ID), s.anomaliesOf(d.ID).End())
		return events.Cancel(tx, detectKind, detectorARN(s, d.ID))
	})
	return &api.DeleteLogAnomalyDetectorOutput{}, unavailable(err)
}
