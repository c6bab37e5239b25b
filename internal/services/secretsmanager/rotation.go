package secretsmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/schedule"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	rotateKind   = "secretsmanager.rotate"
	scheduleKind = "secretsmanager.schedule"
	// rotationTries is how often a rotation is tried before it waits for the next date.
	rotationTries = 5
	maxAfterDays  = 1000
)

// The steps of a rotation, see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html.
const stepTest = "testSecret"

func steps() []string { return []string{"createSecret", "setSecret", stepTest, "finishSecret"} }

// rotationRecord is how a secret is rotated.
type rotationRecord struct {
	Enabled            bool
	Function           string
	AfterDays          int64     `json:",omitempty"`
	Duration, Schedule string    `json:",omitempty"`
	Last               time.Time `json:",omitzero"`
	Next               time.Time `json:",omitzero"`
}

func (r *rotationRecord) rules() *api.RotationRulesType {
	if r.AfterDays == 0 && r.Schedule == "" {
		return nil
	}
	out := &api.RotationRulesType{Duration: opt.Of(r.Duration), ScheduleExpression: opt.Of(r.Schedule), AutomaticallyAfterDays: opt.Of(r.AfterDays)}
	return out
}

var durations = regexp.MustCompile(`^[1-9][0-9]?h$`)

// setRules takes over rules.
func (r *rotationRecord) setRules(in *api.RotationRulesType) error {
	if in == nil {
		return nil
	}
	days, text := opt.Value(in.AutomaticallyAfterDays), opt.Value(in.ScheduleExpression)
	switch {
	case days != 0 && text != "":
		return badParameter("You can't specify both AutomaticallyAfterDays and ScheduleExpression.")
	case days < 0 || days > maxAfterDays:
		return badParameter("AutomaticallyAfterDays must be between 1 and %d.", maxAfterDays)
	case in.Duration != nil && !durations.MatchString(*in.Duration):
		return badParameter("Duration must be a number of hours such as 3h.")
	}
	if text != "" {
		if _, err := schedule.Parse(text, schedule.Rules); err != nil {
			return badParameter("Invalid ScheduleExpression %s: it must be a cron or a rate expression such as cron(0 8 1 * ? *) or rate(10 days).", text)
		}
	}
	r.AfterDays, r.Schedule, r.Duration = days, text, opt.Value(in.Duration)
	return nil
}

// after returns the next date of the rotation, or the zero time.
func (r *rotationRecord) after(now time.Time) time.Time {
	if r.Schedule == "" {
		if r.AfterDays == 0 {
			return time.Time{}
		}
		return now.Add(time.Duration(r.AfterDays) * day)
	}
	e, err := schedule.Parse(r.Schedule, schedule.Rules)
	if err != nil {
		return time.Time{}
	}
	next, _ := e.Next(now, now, time.UTC)
	return next
}

// job is a rotation, or names the secret that a timer is about.
type job struct {
	Account, Region, Name string
	// Version is the one that is made; OnlyTest calls one step, to see whether the function can be used.
	Version  string `json:",omitempty"`
	OnlyTest bool   `json:",omitempty"`
}

func (f *found) job(kind string, at time.Time, of job) (events.Job, error) {
	of.Account, of.Region, of.Name = f.account, f.region, f.Name
	payload, err := json.Marshal(of)
	return events.Job{Kind: kind, Name: f.arn(), Payload: payload, NotBefore: at}, err
}

func jobOf(j events.Job) (p place, of job, err error) {
	if err := json.Unmarshal(j.Payload, &of); err != nil {
		return p, of, events.Permanent(fmt.Errorf("decode job: %w", err))
	}
	return place{of.Account, of.Region}, of, nil
}

func (f *found) source() port.Source {
	return port.Source{Service: "secretsmanager.amazonaws.com", ARN: f.arn(), Account: f.account}
}

