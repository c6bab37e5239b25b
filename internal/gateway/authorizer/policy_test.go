package authorizer_test

import (
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/gateway/authorizer"
)

const method = "arn:aws:execute-api:eu-west-1:111122223333:api1/prod/GET/pets"

func policy(statements string) string {
	return `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[` + statements + `]},"context":{"s":"text","n":12.50,"b":true,"z":null},"usageIdentifierKey":"k1"}`
}

func TestPolicyIsDecidedForEachMethod(t *testing.T) {
	allow := `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:api1/prod/GET/pets"}`
	deny := `{"Effect":"Deny","Action":"*","Resource":"arn:aws:execute-api:*:*:*/POST/*"}`
	conditional := `{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`
	for _, tc := range []struct {
		name, statements, resource string
		keys                       iam.Keys
		want                       authorizer.Verdict
	}{
		{"the method that it names", allow, method, nil, authorizer.Allowed},
		{"another method", allow, strings.Replace(method, "pets", "dogs", 1), nil, authorizer.NotAllowed},
		{"a denied one", allow + "," + deny, strings.Replace(method, "GET", "POST", 1), nil, authorizer.Denied},
		{"a condition that holds", conditional, method, iam.Keys{"aws:sourceip": {"10.1.2.3"}}, authorizer.Allowed},
		{"a condition that does not", conditional, method, iam.Keys{"aws:sourceip": {"192.0.2.1"}}, authorizer.NotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := authorizer.ParsePolicy([]byte(policy(tc.statements)))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Decide("execute-api:Invoke", tc.resource, tc.keys); got != tc.want {
				t.Errorf("verdict %d, want %d", got, tc.want)
			}
		})
	}
}

func TestContextIsShownAsText(t *testing.T) {
	p, err := authorizer.ParsePolicy([]byte(policy(`{"Effect":"Allow","Action":"*","Resource":"*"}`)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"s": "text", "n": "12.50", "b": "true", "z": "null"} {
		if got, ok := p.Context.Get(name); !ok || got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if p.Principal != "me" || p.UsageKey != "k1" || p.Context[0].Name != "s" {
		t.Errorf("got %+v", p)
	}
}

func TestAnswersThatAreNoPolicyAreRefused(t *testing.T) {
	good := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	for name, answer := range map[string]string{
		"no JSON":            `Unauthorized`,
		"a string":           `"allow"`,
		"nothing":            `{}`,
		"no principal":       `{"policyDocument":` + good + `}`,
		"an object for name": `{"principalId":{},"policyDocument":` + good + `}`,
		"no policy":          `{"principalId":"a"}`,
		"a policy in text":   `{"principalId":"a","policyDocument":"yes"}`,
		"an unknown effect":  `{"principalId":"a","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}}`,
		"a nested context":   `{"principalId":"a","policyDocument":` + good + `,"context":{"a":{"b":1}}}`,
		"a list for context": `{"principalId":"a","policyDocument":` + good + `,"context":[1]}`,
	} {
		if p, err := authorizer.ParsePolicy([]byte(answer)); err == nil {
			t.Errorf("%s: accepted as %+v", name, p)
		}
	}
}

func TestSimpleAnswers(t *testing.T) {
	s, err := authorizer.ParseSimple([]byte(`{"isAuthorized":true,"context":{"list":[1,2],"map":{"a":1}}}`))
	if err != nil || !s.Allowed || string(s.Context[0].Value) != "[1,2]" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{`{}`, `{"isAuthorized":"true"}`, `true`, ``} {
		if s, err := authorizer.ParseSimple([]byte(bad)); err == nil {
			t.Errorf("%q: accepted as %+v", bad, s)
		}
	}
}

func TestResultsEndAndAreFlushed(t *testing.T) {
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	r := authorizer.NewResults[string](8)
	k := authorizer.ResultKey{Authorizer: "api1/prod/a", Identity: authorizer.Identity([]string{"a", "b"})}
	r.Put(k, "yes", start, 300*time.Second)
	if v, ok := r.Get(k, start.Add(299*time.Second)); !ok || v != "yes" {
		t.Error("the result ended too early")
	}
	if _, ok := r.Get(k, start.Add(300*time.Second)); ok {
		t.Error("the result did not end")
	}
	r.Put(k, "yes", start, 0)
	r.Flush("api1/prod/")
	if _, ok := r.Get(k, start); ok {
		t.Error("the result was not flushed")
	}
	if authorizer.Identity([]string{"a", "b1:c"}) == authorizer.Identity([]string{"a1:b", "c"}) {
		t.Error("different values have one identity")
	}
}

func FuzzAnswersNeverPanic(f *testing.F) {
	f.Add([]byte(policy(`{"Effect":"Allow","Action":"*","Resource":"*"}`)))
	f.Add([]byte(`{"isAuthorized":true,"context":{"a":[1]}}`))
	f.Fuzz(func(_ *testing.T, answer []byte) {
		if p, err := authorizer.ParsePolicy(answer); err == nil {
			p.Decide("execute-api:Invoke", method, nil)
		}
		_, _ = authorizer.ParseSimple(answer)
	})
}
