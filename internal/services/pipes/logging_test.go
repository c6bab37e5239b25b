package pipes

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/test/fake"
)

// world is what a pipe of a test reaches: an enrichment, a target that takes records until one is "bad", and a log.
type world struct {
	fake.Door

	enrichment func(c port.EndpointCall) ([]byte, error)
	sent       []string
	log        []string
}

func (w *world) Call(_ context.Context, name, operation string, in any) (any, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	if strings.Contains(string(b), "bad") {
		return nil, service.Errorf("InvalidMessageContents", "it is bad").WithStatus(400)
	}
	w.sent = append(w.sent, name+"."+operation)
	return nil, nil
}

func (w *world) CallEndpoint(_ context.Context, _ port.Source, _ string, c port.EndpointCall) ([]byte, error) {
	return w.enrichment(c)
}

func (w *world) PutLog(_ context.Context, account, region, group, stream string, lines []port.LogLine) error {
	for _, l := range lines {
		var doc logged
		if err := json.Unmarshal([]byte(l.Message), &doc); err != nil {
			return err
		}
		text := doc.Message + " " + doc.Payload
		if doc.Error != nil {
			text += doc.Error.Type + ": " + doc.Error.Message
		}
		w.log = append(w.log, strings.TrimSpace(text))
	}
	w.log = append(w.log, fmt.Sprintf("in %s %s %s/%s", account, region, group, stream))
	return nil
}

func (w *world) Flush(context.Context) error { return nil }

// run takes one message through a pipe whose record has members.
func (w *world) run(t *testing.T, members, body string) string {
	t.Helper()
	deps := service.Deps{Door: w, Clock: clock.NewFake(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)), Log: slog.New(slog.DiscardHandler), BaseURL: "http://127.0.0.1:4566"}
	s := newService(deps, Options{Sender: deliver.New(deps, fake.Roles{}), Roles: fake.Roles{}, Logs: w, Endpoints: w})
	f, err := newFlow(home, pipe(members))
	if err != nil {
		t.Fatal(err)
	}
	w.sent, w.log = nil, nil
	answer, err := s.hand(t.Context(), f, &session{s: s, f: f}, []byte(`{"Records":[{"messageId":"m","body":"`+body+`"}]}`), "")
	return fmt.Sprintf("%v %s %v", w.sent, answer.Payload, err)
}

func TestExecutionsAreLoggedAsThePipeSays(t *testing.T) {
	const base = `{"Enrichment":"","Target":"arn:aws:sqs:eu-west-1:111111111111:out","Log":{"Level":"%s","IncludeExecutionData":["ALL"],"CloudwatchLogsLogDestination":{"LogGroupArn":"arn:aws:logs:eu-west-1:111111111111:log-group:/pipes:*"}}}`
	for _, tc := range []struct {
		level, body string
		want        []string
	}{
		{"OFF", "good", nil},
		{"ERROR", "good", nil},
		{"INFO", "good", []string{`EXECUTION_STARTED [{"messageId":"m","body":"good"}]`, "EXECUTION_SUCCEEDED", "in 111111111111 eu-west-1 /pipes/p"}},
		{"TRACE", "good", []string{
			`EXECUTION_STARTED [{"messageId":"m","body":"good"}]`, `TARGET_STAGE_ENTERED [{"messageId":"m","body":"good"}]`, "TARGET_STAGE_SUCCEEDED", "EXECUTION_SUCCEEDED", "in 111111111111 eu-west-1 /pipes/p",
		}},
		{"ERROR", "bad", []string{"TARGET_INVOCATION_FAILED InvalidMessageContents: it is bad", "EXECUTION_PARTIALLY_FAILED", "in 111111111111 eu-west-1 /pipes/p"}},
	} {
		w := &world{}
		w.run(t, fmt.Sprintf(base, tc.level), tc.body)
		if !slices.Equal(w.log, tc.want) {
			t.Errorf("%s, %s:\n got %q\nwant %q", tc.level, tc.body, w.log, tc.want)
		}
	}
}

func TestLogSettingsThatCannotBeHonouredAreRefused(t *testing.T) {
	w := &world{}
	s := newService(service.Deps{Door: w}, Options{})
	group := func(arn string) *api.CloudwatchLogsLogDestination {
		return &api.CloudwatchLogsLogDestination{LogGroupArn: &arn}
	}
	for _, tc := range []struct {
		in   *api.PipeLogConfiguration
		want string
	}{
		{nil, ""},
		{&api.PipeLogConfiguration{Level: "OFF"}, ""},
		{&api.PipeLogConfiguration{Level: "INFO", CloudwatchLogsLogDestination: group("arn:aws:logs:eu-west-1:111111111111:log-group:g")}, ""},
		{&api.PipeLogConfiguration{Level: "INFO"}, "no destination"},
		{&api.PipeLogConfiguration{Level: "INFO", CloudwatchLogsLogDestination: group("arn:aws:s3:::b")}, "is not the ARN of a log group"},
		{&api.PipeLogConfiguration{Level: "INFO", S3LogDestination: &api.S3LogDestination{}}, "S3LogDestination"},
		{&api.PipeLogConfiguration{Level: "INFO", FirehoseLogDestination: &api.FirehoseLogDestination{}}, "FirehoseLogDestination"},
	} {
		err := s.checkLog(t.Context(), tc.in)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%+v: %v, want %q", tc.in, err, tc.want)
		}
	}
	w.Deny("*")
	if err := s.checkLog(t.Context(), &api.PipeLogConfiguration{CloudwatchLogsLogDestination: group("arn:aws:logs:eu-west-1:111111111111:log-group:g")}); service.Code(err) != "AccessDenied" {
		t.Errorf("a caller that may not have logs delivered: %v", err)
	}
}

func TestEndpointEnrichesRecords(t *testing.T) {
	const members = `{"Enrichment":"arn:aws:events:eu-west-1:111111111111:api-destination/d/1","EnrichmentHTTP":{"PathParameterValues":["x"]},"Target":"arn:aws:sqs:eu-west-1:111111111111:out"}`
	for _, tc := range []struct{ answer, want string }{
		{`[{"a":1},{"b":2}]`, "[sqs.SendMessage sqs.SendMessage]  <nil>"},
		{`{"a":1}`, "[sqs.SendMessage]  <nil>"},
		{` [] `, "[]  <nil>"},
		{``, "[]  <nil>"},
		{`no JSON`, "[]  <nil>"},
	} {
		w := &world{}
		var got port.EndpointCall
		w.enrichment = func(c port.EndpointCall) ([]byte, error) {
			got = c
			return []byte(tc.answer), nil
		}
		if out := w.run(t, members, "x"); out != tc.want {
			t.Errorf("answer %q: %s, want %s", tc.answer, out, tc.want)
		}
		if string(got.Body) != `[{"messageId":"m","body":"x"}]` || got.Path[0] != "x" {
			t.Errorf("call: %+v", got)
		}
	}
}
