package eventbridge

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// kept keeps log records in the store, so that each is there once.
type kept struct{}

// keptLog is a record that was kept.
type keptLog struct {
	Resource, Type string
	Fields         map[string]json.RawMessage
}

var keptUnder = key.New("kept")

func (kept) Vend(tx store.Txn, _, _, resource, logType string, _ time.Time, fields []port.LogField) error {
	l := keptLog{resource, logType, map[string]json.RawMessage{}}
	for _, f := range fields {
		l.Fields[f.Name] = f.Value
	}
	return record.Append(tx, keptUnder, l)
}

// logsOf returns the records that were kept since the last call.
func (h *harness) logsOf() []keptLog {
	h.t.Helper()
	synctest.Wait()
	var all []keptLog
	err := h.impl.deps.Store.Update(h.ctx, func(tx store.Txn) (err error) {
		all, err = record.List[keptLog](tx, keptUnder.Span())
		tx.DeleteRange(keptUnder, keptUnder.End())
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func (h *harness) steps() (steps []string) {
	for _, l := range h.logsOf() {
		steps = append(steps, strings.Trim(string(l.Fields["message_type"]), `"`))
	}
	return steps
}

func (h *harness) logging(bus, level, detail string) {
	h.t.Helper()
	if _, err := h.Call(h.ctx, "events", "CreateEventBus", &api.CreateEventBusInput{Name: bus, LogConfig: &api.LogConfig{Level: level, IncludeDetail: detail}}); err != nil {
		h.t.Fatal(err)
	}
}

func TestBusesLogTheStepsOfTheirLevel(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.impl.options.Logs = kept{}
		q, locked, dead := h.queue("q"), h.queue("locked"), h.queue("dead")
		h.Deny(locked)
		for _, level := range []string{"OFF", "ERROR", "INFO", "TRACE"} {
			h.logging(level, level, "NONE")
			h.rule(level, "good", `{"source":["good"]}`, `{"Id":"q","Arn":"`+q+`"}`)
			h.rule(level, "bad", `{"source":["bad"]}`, `{"Id":"q","Arn":"`+locked+`"}`)
			h.rule(level, "dead", `{"source":["dead"]}`, `{"Id":"q","Arn":"`+locked+`","DeadLetterConfig":{"Arn":"`+dead+`"}}`)
		}
		failed := []string{"INVOCATION_ATTEMPT_PERMANENT_FAILURE", "INVOCATION_FAILURE"}
		start := []string{"EVENT_INGEST_SUCCESS", "RULE_MATCH_START", "RULE_MATCH", "INVOCATION_START", "INVOCATION_ATTEMPT_START"}
		for _, test := range []struct {
			level, source string
			want          []string
		}{
			{"OFF", "bad", nil},
			{"ERROR", "good", nil},
			{"ERROR", "none", nil},
			{"ERROR", "bad", failed},
			{"ERROR", "dead", []string{"INVOCATION_ATTEMPT_PERMANENT_FAILURE", "INVOCATION_DLQ"}},
			{"INFO", "good", []string{"EVENT_INGEST_SUCCESS", "RULE_MATCH", "INVOCATION_SUCCESS"}},
			{"INFO", "none", []string{"EVENT_INGEST_SUCCESS", "NO_STANDARD_RULES_MATCHED"}},
			{"INFO", "bad", append([]string{"EVENT_INGEST_SUCCESS", "RULE_MATCH"}, failed...)},
			{"TRACE", "good", append(start[:5:5], "INVOCATION_ATTEMPT_SUCCESS", "INVOCATION_SUCCESS")},
			{"TRACE", "bad", append(start[:5:5], failed...)},
		} {
			h.put(test.level, test.source, `{"n":1}`)
			if d := cmp.Diff(test.want, h.steps()); d != "" {
				t.Errorf("%s of a bus with the level %s (-want +got):\n%s", test.source, test.level, d)
			}
		}
	})
}

func TestBusesLogEachTryOfATarget(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.impl.options.Logs = kept{}
		h.logging("b", "INFO", "FULL")
		d := h.connect(`{"Name":"basic","AuthorizationType":"BASIC","AuthParameters":{"BasicAuthParameters":{"Username":"u","Password":"p"}}}`)
		h.rule("b", "r", `{"source":["shop"]}`, `{"Id":"d","Arn":"`+d+`","RoleArn":"arn:aws:iam::`+account+`:role/r","InputPath":"$.detail"}`)
		h.endpoint.statuses = []int{503, 429}
		id := h.put("b", "shop", `{"n":1}`)
		h.advance(10*time.Second, time.Second)
		all := h.logsOf()
		var got []string
		for _, l := range all {
			got = append(got, l.Type+" "+strings.Trim(string(l.Fields["message_type"]), `"`))
		}
		want := []string{
			"INFO_LOGS EVENT_INGEST_SUCCESS", "INFO_LOGS RULE_MATCH", "ERROR_LOGS INVOCATION_ATTEMPT_RETRYABLE_FAILURE", "ERROR_LOGS INVOCATION_ATTEMPT_RETRYABLE_FAILURE", "INFO_LOGS INVOCATION_SUCCESS",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		var last struct {
			Attempts int    `json:"total_attempts"`
			Status   string `json:"final_invocation_status"`
			Input    string `json:"target_input"`
		}
		end := all[4]
		if err := json.Unmarshal(end.Fields["details"], &last); err != nil || last.Attempts != 3 || last.Status != "SUCCESS" || last.Input != `{"n":1}` {
			t.Errorf("details %s, %v", end.Fields["details"], err)
		}
		if bus := "arn:aws:events:eu-west-1:" + account + ":event-bus/b"; end.Resource != bus || string(end.Fields["event_id"]) != `"`+id+`"` || all[2].Fields["error"] == nil {
			t.Errorf("record %+v", end)
		}
		if string(all[1].Fields["invocation_id"]) != "" || !strings.Contains(string(all[1].Fields["details"]), string(end.Fields["invocation_id"])) {
			t.Errorf("the invocation %s is not one of %s", end.Fields["invocation_id"], all[1].Fields["details"])
		}
	})
}

func TestBusesLogWhatAnotherBusTakes(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.impl.options.Logs = kept{}
		h.logging("a", "INFO", "NONE")
		h.logging("b", "INFO", "NONE")
		h.rule("a", "r", `{"source":["shop"]}`, `{"Id":"b","Arn":"arn:aws:events:eu-west-1:`+account+`:event-bus/b"}`)
		h.put("a", "shop", `{}`)
		want := []string{"EVENT_INGEST_SUCCESS", "RULE_MATCH", "EVENT_RECEIPT", "NO_STANDARD_RULES_MATCHED", "INVOCATION_SUCCESS"}
		if d := cmp.Diff(want, h.steps()); d != "" {
			t.Error(d)
		}
	})
}
