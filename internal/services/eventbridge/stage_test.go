package eventbridge

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/test/fake"
)

// credentialRoles hands out credentials of every role.
type credentialRoles struct{ fake.Roles }

func (credentialRoles) AssumeForService(_ context.Context, _, role, _ string, _ time.Duration) (port.Credentials, error) {
	return port.Credentials{AccessKeyID: "ASIA-" + role[strings.LastIndexByte(role, '/')+1:], SecretAccessKey: "secret", SessionToken: "token"}, nil
}

func TestRuleCallsAStageWithItsRole(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.impl.options.Roles = credentialRoles{}
		stage := "arn:aws:execute-api:eu-west-1:" + account + ":abc123/prod/PUT/orders/*/lines"
		h.rule("default", "signed", `{"source":["signed"]}`, `{"Id":"a","Arn":"`+stage+`","RoleArn":"arn:aws:iam::`+account+`:role/caller",
			"HttpParameters":{"PathParameterValues":["7"],"HeaderParameters":{"X-Shop":"s"},"QueryStringParameters":{"q":"1"}},"InputPath":"$.detail"}`)
		h.put("default", "signed", `{"n":1}`)
		synctest.Wait()
		got := h.endpoint.seen()
		if len(got) != 1 {
			t.Fatalf("calls: %v", got)
		}
		for _, part := range []string{
			"PUT http://127.0.0.1:4566/_aws/execute-api/abc123/prod/orders/7/lines?q=1 ", "Authorization: AWS4-HMAC-SHA256 Credential=ASIA-caller/20261129/eu-west-1/execute-api/",
			"X-Amz-Security-Token: token", "X-Shop: s", `] {"n":1}`,
		} {
			if !strings.Contains(got[0], part) {
				t.Errorf("%s has no %q", got[0], part)
			}
		}

		h.rule("default", "open", `{"source":["open"]}`, `{"Id":"a","Arn":"arn:aws:execute-api:eu-west-1:`+account+`:abc123/prod/*/"}`)
		h.put("default", "open", `{}`)
		synctest.Wait()
		if got := h.endpoint.seen(); len(got) != 1 || strings.Contains(got[0], "Authorization") || !strings.HasPrefix(got[0], "POST http://127.0.0.1:4566/_aws/execute-api/abc123/prod/ ") {
			t.Errorf("without a role: %v", got)
		}

		_, err := h.Call(h.ctx, "events", "PutTargets", &api.PutTargetsInput{Rule: "open", Targets: []api.Target{{Id: "b", Arn: "arn:aws:execute-api:eu-west-1:" + account + ":abc123/prod"}}})
		if service.Code(err) != codeValidation || !strings.Contains(err.Error(), "API/STAGE/METHOD/PATH") {
			t.Errorf("a stage without a method: %v", err)
		}
	})
}

func TestEndpointAnswersAreTriedAgainOrGivenUp(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		call := port.EndpointCall{Target: "arn:aws:execute-api:eu-west-1:" + account + ":a/s/GET/x", ID: "id", Body: []byte(`{}`)}
		h.endpoint.body = `[1]`
		body, err := h.impl.CallEndpoint(h.ctx, port.Source{Service: "pipes.amazonaws.com", ARN: "arn:aws:pipes:eu-west-1:" + account + ":pipe/p", Account: account}, "", call)
		if err != nil || string(body) != `[1]` {
			t.Errorf("%s, %v", body, err)
		}
		for status, want := range map[int]string{301: "Redirects are not followed", 404: "status 404", 503: "status 503", 409: "status 409"} {
			h.endpoint.statuses = []int{status}
			if _, err := h.impl.CallEndpoint(h.ctx, port.Source{}, "", call); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("status %d: %v", status, err)
			}
		}
	})
}
