package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// This file writes the logs of buses (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-logs-schema.html).

// stepLevels are the steps that are logged, with their levels: a bus logs those of its level and of the levels before it.
var stepLevels = map[string]string{
	"EVENT_INGEST_SUCCESS": api.LevelInfo, "EVENT_RECEIPT": api.LevelInfo, "RULE_MATCH_START": api.LevelTrace, "RULE_MATCH": api.LevelInfo, "NO_STANDARD_RULES_MATCHED": api.LevelInfo,
	"INVOCATION_START": api.LevelTrace, "INVOCATION_ATTEMPT_START": api.LevelTrace, "INVOCATION_ATTEMPT_SUCCESS": api.LevelTrace, "INVOCATION_SUCCESS": api.LevelInfo,
	"INVOCATION_ATTEMPT_RETRYABLE_FAILURE": api.LevelError, "INVOCATION_ATTEMPT_THROTTLE": api.LevelError, "INVOCATION_ATTEMPT_PERMANENT_FAILURE": api.LevelError,
	"INVOCATION_FAILURE": api.LevelError, "INVOCATION_DLQ": api.LevelError,
}

// logs tells whether a bus logs anything.
func logs(c *api.LogConfig) bool { return c != nil && c.Level != "" && c.Level != api.LevelOff }

// wants tells whether a bus logs a level.
func wants(c *api.LogConfig, level string) bool {
	switch c.Level {
	case api.LevelTrace:
		return true
	case api.LevelInfo:
		return level != api.LevelTrace
	}
	return level == api.LevelError
}

// logged is an event of which a bus logs, and the invocation of a target that a step is about.
type logged struct {
	Config     api.LogConfig
	Account    string // of the bus
	Region     string
	Bus        string
	Request    string    `json:",omitempty"`
	Event      string    // id
	Invocation string    `json:",omitempty"` // id
	Rule       string    `json:",omitempty"` // ARN
	Ingested   time.Time `json:",omitzero"`
	Started    time.Time `json:",omitzero"` // of the invocation
}

func (l *logged) busARN() string { return place{l.Account, l.Region}.busARN(l.Bus) }

// loggedError is what a record tells of a failure.
type loggedError struct {
	Status  int    `json:"http_status_code,omitempty"`
	Code    string `json:"error_code,omitempty"`
	Message string `json:"error_message"`
	Service string `json:"aws_service,omitempty"`
}

