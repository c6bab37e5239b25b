package sts_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/auth/oidc"
	"lambent.dev/lambent/internal/auth/oidc/oidctest"
	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/dispatch"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/sts"
)

const account = "000000000000"

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// roles is a directory of one role, "app".
type roles struct{ trust, metadata string }

const (
	roleARN = "arn:aws:iam::" + account + ":role/app"
	phone   = "arn:aws:iam::" + account + ":mfa/phone"
)

func (r *roles) Role(_ context.Context, arn string) (*auth.Role, error) {
	if arn != roleARN {
		return nil, nil
	}
	return &auth.Role{ARN: roleARN, Account: account, Name: "app", ID: "AROAAPP", Trust: r.trust, MaxSession: 7200}, nil
}

func (r *roles) OIDCProvider(_ context.Context, of, issuer string) (*auth.OIDCProvider, error) {
	if of != account || issuer != issuerURL {
		return nil, nil
	}
	return &auth.OIDCProvider{ARN: providerARN, URL: strings.TrimPrefix(issuer, "https://"), ClientIDs: []string{"app", "sts.amazonaws.com"}}, nil
}

// CheckMFA knows the device "phone" of alice, whose code is 111111 and was once 222222.
func (r *roles) CheckMFA(_ context.Context, user, serial, code string) (auth.MFA, error) {
	switch {
	case user != alice.ARN || serial != phone:
		return auth.MFAUnknown, nil
	case code == "111111":
		return auth.MFAProven, nil
	case code == "999999":
		return auth.MFABlocked, nil
	}
	return auth.MFAWrong, nil
}

func (r *roles) SAMLProvider(_ context.Context, arn string) (*auth.SAMLProvider, error) {
	if arn != samlARN || r.metadata == "" {
		return nil, nil
	}
	return &auth.SAMLProvider{ARN: arn, Account: account, Name: "corp", Metadata: r.metadata, ValidUntil: start.AddDate(1, 0, 0)}, nil
}

func (r *roles) AccessKey(context.Context, string) (*auth.AccessKey, error) { return nil, nil }

func (r *roles) Identity(_ context.Context, arn string) (*auth.Identity, error) {
	id := &auth.Identity{UserID: "AIDAALICE", Name: "alice"}
	if arn == roleARN {
		id = &auth.Identity{UserID: "AROAAPP", Name: "app"}
	}
	p, err := iam.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:*","iam:PassRole"],"Resource":"*"}}`, iam.Identity)
	id.Documents = []iam.Document{{Name: "all of STS", Policy: p}}
	return id, err
}

func (r *roles) ManagedPolicy(context.Context, string) (*iam.Document, error) { return nil, nil }

type platform struct {
	door  *dispatch.Door
	who   *auth.Authenticator
	sts   *sts.STS
	ring  *token.Keyring
	clock *clock.Fake
	// issuer is the provider's, and has the key that signs.
	issuer *oidctest.Issuer
	roles  *roles
}