func (s *Service) rotateSecret(ctx context.Context, in *api.RotateSecretInput) (*api.RotateSecretOutput, error) {
	if len(in.ExternalSecretRotationMetadata) > 0 || in.ExternalSecretRotationRoleArn != nil {
		return nil, unsupported("RotateSecret", "ExternalSecretRotationMetadata")
	}
	if err := needToken(codeParameter, in.ClientRequestToken); err != nil {
		return nil, err
	}
	f, err := s.find(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := f.changeable(); err != nil {
		return nil, err
	}
	function := opt.Value(in.RotationLambdaARN)
	if function == "" && f.Rotation != nil {
		function = f.Rotation.Function
	}
	if function == "" {
		return nil, badRequest("No Lambda rotation function ARN is associated with this secret.")
	}
	if err := s.options.Functions.CheckInvoke(ctx, f.source(), function); err != nil {
		return nil, refused(codeDenied, "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
	}
	version, now := *in.ClientRequestToken, in.RotateImmediately == nil || *in.RotateImmediately
	f, err = s.change(ctx, in.SecretId, func(tx store.Txn, f *found) error {
		if err := f.changeable(); err != nil {
			return err
		}
		if f.Rotation == nil {
			f.Rotation = &rotationRecord{}
		}
		f.Rotation.Enabled, f.Rotation.Function = true, function
		if err := f.Rotation.setRules(in.RotationRules); err != nil {
			return err
		}
		if err := f.scheduleNext(tx, s.now()); err != nil {
			return err
		}
		return f.begin(tx, version, !now, s.now())
	})
	if err != nil {
		return nil, err
	}
	return &api.RotateSecretOutput{ARN: new(f.arn()), Name: &f.Name, VersionId: &version}, nil
}

// begin makes the version that a rotation is to fill, and starts the rotation.
func (f *found) begin(tx store.Txn, version string, onlyTest bool, now time.Time) error {
	if pending, is := f.Stages[stagePending]; is && pending != version && pending != f.Stages[stageCurrent] {
		return badRequest("A previous rotation isn't complete. That rotation will be reattempted.")
	}
	if !onlyTest {
		there, err := record.Has(tx, f.version(f.Name, version))
		if err != nil {
			return err
		}
		if !there {
			f.Order = append(f.Order, version)
			if err := record.Set(tx, f.version(f.Name, version), versionRecord{Created: now}); err != nil {
				return err
			}
		}
		f.Stages[stagePending] = version
	}
	j, err := f.job(rotateKind, time.Time{}, job{Version: version, OnlyTest: onlyTest})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, j)
}

// scheduleNext sets the next date of the rotation.
func (f *found) scheduleNext(tx store.Txn, now time.Time) error {
	f.Rotation.Next = f.Rotation.after(now)
	if f.Rotation.Next.IsZero() {
		return events.Cancel(tx, scheduleKind, f.arn())
	}
	j, err := f.job(scheduleKind, f.Rotation.Next, job{})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, j)
}

// due is the job that starts a rotation at its date.
func (s *Service) due(_ context.Context, j events.Job) error {
	p, of, err := jobOf(j)
	if err != nil {
		return err
	}
	version, err := uuid.New(s.deps.Random)
	if err != nil {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, there, err := record.Get[secretRecord](tx, p.secret(of.Name))
		if err != nil || !there || !r.Deleted.IsZero() || r.Rotation == nil || !r.Rotation.Enabled || r.Rotation.Next.After(s.now()) {
			return err
		}
		f := &found{p, r}
		if err := f.scheduleNext(tx, s.now()); err != nil {
			return err
		}
		if pending, is := f.Stages[stagePending]; is && pending != f.Stages[stageCurrent] {
			version = pending // The rotation that did not end is tried again.
		}
		if err := f.begin(tx, version, false, s.now()); err != nil {
			return err
		}
		return f.save(tx)
	})
}

// rotate is the job of a rotation.
func (s *Service) rotate(ctx context.Context, j events.Job) error {
	p, of, err := jobOf(j)
	if err != nil {
		return err
	}
	f := &found{place: p}
	var there bool
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		f.secretRecord, there, err = record.Get[secretRecord](r, p.secret(of.Name))
		return err
	})
	if err != nil || !there || !f.Deleted.IsZero() || f.Rotation == nil || !f.Rotation.Enabled {
		return err
	}
	calls := steps()
	if of.OnlyTest {
		calls = []string{stepTest}
	}
	for _, step := range calls {
		if err := s.call(ctx, f, step, of.Version); err != nil {
			s.deps.Log.InfoContext(ctx, "a rotation failed", slog.String("secret", f.arn()), slog.String("step", step), slog.Any("error", err))
			return err
		}
	}
	if of.OnlyTest {
		return nil
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, there, err := record.Get[secretRecord](tx, p.secret(of.Name))
		if err != nil || !there || r.Rotation == nil {
			return err
		}
		f := &found{p, r}
		if f.Stages[stagePending] == of.Version && f.Stages[stageCurrent] == of.Version {
			delete(f.Stages, stagePending)
		}
		f.Rotation.Last = s.now()
		if err := f.scheduleNext(tx, s.now()); err != nil {
			return err
		}
		return f.save(tx)
	})
}

// call makes one step of a rotation.
func (s *Service) call(ctx context.Context, f *found, step, version string) error {
	payload, err := json.Marshal(map[string]string{"Step": step, "SecretId": f.arn(), "ClientRequestToken": version})
	if err != nil {
		return err
	}
	got, err := s.options.Functions.Invoke(ctx, f.source(), f.Rotation.Function, payload)
	if err != nil {
		return err
	}
	if got.Error != "" {
		return errors.New(step + ": " + string(got.Payload))
	}
	return nil
}

func (s *Service) cancelRotateSecret(ctx context.Context, in *api.CancelRotateSecretInput) (*api.CancelRotateSecretOutput, error) {
	f, err := s.change(ctx, in.SecretId, func(tx store.Txn, f *found) error {
		if err := f.changeable(); err != nil {
			return err
		}
		if f.Rotation == nil {
			return badRequest("You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured and you didn't include such an ARN as a parameter in this call.")
		}
		f.Rotation.Enabled, f.Rotation.Next = false, time.Time{}
		for _, kind := range []string{rotateKind, scheduleKind} {
			if err := events.Cancel(tx, kind, f.arn()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.CancelRotateSecretOutput{ARN: new(f.arn()), Name: &f.Name}
	if pending, ok := f.Stages[stagePending]; ok && slices.Contains(f.Order, pending) {
		out.VersionId = &pending
	}
	return out, nil
}
