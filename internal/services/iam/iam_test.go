package iam_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/dispatch"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/iam"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

const account = "000000000000"

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// platform is IAM behind a real door.
type platform struct {
	door  *dispatch.Door
	dir   *iam.IAM
	cache *auth.Cache
	store store.Store
	types map[string]service.ResourceType
	clock *clock.Fake
}

func newPlatform(t testing.TB) *platform {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	c := clock.NewFake(start)
	p := &platform{clock: c, store: mem.New(), door: dispatch.NewDoor(c, rand.Reader, log), types: map[string]service.ResourceType{}}
	t.Cleanup(func() {
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
	ring, err := token.NewKeyring(map[uint32][]byte{1: make([]byte, token.KeySize)}, 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	svc, dir, err := iam.New(service.Deps{Store: p.store, Door: p.door, Clock: c, Random: mathrand.NewChaCha8([32]byte{}), Log: log, Account: account, Region: "us-east-1"}, ring)
	if err != nil {
		t.Fatal(err)
	}
	p.dir, p.cache = dir, auth.NewCache(dir)
	dir.OnChange(p.cache.Forget)
	registry, err := dispatch.NewRegistry([]service.Service{svc}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.door.Open(registry, auth.NewAuthorizer(p.cache, auth.NewJournal(16), log))
	for _, r := range svc.Resources {
		p.types[r.Name] = r
	}
	return p
}

func as(p service.Principal) context.Context {
	return service.WithRequest(context.Background(), &service.Request{ID: "r", Account: account, Region: "us-east-1", Principal: p, Time: start})
}

var root = service.Principal{Kind: service.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account}

func call[Out any](t testing.TB, p *platform, ctx context.Context, operation string, in any) *Out {
	t.Helper()
	out, err := service.Call[Out](ctx, p.door, "iam", operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func code(p *platform, ctx context.Context, operation string, in any) string {
	_, err := p.door.Call(ctx, "iam", operation, in)
	return service.Code(err)
}

func ptr[T any](v T) *T { return &v }

const (
	lambdaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	allowTables = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}]}`
)

func trusting(arn string) string {
	return strings.ReplaceAll(lambdaTrust, `"Service":"lambda.amazonaws.com"`, `"AWS":"`+arn+`"`)
}

func TestARoleLivesFromCreateToDelete(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	made := call[api.CreateRoleOutput](t, p, ctx, "CreateRole", &api.CreateRoleInput{RoleName: "app", Path: ptr("/team/"), AssumeRolePolicyDocument: lambdaTrust, Tags: []api.Tag{{Key: "a", Value: "b"}}}).Role
	if made.Arn != "arn:aws:iam::000000000000:role/team/app" || !strings.HasPrefix(made.RoleId, "AROA") || *made.MaxSessionDuration != 3600 {
		t.Errorf("role = %+v", made)
	}
	got := call[api.GetRoleOutput](t, p, ctx, "GetRole", &api.GetRoleInput{RoleName: "app"}).Role
	if doc, err := url.PathUnescape(*got.AssumeRolePolicyDocument); err != nil || doc != lambdaTrust {
		t.Errorf("document = %q, %v", doc, err)
	}
	call[api.PutRolePolicyOutput](t, p, ctx, "PutRolePolicy", &api.PutRolePolicyInput{RoleName: "app", PolicyName: "p", PolicyDocument: allowTables})
	for _, tc := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateRole", &api.CreateRoleInput{RoleName: "APP", AssumeRolePolicyDocument: lambdaTrust}, "EntityAlreadyExists"},
		{"CreateRole", &api.CreateRoleInput{RoleName: "x", AssumeRolePolicyDocument: "{}"}, "MalformedPolicyDocument"},
		{"CreateRole", &api.CreateRoleInput{RoleName: "x", AssumeRolePolicyDocument: trusting("arn:aws:iam::000000000000:role/nobody")}, "MalformedPolicyDocument"},
		{"GetRole", &api.GetRoleInput{RoleName: "nobody"}, "NoSuchEntity"},
		{"DeleteRole", &api.DeleteRoleInput{RoleName: "app"}, "DeleteConflict"},
		{"PutRolePolicy", &api.PutRolePolicyInput{RoleName: "app", PolicyName: "q", PolicyDocument: "nothing"}, "MalformedPolicyDocument"},
		{"AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: "app", PolicyArn: "arn:aws:iam::aws:policy/NoSuchPolicy"}, "NoSuchEntity"},
		{"DeleteRolePolicy", &api.DeleteRolePolicyInput{RoleName: "app", PolicyName: "p"}, ""},
		{"DeleteRole", &api.DeleteRoleInput{RoleName: "app"}, ""},
		{"DeleteRole", &api.DeleteRoleInput{RoleName: "app"}, "NoSuchEntity"},
	} {
		if got := code(p, ctx, tc.operation, tc.in); got != tc.want {
			t.Errorf("%s %+v = %q, want %q", tc.operation, tc.in, got, tc.want)
		}
	}
}

func TestPoliciesAreInForceForTheNextCall(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	u := call[api.CreateUserOutput](t, p, ctx, "CreateUser", &api.CreateUserInput{UserName: "alice"}).User
	alice := as(service.Principal{Kind: service.User, Account: account, ARN: u.Arn, UserID: u.UserId})
	list := func() string { return code(p, alice, "ListRoles", &api.ListRolesInput{}) }
	if got := list(); got != "AccessDenied" {
		t.Errorf("without a policy: %q", got)
	}
	call[api.CreateGroupOutput](t, p, ctx, "CreateGroup", &api.CreateGroupInput{GroupName: "devs"})
	call[api.PutGroupPolicyOutput](t, p, ctx, "PutGroupPolicy", &api.PutGroupPolicyInput{GroupName: "devs", PolicyName: "p", PolicyDocument: allowTables})
	call[api.AddUserToGroupOutput](t, p, ctx, "AddUserToGroup", &api.AddUserToGroupInput{GroupName: "devs", UserName: "alice"})
	if got := list(); got != "" {
		t.Errorf("in the group: %q", got)
	}
	call[api.PutUserPermissionsBoundaryOutput](t, p, ctx, "PutUserPermissionsBoundary", &api.PutUserPermissionsBoundaryInput{UserName: "alice", PermissionsBoundary: "arn:aws:iam::aws:policy/AmazonS3FullAccess"})
	if got := list(); got != "AccessDenied" {
		t.Errorf("behind a boundary: %q", got)
	}
	call[api.DeleteUserPermissionsBoundaryOutput](t, p, ctx, "DeleteUserPermissionsBoundary", &api.DeleteUserPermissionsBoundaryInput{UserName: "alice"})
	call[api.RemoveUserFromGroupOutput](t, p, ctx, "RemoveUserFromGroup", &api.RemoveUserFromGroupInput{GroupName: "devs", UserName: "alice"})
	call[api.AttachUserPolicyOutput](t, p, ctx, "AttachUserPolicy", &api.AttachUserPolicyInput{UserName: "alice", PolicyArn: "arn:aws:iam::aws:policy/IAMReadOnlyAccess"})
	if got := list(); got != "" {
		t.Errorf("with a managed policy: %q", got)
	}
}

func TestAUserMadeAgainIsTrustedByNobody(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	u := call[api.CreateUserOutput](t, p, ctx, "CreateUser", &api.CreateUserInput{UserName: "alice"}).User
	call[api.CreateRoleOutput](t, p, ctx, "CreateRole", &api.CreateRoleInput{RoleName: "app", AssumeRolePolicyDocument: trusting(u.Arn)})
	call[api.DeleteUserOutput](t, p, ctx, "DeleteUser", &api.DeleteUserInput{UserName: "alice"})
	call[api.CreateUserOutput](t, p, ctx, "CreateUser", &api.CreateUserInput{UserName: "alice"})
	r := call[api.GetRoleOutput](t, p, ctx, "GetRole", &api.GetRoleInput{RoleName: "app"}).Role
	if doc, _ := url.PathUnescape(*r.AssumeRolePolicyDocument); !strings.Contains(doc, `"`+u.UserId+`"`) || strings.Contains(doc, u.Arn) {
		t.Errorf("trust policy = %s, want the unique id %s in it", doc, u.UserId)
	}
}

func TestAccessKeysAreSealedAndFound(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	call[api.CreateUserOutput](t, p, ctx, "CreateUser", &api.CreateUserInput{UserName: "alice"})
	k := call[api.CreateAccessKeyOutput](t, p, ctx, "CreateAccessKey", &api.CreateAccessKeyInput{UserName: ptr("alice")}).AccessKey
	if a, ok := token.AccountOf(k.AccessKeyId); !ok || a != account {
		t.Errorf("the key id carries account %q", a)
	}
	found, err := p.dir.AccessKey(ctx, k.AccessKeyId)
	if err != nil || found == nil || found.Secret != k.SecretAccessKey || !found.Active {
		t.Fatalf("found = %+v, %v", found, err)
	}
	err = p.store.View(ctx, func(r store.Reader) error {
		for pair, err := range r.Range(store.Span{}) {
			if err != nil {
				return err
			}
			if strings.Contains(string(pair.Value), k.SecretAccessKey) {
				return errors.New("a secret is stored in the clear")
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	call[api.CreateAccessKeyOutput](t, p, ctx, "CreateAccessKey", &api.CreateAccessKeyInput{UserName: ptr("alice")})
	if got := code(p, ctx, "CreateAccessKey", &api.CreateAccessKeyInput{UserName: ptr("alice")}); got != "LimitExceeded" {
		t.Errorf("a third key: %q", got)
	}
	if got := code(p, ctx, "DeleteUser", &api.DeleteUserInput{UserName: "alice"}); got != "DeleteConflict" {
		t.Errorf("delete with keys: %q", got)
	}
	call[api.UpdateAccessKeyOutput](t, p, ctx, "UpdateAccessKey", &api.UpdateAccessKeyInput{UserName: ptr("alice"), AccessKeyId: k.AccessKeyId, Status: "Inactive"})
	if found, err := p.cache.AccessKey(ctx, k.AccessKeyId); err != nil || found.Active {
		t.Errorf("after switching it off: %+v, %v", found, err)
	}
}

func TestPolicyVersions(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	arn := *call[api.CreatePolicyOutput](t, p, ctx, "CreatePolicy", &api.CreatePolicyInput{PolicyName: "p", PolicyDocument: allowTables}).Policy.Arn
	for range 4 {
		call[api.CreatePolicyVersionOutput](t, p, ctx, "CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: allowTables, SetAsDefault: ptr(true)})
	}
	if got := code(p, ctx, "CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: allowTables}); got != "LimitExceeded" {
		t.Errorf("a sixth version: %q", got)
	}
	if got := code(p, ctx, "DeletePolicyVersion", &api.DeletePolicyVersionInput{PolicyArn: arn, VersionId: "v5"}); got != "DeleteConflict" {
		t.Errorf("delete the default: %q", got)
	}
	got := call[api.ListPolicyVersionsOutput](t, p, ctx, "ListPolicyVersions", &api.ListPolicyVersionsInput{PolicyArn: arn}).Versions
	if len(got) != 5 || *got[0].VersionId != "v5" || !*got[0].IsDefaultVersion {
		t.Errorf("versions = %+v", got)
	}
}

func TestListsArePaged(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	for _, name := range []string{"b", "A", "d", "C", "e"} {
		call[api.CreateUserOutput](t, p, ctx, "CreateUser", &api.CreateUserInput{UserName: name})
	}
	var names []string
	in := &api.ListUsersInput{MaxItems: ptr(int32(2))}
	for range 4 {
		out := call[api.ListUsersOutput](t, p, ctx, "ListUsers", in)
		for _, u := range out.Users {
			names = append(names, u.UserName)
		}
		if !*out.IsTruncated {
			break
		}
		in.Marker = out.Marker
	}
	if got := strings.Join(names, ""); got != "AbCde" {
		t.Errorf("names = %s", got)
	}
}

func TestSimulationNamesWhatDecides(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	out := call[api.SimulateCustomPolicyOutput](t, p, ctx, "SimulateCustomPolicy", &api.SimulateCustomPolicyInput{
		PolicyInputList: []string{
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`,
		},
		ActionNames: []string{"s3:GetObject", "s3:DeleteObject", "sqs:SendMessage"}, ResourceArns: []string{"arn:aws:s3:::b/k"},
		ContextEntries: []api.ContextEntry{{ContextKeyName: ptr("aws:SecureTransport"), ContextKeyValues: []string{"false"}, ContextKeyType: "boolean"}},
	}).EvaluationResults
	for i, want := range []string{"allowed", "explicitDeny", "implicitDeny"} {
		if out[i].EvalDecision != want {
			t.Errorf("%s = %s, want %s", out[i].EvalActionName, out[i].EvalDecision, want)
		}
	}
	if len(out[1].MatchedStatements) != 1 {
		t.Errorf("matched = %+v", out[1].MatchedStatements)
	}
}