// log writes the record of a step when the bus logs it.
func (s *Service) log(tx store.Txn, l *logged, step string, details map[string]any, failure *loggedError) error {
	level := stepLevels[step]
	if s.options.Logs == nil || !wants(&l.Config, level) {
		return nil
	}
	now := s.now()
	var fields []port.LogField
	add := func(name string, v any) error {
		b, err := json.Marshal(v)
		fields = append(fields, port.LogField{Name: name, Value: b})
		return err
	}
	errs := []error{add("resource_arn", l.busARN()), add("message_timestamp_ms", now.UnixMilli()), add("event_bus_name", l.Bus), add("request_id", l.Request), add("event_id", l.Event)}
	if l.Invocation != "" {
		errs = append(errs, add("invocation_id", l.Invocation))
	}
	errs = append(errs, add("message_type", step), add("log_level", level), add("details", details))
	if failure != nil {
		errs = append(errs, add("error", failure))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.options.Logs.Vend(tx, l.Account, l.Region, l.busARN(), level+"_LOGS", now, fields)
}

// logsUnmatched tells whether the bus logs events that no rule takes. Those of services of AWS are left out.
func (p *plan) logsUnmatched() bool {
	return p.router.log != nil && !p.rest && !strings.HasPrefix(p.event.Source, "aws.")
}

// logged returns what records of the plan's event have in common.
func (p *plan) logged(ctx context.Context) *logged {
	return &logged{
		Config: *p.router.log, Account: p.router.account, Region: p.router.region, Bus: p.router.name, Request: service.RequestFrom(ctx).ID, Event: p.event.ID, Ingested: p.event.Ingested,
	}
}

// logArrival logs that an event came to a bus, and which rules take it.
func (s *Service) logArrival(ctx context.Context, tx store.Txn, p *plan) error {
	if p.router.log == nil || p.rest || len(p.rules) == 0 && !p.logsUnmatched() {
		return nil
	}
	l, e := p.logged(ctx), p.event
	came := map[string]any{
		"caller_account_id": e.Account, "source_time_ms": e.Time.UnixMilli(), "source": e.Source, "detail_type": e.DetailType, "resources": append([]string{}, e.Resources...),
	}
	if l.Config.IncludeDetail == api.IncludeDetailFull {
		came["event_detail"] = e.detail()
	}
	step := "EVENT_INGEST_SUCCESS"
	if e.Forwarded || strings.HasPrefix(e.Source, "aws.") {
		step = "EVENT_RECEIPT"
	}
	if err := errors.Join(s.log(tx, l, step, came, nil), s.log(tx, l, "RULE_MATCH_START", came, nil)); err != nil {
		return err
	}
	if len(p.rules) == 0 {
		return s.log(tx, l, "NO_STANDARD_RULES_MATCHED", map[string]any{}, nil)
	}
	for _, x := range p.rules {
		targets, ids := []string{}, []string{}
		for _, t := range x.targets {
			targets, ids = append(targets, t.Arn), append(ids, invocationID(e, x.arn, opt.Value(&t.Id)))
		}
		if err := s.log(tx, l, "RULE_MATCH", map[string]any{"rule_arn": x.arn, "target_arns": targets, "invocation_ids": ids}, nil); err != nil {
			return err
		}
	}
	return nil
}

// invocationID names the invocation of a target with an event.
func invocationID(e *event, rule, target string) string { return uuid.Of(e.ID, rule, target) }

// logStart logs that a target is invoked with a message, and has the queue tell what becomes of that.
func (s *Service) logStart(ctx context.Context, tx store.Txn, p *plan, t *target, m *deliver.Message) error {
	if p.router.log == nil {
		return nil
	}
	l := p.logged(ctx)
	l.Invocation, l.Rule, l.Started = invocationID(p.event, m.From.ARN, t.Id), m.From.ARN, s.now()
	var err error
	if m.Report, err = json.Marshal(l); err != nil {
		return err
	}
	d := l.details(m)
	d["attempt_count"] = 1
	if err := s.log(tx, l, "INVOCATION_START", d, nil); err != nil {
		return err
	}
	return s.log(tx, l, "INVOCATION_ATTEMPT_START", d, nil)
}

// details are those of every step of an invocation.
func (l *logged) details(m *deliver.Message) map[string]any {
	d := map[string]any{"rule_arn": l.Rule, "target_arn": m.Target}
	if m.Role != "" {
		d["role_arn"] = m.Role
	}
	if l.Config.IncludeDetail == api.IncludeDetailFull {
		d["target_input"] = string(m.Body)
	}
	return d
}

// attempt are the details of one try.
func (l *logged) attempt(m *deliver.Message, attempt int, status string) map[string]any {
	kind := "FIRST"
	if attempt > 1 {
		kind = "RETRY"
	}
	d := l.details(m)
	delete(d, "target_input")
	d["attempt_type"], d["attempt_count"], d["invocation_status"] = kind, attempt, status
	return d
}

// reported logs what became of a try of a message: nil when the target has accepted it, or why it is tried again.
func (s *Service) reported(_ context.Context, tx store.Txn, m *deliver.Message, attempt int, cause error) error {
	if m.Report == nil {
		return nil
	}
	var l logged
	if err := json.Unmarshal(m.Report, &l); err != nil {
		return err
	}
	if cause != nil {
		step := "INVOCATION_ATTEMPT_RETRYABLE_FAILURE"
		if code := service.Code(cause); strings.Contains(code, "Throttl") || strings.HasPrefix(code, "TooManyRequests") {
			step = "INVOCATION_ATTEMPT_THROTTLE"
		}
		return s.log(tx, &l, step, l.attempt(m, attempt, "FAILURE"), failureOf(m, cause))
	}
	if err := s.log(tx, &l, "INVOCATION_ATTEMPT_SUCCESS", l.attempt(m, attempt, "SUCCESS"), nil); err != nil {
		return err
	}
	return s.log(tx, &l, "INVOCATION_SUCCESS", s.final(&l, m, attempt, "SUCCESS"), nil)
}

// final are the details of the end of an invocation.
func (s *Service) final(l *logged, m *deliver.Message, attempts int, status string) map[string]any {
	d := l.details(m)
	d["total_attempts"], d["final_invocation_status"] = attempts, status
	if attempts == 1 {
		d["ingestion_to_start_latency_ms"], d["ingestion_to_complete_latency_ms"] = l.Started.Sub(l.Ingested).Milliseconds(), s.now().Sub(l.Ingested).Milliseconds()
	}
	if status == "SUCCESS" {
		d["ingestion_to_success_latency_ms"] = s.now().Sub(l.Ingested).Milliseconds()
	}
	return d
}

// logDropped logs that a message was given up.
func (s *Service) logDropped(_ context.Context, tx store.Txn, m *deliver.Message, attempts int, cause error) error {
	if m.Report == nil {
		return nil
	}
	var l logged
	if err := json.Unmarshal(m.Report, &l); err != nil {
		return err
	}
	failure := failureOf(m, cause)
	if err := s.log(tx, &l, "INVOCATION_ATTEMPT_PERMANENT_FAILURE", l.attempt(m, attempts, "FAILURE"), failure); err != nil {
		return err
	}
	if m.DeadLetter != nil {
		return s.log(tx, &l, "INVOCATION_DLQ", s.final(&l, m, attempts, "SENT_TO_DLQ"), failure)
	}
	return s.log(tx, &l, "INVOCATION_FAILURE", s.final(&l, m, attempts, "FAILURE"), failure)
}

func failureOf(m *deliver.Message, cause error) *loggedError {
	out := &loggedError{Message: cause.Error()}
	if a, err := arn.Parse(m.Target); err == nil {
		out.Service = a.Service
	}
	var known *service.Error
	if errors.As(cause, &known) {
		out.Status, out.Code, out.Message = known.Status, known.Code, known.Message
	}
	return out
}

// Exists implements [port.LoggedResources]: it tells whether there is a bus.
func (s *Service) Exists(ctx context.Context, resource string) (bool, error) {
	a, err := arn.Parse(resource)
	if err != nil {
		return false, nil //nolint:nilerr // what is not an ARN is not there
	}
	_, name := a.Split()
	r, err := s.routers.get(ctx, busKey{place{a.Account, a.Region}, name})
	return err == nil && r.exists, err
}
