package dispatch_test

import (
	"context"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/service"
)

// as returns the context of a call by p.
func as(t *testing.T, p service.Principal) context.Context {
	t.Helper()
	return service.WithRequest(t.Context(), &service.Request{ID: "outer", Account: "111122223333", Region: "sa-east-1", Principal: p})
}

func rootPrincipal() service.Principal {
	return service.Principal{Kind: service.Root, Account: "111122223333", ARN: "arn:aws:iam::111122223333:root", UserID: "111122223333"}
}

func TestCallInsideTheProcessGoesThroughTheSameDoor(t *testing.T) {
	valid := &sts.GetAccessKeyInfoInput{AccessKeyId: "AKIAIOSFODNN7EXAMPLE"}
	user := service.Principal{Kind: service.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/alice", UserID: "AIDA1"}
	for _, tc := range []struct {
		name           string
		ctx            context.Context
		api, operation string
		in             any
		code           string
		text           string
	}{
		{name: "allowed", ctx: as(t, rootPrincipal()), in: valid},
		{name: "denied", ctx: as(t, user), in: valid, code: "AccessDenied"},
		{name: "nobody", ctx: t.Context(), in: valid, code: "AccessDenied", text: "nobody is known"},
		{name: "anonymous call's handler", ctx: as(t, service.Principal{}), in: valid, code: "MissingAuthenticationToken"},
		{name: "input against the model", ctx: as(t, rootPrincipal()), in: &sts.GetAccessKeyInfoInput{AccessKeyId: "short"}, code: "ValidationError"},
		{name: "input of another operation", ctx: as(t, rootPrincipal()), in: &sts.AssumeRoleInput{}, code: "InternalFailure", text: "AssumeRoleInput"},
		{name: "no input", ctx: as(t, rootPrincipal()), code: "InternalFailure", text: "<nil>"},
		{name: "without handler", ctx: as(t, rootPrincipal()), operation: "AssumeRole", in: &sts.AssumeRoleInput{}, code: "NotImplemented", text: "STS AssumeRole"},
		{name: "of a known API", ctx: as(t, rootPrincipal()), api: "logs", operation: "PutLogEvents", in: valid, code: "NotImplemented", text: "PutLogEvents"},
		{name: "of an unknown API", ctx: as(t, rootPrincipal()), api: "nothing", in: valid, code: "UnknownService"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlatform(t)
			api, operation := tc.api, tc.operation
			if api == "" {
				api = "sts"
			}
			if operation == "" {
				operation = "GetAccessKeyInfo"
			}
			out, err := service.Call[sts.GetAccessKeyInfoOutput](tc.ctx, p.door, api, operation, tc.in)
			if service.Code(err) != tc.code || tc.text != "" && !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("error %v, want %s %q", err, tc.code, tc.text)
			}
			if ran := len(p.calls()) == 1; ran != (tc.code == "") {
				t.Errorf("handler ran: %v", ran)
			}
			if tc.code == "" && *out.Account != valid.AccessKeyId {
				t.Errorf("output %v", *out.Account)
			}
		})
	}
}

func TestCallMadeAsAnotherKeepsAccountRegionAndID(t *testing.T) {
	p := newPlatform(t)
	body := form("GetFederationToken", "Name", "EXAMPLE")
	signer := alice // may not call GetAccessKeyInfo itself
	r := request(t, &signer, body, body)
	r.Header.Set("User-Agent", "probe")
	expect(t, p.serve(r), 200)
	calls := p.calls()
	if len(calls) != 2 {
		t.Fatalf("%d calls, want 2", len(calls))
	}
	outer, inner := calls[0], calls[1]
	if inner.Account != account || inner.Region != region || inner.ID != outer.ID {
		t.Errorf("inner call has account %s, region %s, id %s; outer %s, %s, %s", inner.Account, inner.Region, inner.ID, outer.Account, outer.Region, outer.ID)
	}
	if inner.API != "sts" || inner.Operation != "GetAccessKeyInfo" || inner.Principal.Kind != service.Root || inner.HTTP != nil {
		t.Errorf("inner call %s %s by %s with HTTP %v", inner.API, inner.Operation, inner.Principal.ARN, inner.HTTP)
	}
	if outer.HTTP == nil || outer.Operation != "GetFederationToken" || outer.Principal.Kind != service.User {
		t.Errorf("outer call was changed: %s by %s", outer.Operation, outer.Principal.ARN)
	}
}

func TestAllowDecidesForDataPlanes(t *testing.T) {
	p := newPlatform(t)
	target := service.Target{Action: "lambda:InvokeFunction", ARN: "arn:aws:lambda:sa-east-1:111122223333:function:f"}
	if err := p.door.Allow(as(t, rootPrincipal()), target); err != nil {
		t.Errorf("root: %v", err)
	}
	if err := p.door.Allow(t.Context(), target); err == nil {
		t.Error("nobody was allowed")
	}
	if err := p.door.Allow(as(t, rootPrincipal()), service.Target{ARN: target.ARN}); err == nil {
		t.Error("a target without an action was allowed")
	}
}
