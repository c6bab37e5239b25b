package eventbridge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/events"
	secretapi "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// callJSON makes a call from its input in JSON.
func callJSON[In, Out any](h *harness, to, operation, text string) (*Out, error) {
	h.t.Helper()
	in := new(In)
	if err := json.Unmarshal([]byte(text), in); err != nil {
		h.t.Fatal(err)
	}
	return service.Call[Out](h.ctx, h, to, operation, in)
}

// secret returns the value of a secret and how many of its versions have a stage, or the code of the error.
func (h *harness) secret(arn string) string {
	h.t.Helper()
	got, err := service.Call[secretapi.GetSecretValueOutput](h.ctx, h, "secretsmanager", "GetSecretValue", &secretapi.GetSecretValueInput{SecretId: arn})
	if err != nil {
		return service.Code(err)
	}
	d, err := service.Call[secretapi.DescribeSecretOutput](h.ctx, h, "secretsmanager", "DescribeSecret", &secretapi.DescribeSecretInput{SecretId: arn})
	if err != nil {
		h.t.Fatal(err)
	}
	return fmt.Sprintf("%s by %s, %d versions", *got.SecretString, opt.Value(d.OwningService), len(d.VersionIdsToStages))
}

// The secrets have the form that was recorded of AWS.
func TestConnectionsKeepTheirSecretsInSecretsManager(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		describe := func() *api.DescribeConnectionOutput {
			out, err := service.Call[api.DescribeConnectionOutput](h.ctx, h, "events", "DescribeConnection", &api.DescribeConnectionInput{Name: "c"})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		var first string
		for _, step := range []struct{ operation, input, want string }{
			{"Create", `{"Name":"c","AuthorizationType":"BASIC","AuthParameters":{"BasicAuthParameters":{"Username":"u","Password":"p"}}}`, `{"username":"u","password":"p"} by events, 1 versions`},
			{
				"Update", `{"Name":"c","AuthParameters":{"BasicAuthParameters":{"Password":"q"},"InvocationHttpParameters":{"HeaderParameters":[{"Key":"k","Value":"v","IsValueSecret":true}]}}}`,
				`{"username":"u","password":"q","invocation_http_parameters":{"header_parameters":[{"key":"k","value":"v","is_value_secret":true}]}} by events, 2 versions`,
			},
			{
				"Update", `{"Name":"c","AuthorizationType":"API_KEY","AuthParameters":{"ApiKeyAuthParameters":{"ApiKeyName":"n","ApiKeyValue":"s"},"InvocationHttpParameters":{}}}`,
				`{"api_key_name":"n","api_key_value":"s","invocation_http_parameters":{}} by events, 2 versions`,
			},
			{
				"Update", `{"Name":"c","AuthorizationType":"OAUTH_CLIENT_CREDENTIALS","AuthParameters":{"OAuthParameters":{"ClientParameters":{"ClientID":"i","ClientSecret":"s"},"AuthorizationEndpoint":"https://example.com/","HttpMethod":"POST"}}}`,
				`{"client_id":"i","client_secret":"s","authorization_endpoint":"https://example.com/","http_method":"POST","invocation_http_parameters":{}} by events, 2 versions`,
			},
		} {
			var err error
			if step.operation == "Create" {
				_, err = callJSON[api.CreateConnectionInput, api.CreateConnectionOutput](h, "events", "CreateConnection", step.input)
			} else {
				_, err = callJSON[api.UpdateConnectionInput, api.UpdateConnectionOutput](h, "events", "UpdateConnection", step.input)
			}
			if err != nil {
				t.Fatal(err)
			}
			arn := *describe().SecretArn
			if first == "" {
				first = arn
			}
			if diff := cmp.Diff(step.want, h.secret(arn)); diff != "" || arn != first {
				t.Errorf("%s: the secret %s (-want +got):\n%s", step.operation, arn, diff)
			}
		}
		if !strings.HasPrefix(first, "arn:aws:secretsmanager:eu-west-1:"+account+":secret:events!connection/c/") {
			t.Errorf("the secret is %s", first)
		}
		if _, err := callJSON[api.DeauthorizeConnectionInput, api.DeauthorizeConnectionOutput](h, "events", "DeauthorizeConnection", `{"Name":"c"}`); err != nil {
			t.Fatal(err)
		}
		if d := describe(); d.SecretArn != nil || h.secret(first) != "ResourceNotFoundException" {
			t.Errorf("after deauthorisation: %v, %s", d.SecretArn, h.secret(first))
		}
		if _, err := callJSON[api.UpdateConnectionInput, api.UpdateConnectionOutput](h, "events", "UpdateConnection", `{"Name":"c","AuthorizationType":"BASIC","AuthParameters":{"BasicAuthParameters":{"Username":"u","Password":"new"}}}`); err != nil {
			t.Fatal(err)
		}
		second := *describe().SecretArn
		if got, want := h.secret(second), `{"username":"u","password":"new"} by events, 1 versions`; got != want || second == first {
			t.Errorf("authorised again: %s %s, want %s", second, got, want)
		}
		if _, err := callJSON[api.DeleteConnectionInput, api.DeleteConnectionOutput](h, "events", "DeleteConnection", `{"Name":"c"}`); err != nil {
			t.Fatal(err)
		}
		if got := h.secret(second); got != "ResourceNotFoundException" {
			t.Errorf("after the deletion: %s", got)
		}
	})
}