func TestEveryManagedPolicyCompiles(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	list := call[api.ListPoliciesOutput](t, p, ctx, "ListPolicies", &api.ListPoliciesInput{Scope: "AWS"}).Policies
	if len(list) < 40 {
		t.Errorf("%d policies", len(list))
	}
	for _, m := range list {
		if d, err := p.dir.ManagedPolicy(ctx, *m.Arn); err != nil || d == nil {
			t.Errorf("%s: %v, %v", *m.Arn, d, err)
		}
	}
}

// TestRoleResource deploys, changes and deletes AWS::IAM::Role as a stack does.
func TestRoleResource(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	typ := p.types["AWS::IAM::Role"]
	props := typ.NewProperties()
	fill(t, props, map[string]any{
		"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}}},
		"ManagedPolicyArns":        []string{"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"},
	})
	c := service.ResourceCall{StackName: "s", LogicalID: "Role", NameSeed: "s-Role-ABCDEFGHIJKL", Tags: map[string]string{"aws:cloudformation:stack-name": "s"}}
	made, err := typ.Create(ctx, c, props)
	if err != nil || made.PhysicalID != "s-Role-ABCDEFGHIJKL" || made.Attributes["Arn"] != "arn:aws:iam::000000000000:role/s-Role-ABCDEFGHIJKL" {
		t.Fatalf("create = %+v, %v", made, err)
	}
	if again, err := typ.Create(ctx, c, props); err != nil || again.PhysicalID != made.PhysicalID {
		t.Errorf("create after a crash = %+v, %v", again, err)
	}
	c.PhysicalID = made.PhysicalID
	next := typ.NewProperties()
	fill(t, next, map[string]any{"AssumeRolePolicyDocument": lambdaTrust, "ManagedPolicyArns": []string{"arn:aws:iam::aws:policy/AWSLambdaExecute"}})
	if _, err := typ.Update(ctx, c, props, next); err != nil {
		t.Fatal(err)
	}
	got := call[api.ListAttachedRolePoliciesOutput](t, p, ctx, "ListAttachedRolePolicies", &api.ListAttachedRolePoliciesInput{RoleName: made.PhysicalID}).AttachedPolicies
	if len(got) != 1 || *got[0].PolicyName != "AWSLambdaExecute" {
		t.Errorf("attached = %+v", got)
	}
	for range 2 {
		if err := typ.Delete(ctx, c, next); err != nil {
			t.Error(err)
		}
	}
	if got := code(p, ctx, "GetRole", &api.GetRoleInput{RoleName: made.PhysicalID}); got != "NoSuchEntity" {
		t.Errorf("after delete: %q", got)
	}
}
