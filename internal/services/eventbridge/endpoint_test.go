package eventbridge

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/test/fake"
)

// global makes a global endpoint of the default buses of two regions, with more members, and returns its id.
func (h *harness) global(more string) (string, error) {
	h.t.Helper()
	in := &api.CreateEndpointInput{}
	text := `{"Name":"e","RoutingConfig":{"FailoverConfig":{"Primary":{"HealthCheck":"arn:aws:route53:::healthcheck/1"},"Secondary":{"Route":"us-east-1"}}},
		"EventBuses":[{"EventBusArn":"arn:aws:events:eu-west-1:` + account + `:event-bus/default"},{"EventBusArn":"arn:aws:events:us-east-1:` + account + `:event-bus/default"}]` + more + `}`
	if err := json.Unmarshal([]byte(text), in); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.Call(h.ctx, "events", "CreateEndpoint", in); err != nil {
		return "", err
	}
	out, err := service.Call[api.DescribeEndpointOutput](h.ctx, h, "events", "DescribeEndpoint", &api.DescribeEndpointInput{Name: "e"})
	if err != nil {
		return "", err
	}
	return *out.EndpointId, nil
}

func TestGlobalEndpointReplicatesUnlessItIsToldNotTo(t *testing.T) {
	for more, want := range map[string]int{``: 1, `,"ReplicationConfig":{"State":"DISABLED"}`: 0} {
		in(t, func(t *testing.T, h *harness) {
			id, err := h.global(more)
			if err != nil {
				t.Fatal(err)
			}
			h.rule("default", "here", `{"source":["app"]}`, `{"Id":"t","Arn":"`+h.queue("here")+`"}`)
			there := h.queue("there")
			home := h.ctx
			h.ctx = fake.Root(home, account, "us-east-1")
			h.rule("default", "there", `{"source":["app"]}`, `{"Id":"t","Arn":"`+there+`"}`)
			h.ctx = home
			targets, err := h.impl.putTargetsOf(h.ctx, &api.PutEventsInput{EndpointId: &id, Entries: []api.PutEventsRequestEntry{{}}})
			if err != nil || len(targets) != want+1 {
				t.Errorf("permission is asked for on %v, %v", targets, err)
			}
			if _, err := h.Call(h.ctx, "events", "PutEvents", &api.PutEventsInput{EndpointId: &id, Entries: []api.PutEventsRequestEntry{{Source: new("app"), DetailType: new("k"), Detail: new(`{}`)}}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := h.bodies("here"); len(got) != 1 || !strings.Contains(got[0], `"region":"eu-west-1"`) {
				t.Errorf("first bus: %v", got)
			}
			if got := h.bodies("there"); len(got) != want || want == 1 && !strings.Contains(got[0], `"region":"us-east-1"`) {
				t.Errorf("second bus with %q: %v", more, got)
			}
		})
	}
}

func TestGlobalEndpointStaysInItsAccount(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		other := fake.Root(h.ctx, "222222222222", "eu-west-1")
		h.ctx = other
		if _, err := h.global(""); service.Code(err) != codeValidation || !strings.Contains(err.Error(), "not an event bus of this account") {
			t.Errorf("an endpoint on buses of another account: %v", err)
		}
	})
}