func TestSecretsOfConnectionsAreChangedByNobodyElse(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.connect(`{"Name":"c","AuthorizationType":"BASIC","AuthParameters":{"BasicAuthParameters":{"Username":"u","Password":"p"}}}`)
		list, err := callJSON[secretapi.ListSecretsInput, secretapi.ListSecretsOutput](h, "secretsmanager", "ListSecrets", `{"Filters":[{"Key":"owning-service","Values":["events"]}]}`)
		if err != nil || len(list.SecretList) != 1 || opt.Value(list.SecretList[0].OwningService) != "events" {
			t.Fatalf("the list: %+v, %v", list, err)
		}
		arn := *list.SecretList[0].ARN
		const token = `,"ClientRequestToken":"00000000-0000-0000-0000-000000000000"}`
		var refused []string
		note := func(operation string, err error) {
			if service.Code(err) == "InvalidRequestException" && strings.Contains(err.Error(), "managed by another service (events)") {
				refused = append(refused, operation)
			}
		}
		_, err = callJSON[secretapi.PutSecretValueInput, secretapi.PutSecretValueOutput](h, "secretsmanager", "PutSecretValue", `{"SecretId":"`+arn+`","SecretString":"x"`+token)
		note("put", err)
		_, err = callJSON[secretapi.UpdateSecretInput, secretapi.UpdateSecretOutput](h, "secretsmanager", "UpdateSecret", `{"SecretId":"`+arn+`","Description":"x"`+token)
		note("update", err)
		_, err = callJSON[secretapi.DeleteSecretInput, secretapi.DeleteSecretOutput](h, "secretsmanager", "DeleteSecret", `{"SecretId":"`+arn+`","ForceDeleteWithoutRecovery":true}`)
		note("delete", err)
		_, err = callJSON[secretapi.TagResourceInput, secretapi.TagResourceOutput](h, "secretsmanager", "TagResource", `{"SecretId":"`+arn+`","Tags":[{"Key":"a","Value":"b"}]}`)
		if want := []string{"put", "update", "delete"}; !slices.Equal(refused, want) || err != nil {
			t.Errorf("refused %v, want %v; a tag: %v", refused, want, err)
		}
		// What a transaction that fails had prepared is not there.
		if _, err := callJSON[api.CreateConnectionInput, api.CreateConnectionOutput](h, "events", "CreateConnection", `{"Name":"c","AuthorizationType":"BASIC","AuthParameters":{"BasicAuthParameters":{"Username":"u","Password":"p"}}}`); service.Code(err) != "ResourceAlreadyExistsException" {
			t.Errorf("the same name again: %v", err)
		}
		list, err = callJSON[secretapi.ListSecretsInput, secretapi.ListSecretsOutput](h, "secretsmanager", "ListSecrets", `{}`)
		if err != nil || len(list.SecretList) != 1 {
			t.Errorf("the list: %+v, %v", list, err)
		}
	})
}

func TestTargetsAreListedInTheirOrder(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.queue("q")
		arn := "arn:aws:sqs:eu-west-1:" + account + ":q"
		h.rule("default", "r", `{"source":["x"]}`, `{"Id":"b","Arn":"`+arn+`"}`)
		if _, err := callJSON[api.PutTargetsInput, api.PutTargetsOutput](h, "events", "PutTargets", `{"Rule":"r","Targets":[{"Id":"c","Arn":"`+arn+`"},{"Id":"a","Arn":"`+arn+`"}]}`); err != nil {
			t.Fatal(err)
		}
		var got []string
		token := ""
		for range 3 {
			out, err := callJSON[api.ListTargetsByRuleInput, api.ListTargetsByRuleOutput](h, "events", "ListTargetsByRule", `{"Rule":"r","Limit":2`+token+`}`)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range out.Targets {
				got = append(got, x.Id)
			}
			got = append(got, "end")
			if out.NextToken == nil {
				break
			}
			token = `,"NextToken":"` + *out.NextToken + `"`
		}
		if want := []string{"b", "c", "end", "a", "end"}; !slices.Equal(got, want) {
			t.Errorf("pages %q, want %q", got, want)
		}
		if _, err := callJSON[api.ListTargetsByRuleInput, api.ListTargetsByRuleOutput](h, "events", "ListTargetsByRule", `{"Rule":"r","NextToken":"!"}`); service.Code(err) != "ValidationException" {
			t.Errorf("a token of nobody: %v", err)
		}
	})
}