func newPlatform(t *testing.T, trust string) *platform {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	p := &platform{clock: clock.NewFake(start)}
	p.door = dispatch.NewDoor(p.clock, rand.Reader, log)
	ring, err := token.NewKeyring(map[uint32][]byte{1: make([]byte, token.KeySize)}, 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.issuer = oidctest.New(issuerURL)
	r := &roles{trust: `{"Version":"2012-10-17","Statement":[` + trust + `]}`}
	svc, s := sts.New(service.Deps{Door: p.door, Clock: p.clock, Random: rand.Reader, Log: log}, ring, r, oidc.New(oidc.Options{HTTP: p.issuer.Client(), Clock: p.clock}))
	p.sts, p.roles, p.ring = s, r, ring
	registry, err := dispatch.NewRegistry([]service.Service{svc}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cache := auth.NewCache(r)
	p.door.Open(registry, auth.NewAuthorizer(cache, auth.NewJournal(16), log))
	p.who = auth.NewAuthenticator(cache, ring, auth.RootKey{}, p.clock)
	return p
}

func as(p service.Principal) context.Context {
	return service.WithRequest(context.Background(), &service.Request{ID: "r", Account: account, Region: "us-east-1", Principal: p, Time: start})
}

var alice = service.Principal{Kind: service.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/alice", UserID: "AIDAALICE"}

const (
	trustsAlice  = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/alice"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}`
	trustsHome   = `{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"sts:ExternalId":"secret"}}}`
	trustsProven = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/alice"},"Action":"sts:AssumeRole",` +
		`"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}}`
	trustsFn = `{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}`
)

func ptr[T any](v T) *T { return &v }

// principal proves a request that is signed with the credentials, and returns its caller.
func (p *platform) principal(t *testing.T, id, secret, tok string) service.Principal {
	t.Helper()
	s := sigv4.Signer{AccessKeyID: id, Secret: secret, Token: tok, Region: "us-east-1", Service: "sts"}
	r := &sigv4.Request{Method: "POST", Target: "/", Host: "h"}
	if err := s.Sign(r, sigv4.EmptyHash, p.clock.Now()); err != nil {
		t.Fatal(err)
	}
	proof, err := p.who.Authenticate(t.Context(), &auth.Head{Request: r})
	if err != nil {
		t.Fatal(err)
	}
	return proof.Principal
}

func TestAssumedRolesCarryWhatTheCallGaveThem(t *testing.T) {
	p := newPlatform(t, trustsAlice)
	out, err := service.Call[api.AssumeRoleOutput](as(alice), p.door, "sts", "AssumeRole", &api.AssumeRoleInput{
		RoleArn: roleARN, RoleSessionName: "build", DurationSeconds: ptr(int32(7200)), SourceIdentity: ptr("alice"),
		Tags: []api.Tag{{Key: "team", Value: "blue"}, {Key: "env", Value: "dev"}}, TransitiveTagKeys: []string{"team"},
		Policy: ptr(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	if !c.Expiration.Equal(start.Add(2*time.Hour)) || out.AssumedRoleUser.AssumedRoleId != "AROAAPP:build" || !strings.HasPrefix(c.AccessKeyId, "ASIA") || *out.PackedPolicySize < 1 {
		t.Errorf("answer = %+v %+v", c, out.AssumedRoleUser)
	}
	who := p.principal(t, c.AccessKeyId, c.SecretAccessKey, c.SessionToken)
	if who.ARN != "arn:aws:sts::000000000000:assumed-role/app/build" || who.RoleARN != roleARN || who.Tags["team"] != "blue" || who.SourceIdentity != "alice" || len(who.SessionPolicies) != 1 {
		t.Errorf("principal = %+v", who)
	}
	id, err := service.Call[api.GetCallerIdentityOutput](as(who), p.door, "sts", "GetCallerIdentity", &api.GetCallerIdentityInput{})
	if err != nil || *id.Arn != who.ARN || *id.UserId != "AROAAPP:build" {
		t.Errorf("identity = %+v, %v", id, err)
	}
}

func TestAssumeRoleIsRefused(t *testing.T) {
	chained := service.Principal{Kind: service.AssumedRole, Account: account, ARN: "arn:aws:sts::000000000000:assumed-role/app/s", RoleARN: roleARN, UserID: "AROAAPP:s"}
	for _, tc := range []struct {
		name, trust string
		who         service.Principal
		in          api.AssumeRoleInput
		want, text  string
	}{
		{"the role trusts a service only", trustsFn, alice, api.AssumeRoleInput{}, "AccessDenied", "not authorized to perform: sts:AssumeRole on resource: " + roleARN},
		{"no external id", trustsHome, alice, api.AssumeRoleInput{}, "AccessDenied", "sts:AssumeRole"},
		{"another external id", trustsHome, alice, api.AssumeRoleInput{ExternalId: ptr("guess")}, "AccessDenied", "sts:AssumeRole"},
		{"the external id", trustsHome, alice, api.AssumeRoleInput{ExternalId: ptr("secret")}, "", ""},
		{"no such role", trustsHome, alice, api.AssumeRoleInput{RoleArn: roleARN + "x"}, "AccessDenied", "sts:AssumeRole"},
		{"a source identity that the trust does not allow", trustsHome, alice, api.AssumeRoleInput{ExternalId: ptr("secret"), SourceIdentity: ptr("me")}, "AccessDenied", "sts:SetSourceIdentity"},
		{"longer than the role allows", trustsAlice, alice, api.AssumeRoleInput{DurationSeconds: ptr(int32(7201))}, "ValidationError", "MaxSessionDuration"},
		{"chaining for more than an hour", trustsHome, chained, api.AssumeRoleInput{ExternalId: ptr("secret"), DurationSeconds: ptr(int32(3601))}, "ValidationError", "role chaining"},
		{"a session policy that is none", trustsAlice, alice, api.AssumeRoleInput{Policy: ptr("{}")}, "MalformedPolicyDocument", "Syntax errors"},
		{"no code where the role wants one", trustsProven, alice, api.AssumeRoleInput{}, "AccessDenied", "sts:AssumeRole"},
		{"a code where the role wants one", trustsProven, alice, api.AssumeRoleInput{SerialNumber: ptr(phone), TokenCode: ptr("111111")}, "", ""},
		{"a wrong code", trustsProven, alice, api.AssumeRoleInput{SerialNumber: ptr(phone), TokenCode: ptr("222222")}, "AccessDenied", "invalid MFA one time pass code"},
		{"a wrong code where none is wanted", trustsAlice, alice, api.AssumeRoleInput{SerialNumber: ptr(phone), TokenCode: ptr("222222")}, "AccessDenied", "invalid MFA one time pass code"},
		{"a code after too many wrong ones", trustsProven, alice, api.AssumeRoleInput{SerialNumber: ptr(phone), TokenCode: ptr("999999")}, "AccessDenied", "too many wrong codes"},
		{"a code of another device", trustsProven, alice, api.AssumeRoleInput{SerialNumber: ptr(phone + "s"), TokenCode: ptr("111111")}, "AccessDenied", "verify your MFA serial number"},
		{"a code without its device", trustsProven, alice, api.AssumeRoleInput{TokenCode: ptr("111111")}, "AccessDenied", "must provide both"},
		{"a device without its code", trustsProven, alice, api.AssumeRoleInput{SerialNumber: ptr(phone)}, "AccessDenied", "must provide both"},
		{"a code from a session of a role", trustsHome, chained, api.AssumeRoleInput{SerialNumber: ptr(phone), TokenCode: ptr("111111")}, "AccessDenied", "verify your MFA serial number"},
		{"a transitive key without its tag", trustsAlice, alice, api.AssumeRoleInput{TransitiveTagKeys: []string{"x"}}, "ValidationError", "transitive"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlatform(t, tc.trust)
			if tc.in.RoleArn == "" {
				tc.in.RoleArn = roleARN
			}
			tc.in.RoleSessionName = "build"
			_, err := p.door.Call(as(tc.who), "sts", "AssumeRole", &tc.in)
			if service.Code(err) != tc.want || tc.want != "" && !strings.Contains(err.Error(), tc.text) {
				t.Errorf("error = %v, want %s and %q", err, tc.want, tc.text)
			}
		})
	}
}

func TestServicesGetTheCredentialsOfRolesThatTrustThem(t *testing.T) {
	p := newPlatform(t, trustsFn)
	ctx := as(alice)
	c, err := p.sts.AssumeForService(ctx, "lambda.amazonaws.com", roleARN, "f", 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if who := p.principal(t, c.AccessKeyID, c.SecretAccessKey, c.SessionToken); who.ARN != "arn:aws:sts::000000000000:assumed-role/app/f" {
		t.Errorf("principal = %+v", who)
	}
	if _, err := p.sts.AssumeForService(ctx, "states.amazonaws.com", roleARN, "f", time.Hour); service.Code(err) != "AccessDenied" || !strings.Contains(err.Error(), "cannot be assumed by states.amazonaws.com") {
		t.Errorf("another service: %v", err)
	}
	if err := p.sts.CheckPassRole(ctx, roleARN, "lambda.amazonaws.com"); err != nil {
		t.Errorf("pass the role: %v", err)
	}
	if err := p.sts.CheckPassRole(ctx, "arn:aws:iam::111111111111:role/app", "lambda.amazonaws.com"); service.Code(err) != "AccessDenied" {
		t.Errorf("pass a role of another account: %v", err)
	}
}

func TestSessionTokensOfUsers(t *testing.T) {
	p := newPlatform(t, trustsFn)
	out, err := service.Call[api.GetSessionTokenOutput](as(alice), p.door, "sts", "GetSessionToken", &api.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	who := p.principal(t, c.AccessKeyId, c.SecretAccessKey, c.SessionToken)
	if who.ARN != alice.ARN || who.Kind != service.User || !c.Expiration.Equal(start.Add(12*time.Hour)) {
		t.Errorf("principal = %+v until %v", who, c.Expiration)
	}
	if _, err := p.door.Call(as(who), "sts", "GetSessionToken", &api.GetSessionTokenInput{}); service.Code(err) != "AccessDenied" {
		t.Errorf("a session asks for a session: %v", err)
	}
	fed, err := service.Call[api.GetFederationTokenOutput](as(alice), p.door, "sts", "GetFederationToken", &api.GetFederationTokenInput{Name: "bob"})
	if err != nil || fed.FederatedUser.Arn != "arn:aws:sts::000000000000:federated-user/bob" {
		t.Fatalf("federation = %+v, %v", fed, err)
	}
	fc := fed.Credentials
	bob := p.principal(t, fc.AccessKeyId, fc.SecretAccessKey, fc.SessionToken)
	if _, err := p.door.Call(as(bob), "sts", "GetAccessKeyInfo", &api.GetAccessKeyInfoInput{AccessKeyId: fc.AccessKeyId}); service.Code(err) != "AccessDenied" {
		t.Errorf("a federated user without a policy: %v", err)
	}
}

func TestGrantsGetNarrowedSessions(t *testing.T) {
	const instance = "arn:aws:s3:us-east-1:" + account + ":access-grants/default"
	trust := `{"Effect":"Allow","Principal":{"Service":"access-grants.s3.amazonaws.com"},"Action":[%s],"Condition":{"StringEquals":{"aws:SourceArn":"` + instance + `","aws:SourceAccount":"` + account + `"}}}`
	ctx := service.WithRequest(t.Context(), &service.Request{
		ID: "r", Account: account, Region: "us-east-1", Principal: service.ServiceCaller("access-grants.s3.amazonaws.com", instance, account),
	})
	g := port.GrantedSession{
		Role: roleARN, Name: "access-grants-1", Lifetime: 2 * time.Hour, SourceIdentity: "ann", Instance: instance,
		Policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`,
	}
	p := newPlatform(t, strings.Replace(trust, "%s", `"sts:AssumeRole","sts:SetSourceIdentity"`, 1))
	c, err := p.sts.AssumeForGrant(ctx, g)
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := p.ring.OpenSession(c.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	who := auth.SessionPrincipal(session)
	if who.AccessGrants != instance || who.SourceIdentity != "ann" || len(who.SessionPolicies) != 1 || who.RoleARN != roleARN || !c.Expires.Equal(start.Add(2*time.Hour)) {
		t.Errorf("the session is of %+v until %v", who, c.Expires)
	}
	long := g
	long.Lifetime = 3 * time.Hour // the role allows two
	if _, err := p.sts.AssumeForGrant(ctx, long); service.Code(err) != "ValidationError" {
		t.Errorf("a session that is too long: %v", err)
	}
	large := g
	large.Policy = strings.Replace(g.Policy, "b/*", "b/"+strings.Repeat("a", 2048), 1)
	if _, err := p.sts.AssumeForGrant(ctx, large); service.Code(err) != "PackedPolicyTooLarge" {
		t.Errorf("a policy that is too large: %v", err)
	}
	for _, actions := range []string{`"sts:AssumeRole"`, `"sts:SetSourceIdentity"`} {
		p := newPlatform(t, strings.Replace(trust, "%s", actions, 1))
		if _, err := p.sts.AssumeForGrant(ctx, g); !errors.Is(err, port.ErrUntrusted) {
			t.Errorf("a role that allows %s: %v", actions, err)
		}
	}
}

func TestSessionTokensTellOfMFA(t *testing.T) {
	p := newPlatform(t, trustsProven)
	session := func(serial, code *string) (service.Principal, error) {
		out, err := service.Call[api.GetSessionTokenOutput](as(alice), p.door, "sts", "GetSessionToken", &api.GetSessionTokenInput{SerialNumber: serial, TokenCode: code})
		if err != nil {
			return service.Principal{}, err
		}
		return p.principal(t, out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken), nil
	}
	for _, code := range []string{"222222", "999999"} {
		if _, err := session(ptr(phone), &code); service.Code(err) != "AccessDenied" {
			t.Errorf("the code %s: %v", code, err)
		}
	}
	plain, err := session(nil, nil)
	if err != nil || plain.MFA {
		t.Errorf("without a code: %+v, %v", plain, err)
	}
	proven, err := session(ptr(phone), ptr("111111"))
	if err != nil || !proven.MFA {
		t.Errorf("with a code: %+v, %v", proven, err)
	}
	for _, tc := range []struct {
		name    string
		who     service.Principal
		forward time.Duration
		want    string
	}{{"without MFA", plain, 0, "AccessDenied"}, {"with MFA", proven, 59 * time.Minute, ""}, {"after an hour", proven, time.Minute, "AccessDenied"}} {
		p.clock.Advance(tc.forward)
		_, err := p.door.Call(as(tc.who), "sts", "AssumeRole", &api.AssumeRoleInput{RoleArn: roleARN, RoleSessionName: "proof"})
		if got := service.Code(err); got != tc.want {
			t.Errorf("a role %s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
