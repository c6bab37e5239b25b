package eventbridge

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"lambent.dev/lambent/internal/service"
)

// note tells the bus of a call.
func (h *harness) note(n service.CallNote, principal service.Principal, operation string) {
	n.Request = &service.Request{
		ID: "request-1", Account: account, Region: "eu-west-1", Operation: operation, Principal: principal, SourceIP: netip.MustParseAddr("192.0.2.7"), UserAgent: "aws-cli",
	}
	if n.Members == nil {
		n.Members = func() (request, response []byte, err error) { return []byte(`{"queueName":"q"}`), []byte(`null`), nil }
	}
	h.impl.Note(h.ctx, &n)
	synctest.Wait()
}

func TestCallsBecomeEventsOfRulesThatAskForThem(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		for name, pattern := range map[string]string{
			"all":    `{"source":["aws.sqs"],"detail-type":["AWS API Call via CloudTrail"]}`,
			"one":    `{"detail-type":["AWS API Call via CloudTrail"],"detail":{"eventName":["DeleteQueue"]}}`,
			"source": `{"source":[{"prefix":"aws."}]}`,
			"broad":  `{"account":["` + account + `"]}`,
			"other":  `{"source":["aws.sns"]}`,
			"kind":   `{"source":["aws.sqs"],"detail-type":["Something Else"]}`,
		} {
			h.rule("default", name, pattern, `{"Id":"t","Arn":"`+h.queue(name)+`"}`)
		}
		root := service.Principal{Kind: service.Root, Account: account, UserID: account, ARN: "arn:aws:iam::" + account + ":root"}
		h.note(service.CallNote{Service: "sqs"}, root, "CreateQueue")
		h.note(service.CallNote{Service: "sqs", ReadOnly: true}, root, "ListQueues")
		for name, want := range map[string]int{"all": 1, "one": 0, "source": 1, "broad": 0, "other": 0, "kind": 0} {
			if got := h.bodies(name); len(got) != want {
				t.Errorf("rule %s has %v, want %d events", name, got, want)
			}
		}
	})
}

func TestReadOnlyCallsGoToRulesThatAskForAll(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.rule("default", "r", `{"source":["aws.sqs"]}`, `{"Id":"t","Arn":"`+h.queue("q")+`"}`)
		in := h.New("events", "PutRule")
		if err := json.Unmarshal([]byte(`{"Name":"r","EventPattern":"{\"source\":[\"aws.sqs\"]}","State":"ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}`), in); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Call(h.ctx, "events", "PutRule", in); err != nil {
			t.Fatal(err)
		}
		h.note(service.CallNote{Service: "sqs", ReadOnly: true}, service.Principal{Kind: service.User, ARN: "arn:aws:iam::" + account + ":user/team/ann"}, "ListQueues")
		got := h.bodies("q")
		if len(got) != 1 || !strings.Contains(got[0], `"readOnly":true`) || !strings.Contains(got[0], `"userName":"ann"`) {
			t.Errorf("events: %v", got)
		}
	})
}

func TestRecordOfACall(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.rule("default", "r", `{"detail-type":["AWS API Call via CloudTrail"]}`, `{"Id":"t","Arn":"`+h.queue("q")+`","InputPath":"$.detail"}`)
		role := service.Principal{
			Kind: service.AssumedRole, Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/Deploy/ci", UserID: "AROA1:ci", AccessKeyID: "ASIA1",
			RoleARN: "arn:aws:iam::" + account + ":role/Deploy", TokenIssueTime: start.Unix(),
		}
		h.note(service.CallNote{Service: "lambda", URI: "/2015-03-31/functions/{FunctionName}/code", Err: service.Errorf("ResourceNotFoundException", "no such function")}, role, "UpdateFunctionCode")
		var got map[string]any
		bodies := h.bodies("q")
		if len(bodies) != 1 {
			t.Fatalf("events: %v", bodies)
		}
		if err := json.Unmarshal([]byte(bodies[0]), &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "eventID")
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		const want = `{"awsRegion":"eu-west-1","errorCode":"ResourceNotFoundException","errorMessage":"no such function","eventCategory":"Management","eventName":"UpdateFunctionCode20150331v2",` +
			`"eventSource":"lambda.amazonaws.com","eventTime":"2026-11-29T12:00:00Z","eventType":"AwsApiCall","eventVersion":"1.11","managementEvent":true,"readOnly":false,` +
			`"recipientAccountId":"111111111111","requestID":"request-1","requestParameters":{"queueName":"q"},"responseElements":null,"sourceIPAddress":"192.0.2.7","userAgent":"aws-cli",` +
			`"userIdentity":{"accessKeyId":"ASIA1","accountId":"111111111111","arn":"arn:aws:sts::111111111111:assumed-role/Deploy/ci","principalId":"AROA1:ci",` +
			`"sessionContext":{"attributes":{"creationDate":"2026-11-29T12:00:00Z","mfaAuthenticated":"false"},"sessionIssuer":{"accountId":"111111111111","arn":"arn:aws:iam::111111111111:role/Deploy",` +
			`"principalId":"AROA1","type":"Role","userName":"Deploy"}},"type":"AssumedRole"}}`
		if string(b) != want {
			t.Errorf("record\n got %s\nwant %s", b, want)
		}
	})
}

func TestMembersOfACallAreBounded(t *testing.T) {
	if got := string(bounded([]byte(`{"a":"` + strings.Repeat("x", maxCallMembers) + `"}`))); !strings.Contains(got, `"omitted":true`) {
		t.Errorf("%d bytes", len(got))
	}
}

func BenchmarkNoteThatNobodyWants(b *testing.B) {
	h := newHarness(b)
	h.rule("default", "r", `{"source":["app"]}`, `{"Id":"t","Arn":"`+h.queue("q")+`"}`)
	n := service.CallNote{Service: "sqs", Request: &service.Request{Account: account, Region: "eu-west-1", Operation: "CreateQueue"}}
	for b.Loop() {
		h.impl.Note(h.ctx, &n)
	}
}
