package auth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/auth/token"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
)

const account = "000000000000"

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// directory is a Directory in memory that counts its reads.
type directory struct {
	keys       map[string]*auth.AccessKey
	identities map[string]*auth.Identity
	reads      int
}

func (d *directory) AccessKey(_ context.Context, id string) (*auth.AccessKey, error) {
	d.reads++
	return d.keys[id], nil
}

func (d *directory) Identity(_ context.Context, arn string) (*auth.Identity, error) {
	d.reads++
	return d.identities[arn], nil
}

func (d *directory) ManagedPolicy(context.Context, string) (*iam.Document, error) {
	d.reads++
	return nil, nil
}

type platform struct {
	dir   *directory
	cache *auth.Cache
	ring  *token.Keyring
	clock *clock.Fake
	who   *auth.Authenticator
	may   *auth.Authorizer
	book  *auth.Journal
}

func newPlatform(t testing.TB) *platform {
	t.Helper()
	policy := func(text string) []iam.Document {
		p, err := iam.Parse(`{"Version":"2012-10-17","Statement":`+text+`}`, iam.Identity)
		if err != nil {
			t.Fatal(err)
		}
		return []iam.Document{{Name: "p", Policy: p}}
	}
	p := &platform{clock: clock.NewFake(start), book: auth.NewJournal(64), dir: &directory{
		keys: map[string]*auth.AccessKey{
			"AKIAALICE": {ID: "AKIAALICE", Secret: "alice-secret", Active: true, Account: account, ARN: "arn:aws:iam::" + account + ":user/alice", UserID: "AIDA1"},
			"AKIAOFF":   {ID: "AKIAOFF", Secret: "s", Account: account},
		},
		identities: map[string]*auth.Identity{
			"arn:aws:iam::" + account + ":user/alice": {
				UserID: "AIDA1", Name: "alice", Tags: map[string]string{"Team": "blue"},
				Documents: policy(`{"Effect":"Allow","Action":"dynamodb:*","Resource":"arn:aws:dynamodb:*:*:table/${aws:username}","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"},"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`),
			},
			"arn:aws:iam::" + account + ":role/app": {UserID: "AROA1", Name: "app", Documents: policy(`{"Effect":"Allow","Action":"*","Resource":"*"}`)},
		},
	}}
	var err error
	if p.ring, err = token.NewKeyring(map[uint32][]byte{1: bytes.Repeat([]byte{7}, 32)}, 1, rand.Reader); err != nil {
		t.Fatal(err)
	}
	p.cache = auth.NewCache(p.dir)
	p.who = auth.NewAuthenticator(p.cache, p.ring, auth.RootKey{AccessKeyID: "AKIAROOT", Secret: "root-secret", Account: account}, p.clock)
	p.may = auth.NewAuthorizer(p.cache, p.book, slog.New(slog.DiscardHandler))
	return p
}

func head(t testing.TB, at time.Time, s sigv4.Signer) *auth.Head {
	t.Helper()
	s.Region, s.Service = "us-east-1", "dynamodb"
	r := &sigv4.Request{Method: "POST", Target: "/", Host: "127.0.0.1:4566", Fields: []sigv4.Field{
		{Name: "X-Amz-Target", Value: "DynamoDB_20120810.PutItem"}, {Name: "Content-Type", Value: "application/x-amz-json-1.0"},
	}}
	if err := s.Sign(r, sigv4.EmptyHash, at); err != nil {
		t.Fatal(err)
	}
	return &auth.Head{Request: r, Options: sigv4.Options{Services: []string{"dynamodb"}}, Family: sigv4.FamilyJSON}
}

func TestCallersAreNamed(t *testing.T) {
	p := newPlatform(t)
	s := &token.Session{
		AccessKeyID: "ASIA1", Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/app/s", RoleARN: "arn:aws:iam::" + account + ":role/app",
		UserID: "AROA1:s", Issued: start.Unix(), Expires: start.Add(time.Hour).Unix(),
	}
	tok, secret, err := p.ring.SealSession(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		signer sigv4.Signer
		local  bool
		after  time.Duration
		change func()
		code   string
		arn    string
	}{
		{name: "user", signer: sigv4.Signer{AccessKeyID: "AKIAALICE", Secret: "alice-secret"}, arn: "arn:aws:iam::000000000000:user/alice"},
		{name: "wrong secret", signer: sigv4.Signer{AccessKeyID: "AKIAALICE", Secret: "x"}, code: "InvalidSignatureException"},
		{name: "unknown key", signer: sigv4.Signer{AccessKeyID: "AKIANOBODY", Secret: "x"}, code: "UnrecognizedClientException"},
		{name: "inactive key", signer: sigv4.Signer{AccessKeyID: "AKIAOFF", Secret: "s"}, code: "UnrecognizedClientException"},
		{name: "root", signer: sigv4.Signer{AccessKeyID: "AKIAROOT", Secret: "root-secret"}, arn: "arn:aws:iam::000000000000:root"},
		{name: "local pair", signer: sigv4.Signer{AccessKeyID: "test", Secret: "test"}, local: true, arn: "arn:aws:iam::000000000000:root"},
		{name: "local pair from elsewhere", signer: sigv4.Signer{AccessKeyID: "test", Secret: "test"}, code: "UnrecognizedClientException"},
		{name: "session", signer: sigv4.Signer{AccessKeyID: "ASIA1", Secret: secret, Token: tok}, arn: s.ARN},
		{name: "session without its token", signer: sigv4.Signer{AccessKeyID: "ASIA1", Secret: secret}, code: "UnrecognizedClientException"},
		{name: "token of another key", signer: sigv4.Signer{AccessKeyID: "ASIA2", Secret: secret, Token: tok}, code: "UnrecognizedClientException"},
		{name: "session that ended", signer: sigv4.Signer{AccessKeyID: "ASIA1", Secret: secret, Token: tok}, after: 61 * time.Minute, code: "ExpiredTokenException"},
		{name: "session of a role that was made again", signer: sigv4.Signer{AccessKeyID: "ASIA1", Secret: secret, Token: tok}, change: func() {
			p.dir.identities[s.RoleARN] = &auth.Identity{UserID: "AROA2"}
			p.cache.Forget()
		}, code: "UnrecognizedClientException"},
		{name: "revoked session", signer: sigv4.Signer{AccessKeyID: "ASIA1", Secret: secret, Token: tok}, change: func() {
			p.dir.identities[s.RoleARN] = &auth.Identity{UserID: "AROA1", RevokedBefore: start.Unix() + 1}
			p.cache.Forget()
		}, code: "ExpiredTokenException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.change != nil {
				tc.change()
			}
			who := p.who
			if tc.after > 0 {
				who = auth.NewAuthenticator(p.cache, p.ring, auth.RootKey{}, clock.NewFake(start.Add(tc.after)))
			}
			h := head(t, start.Add(tc.after), tc.signer)
			h.Local = tc.local
			proof, err := who.Authenticate(t.Context(), h)
			if service.Code(err) != tc.code {
				t.Fatalf("error = %v, want %q", err, tc.code)
			}
			if err == nil && proof.Principal.ARN != tc.arn {
				t.Errorf("principal = %s, want %s", proof.Principal.ARN, tc.arn)
			}
			var e *sigv4.Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("the cause of %v is no signature error", err)
			}
		})
	}
}

func TestS3ShowsWhatWasComputed(t *testing.T) {
	p := newPlatform(t)
	h := head(t, start, sigv4.Signer{AccessKeyID: "AKIAALICE", Secret: "x"})
	h.Family = sigv4.FamilyS3
	_, err := p.who.Authenticate(t.Context(), h)
	var e *service.Error
	if !errors.As(err, &e) || e.Code != "SignatureDoesNotMatch" {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, element := range e.Detail.(interface{ ErrorElements() [][2]string }).ErrorElements() {
		shown[element[0]] = element[1]
	}
	if got := shown["StringToSign"]; !strings.HasPrefix(got, "AWS4-HMAC-SHA256\n") {
		t.Errorf("StringToSign = %q", got)
	}
	if got := shown["AWSAccessKeyId"]; got != "AKIAALICE" {
		t.Errorf("AWSAccessKeyId = %q", got)
	}
}

func TestAnonymousIsNoError(t *testing.T) {
	p := newPlatform(t)
	proof, err := p.who.Authenticate(t.Context(), &auth.Head{Request: &sigv4.Request{Method: "GET", Target: "/b/k", Host: "h"}, Options: sigv4.Options{S3: true}})
	if err != nil || proof.Principal.Kind != service.Anonymous || proof.Payload == nil {
		t.Errorf("proof = %+v, %v", proof, err)
	}
}

func TestLocalPairNeedsEveryFact(t *testing.T) {
	good := auth.LocalFacts{Enabled: true, LoopbackListener: true, LoopbackPeer: true}
	if !auth.LocalAllowed(good) {
		t.Error("refused on loopback")
	}
	for name, bad := range map[string]auth.LocalFacts{
		"switched off": {LoopbackListener: true, LoopbackPeer: true},
		"open port":    {Enabled: true, LoopbackPeer: true},
		"remote peer":  {Enabled: true, LoopbackListener: true},
		"web page":     {Enabled: true, LoopbackListener: true, LoopbackPeer: true, Forgeable: true},
	} {
		if auth.LocalAllowed(bad) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func call(p service.Principal) *service.Request {
	return &service.Request{
		ID: "req-1", API: "dynamodb", Operation: "PutItem", Account: account, Region: "us-east-1", Principal: p, Time: start,
		SourceIP: netip.MustParseAddr("127.0.0.1"), UserAgent: "Boto3/1.43", Secure: true,
	}
}

var alice = service.Principal{Kind: service.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/alice", UserID: "AIDA1"}

func TestDenialsAreExplainedAndRecorded(t *testing.T) {
	p := newPlatform(t)
	own := service.Target{Action: "dynamodb:PutItem", ARN: "arn:aws:dynamodb:us-east-1:000000000000:table/alice"}
	if err := p.may.Authorize(t.Context(), call(alice), []service.Target{own}); err != nil {
		t.Fatal(err)
	}
	foreign := service.Target{Action: "dynamodb:PutItem", ARN: "arn:aws:dynamodb:us-east-1:000000000000:table/bob"}
	err := p.may.Authorize(t.Context(), call(alice), []service.Target{own, foreign})
	const want = "User: arn:aws:iam::000000000000:user/alice is not authorized to perform: dynamodb:PutItem on resource: " +
		"arn:aws:dynamodb:us-east-1:000000000000:table/bob because no identity-based policy allows the dynamodb:PutItem action"
	var e *service.Error
	if !errors.As(err, &e) || e.Code != "AccessDeniedException" || e.Message != want {
		t.Fatalf("error = %v", err)
	}
	records := p.book.Find("req-1")
	if len(records) != 3 || records[0].Decision.Layer != iam.LayerIdentity || records[2].Decision.Allowed || len(records[2].Trace) != 1 || records[2].Trace[0].Failed != "resource" {
		t.Errorf("records = %+v", records)
	}
	if got := p.book.Denials(); len(got) != 1 {
		t.Errorf("%d denials", len(got))
	}
}

func TestServicesNeedTheResourcesPolicy(t *testing.T) {
	p := newPlatform(t)
	from := service.ServiceCaller("s3.amazonaws.com", "arn:aws:s3:::pics", account)
	target := service.Target{Action: "lambda:InvokeFunction", ARN: "arn:aws:lambda:us-east-1:000000000000:function:f", Policy: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"*","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::pics"},"StringEquals":{"AWS:SourceAccount":"000000000000"}}}]}`}
	if err := p.may.Authorize(t.Context(), call(from), []service.Target{target}); err != nil {
		t.Error(err)
	}
	from.SourceARN = "arn:aws:s3:::others"
	if err := p.may.Authorize(t.Context(), call(from), []service.Target{target}); err == nil {
		t.Error("allowed for another bucket")
	}
}

// TestWhatServicesAreAllowedIsDecidedOnce asks again and again what was decided already, between changes of all that the decision hangs on.
func TestWhatServicesAreAllowedIsDecidedOnce(t *testing.T) {
	p := newPlatform(t)
	policy := func(condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"*","Condition":` + condition + `}]}`
	}
	pics := policy(`{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::pics"}}`)
	dated := policy(`{"DateLessThan":{"AWS:CurrentTime":"2030-01-01T00:00:00Z"}}`)
	seconds := policy(`{"NumericLessThan":{"aws:EpochTime":"1893456000"}}`)
	later := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, c := range []struct {
		bucket, policy string
		time           time.Time
		allowed        bool
	}{
		{"pics", pics, start, true},
		{"pics", pics, start, true},
		{"others", pics, start, false},
		{"pics", policy(`{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::other"}}`), start, false},
		{"pics", pics, later, true},
		{"pics", dated, start, true},
		{"pics", dated, later, false},
		{"pics", seconds, start, true},
		{"pics", seconds, later, false},
	} {
		r := &service.Request{ID: strconv.Itoa(i), Account: account, Region: "us-east-1", Time: c.time, Principal: service.ServiceCaller("s3.amazonaws.com", "arn:aws:s3:::"+c.bucket, account)}
		err := p.may.Authorize(t.Context(), r, []service.Target{{Action: "lambda:InvokeFunction", ARN: "arn:aws:lambda:us-east-1:000000000000:function:f", Policy: c.policy}})
		if (err == nil) != c.allowed {
			t.Errorf("case %d: %v", i, err)
		}
		if found := p.book.Find(r.ID); len(found) != 1 || found[0].Decision.Allowed != c.allowed || !found[0].Time.Equal(c.time) {
			t.Errorf("case %d is recorded as %+v", i, found)
		}
	}
}

func TestAChangeIsSeenByTheNextCall(t *testing.T) {
	p := newPlatform(t)
	target := []service.Target{{Action: "dynamodb:PutItem", ARN: "arn:aws:dynamodb:us-east-1:000000000000:table/alice"}}
	for range 3 {
		if err := p.may.Authorize(t.Context(), call(alice), target); err != nil {
			t.Fatal(err)
		}
	}
	if p.dir.reads != 1 {
		t.Errorf("%d reads of the directory, want 1", p.dir.reads)
	}
	delete(p.dir.identities, alice.ARN)
	p.cache.Forget()
	if err := p.may.Authorize(t.Context(), call(alice), target); err == nil {
		t.Error("still allowed after the user is gone")
	}
}

func BenchmarkWarmCall(b *testing.B) {
	p := newPlatform(b)
	h := head(b, start, sigv4.Signer{AccessKeyID: "AKIAALICE", Secret: "alice-secret"})
	h.Request.Fields = append(h.Request.Fields, sigv4.Field{Name: "User-Agent", Value: strings.Repeat("Boto3/1.43 ", 10)})
	targets := []service.Target{{Action: "dynamodb:PutItem", ARN: "arn:aws:dynamodb:us-east-1:000000000000:table/alice"}}
	ctx := b.Context()
	for b.Loop() {
		proof, err := p.who.Authenticate(ctx, h)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.may.Authorize(ctx, call(proof.Principal), targets); err != nil {
			b.Fatal(err)
		}
	}
	if p.dir.reads > 2 {
		b.Errorf("%d reads of the directory", p.dir.reads)
	}
}

// TestConditionKeysTellOfTheCall holds the keys that policies may ask for against the call that they are asked about.
func TestConditionKeysTellOfTheCall(t *testing.T) {
	p := newPlatform(t)
	session := service.Principal{
		Kind: service.AssumedRole, Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/app/s", RoleARN: "arn:aws:iam::" + account + ":role/app", UserID: "AROA1:s",
		Tags: map[string]string{"Team": "red"}, SourceIdentity: "bob", TokenIssueTime: start.Unix(), MFA: true,
	}
	from := service.ServiceCaller("s3.amazonaws.com", "arn:aws:s3:::pics", account)
	const absent = "" // the key has no value
	for _, tc := range []struct {
		who        service.Principal
		key, value string
	}{
		{alice, "aws:username", "alice"},
		{alice, "aws:PrincipalArn", alice.ARN},
		{alice, "aws:PrincipalAccount", account},
		{alice, "aws:PrincipalType", "User"},
		{alice, "aws:userid", "AIDA1"},
		{alice, "aws:PrincipalTag/team", "blue"},
		{alice, "aws:PrincipalTag/other", absent},
		{alice, "aws:PrincipalIsAWSService", "false"},
		{alice, "aws:ViaAWSService", "false"},
		{alice, "aws:SecureTransport", "true"},
		{alice, "aws:RequestedRegion", "us-east-1"},
		{alice, "aws:ResourceAccount", account},
		{alice, "aws:CurrentTime", "2026-11-25T12:00:00Z"},
		{alice, "aws:EpochTime", strconv.FormatInt(start.Unix(), 10)},
		{alice, "aws:UserAgent", "Boto3/1.43"},
		{alice, "aws:SourceIp", "127.0.0.1"},
		{alice, "aws:TokenIssueTime", absent},
		{alice, "aws:MultiFactorAuthPresent", absent},
		{alice, "aws:SourceArn", absent},
		{alice, "dynamodb:leadingkeys", "k"},
		{session, "aws:PrincipalArn", session.RoleARN},
		{session, "aws:PrincipalType", "AssumedRole"},
		{session, "aws:PrincipalTag/TEAM", "red"},
		{session, "aws:SourceIdentity", "bob"},
		{session, "aws:TokenIssueTime", "2026-11-25T12:00:00Z"},
		{session, "aws:MultiFactorAuthPresent", "true"},
		{session, "aws:MultiFactorAuthAge", "0"},
		{alice, "aws:MultiFactorAuthAge", absent},
		{session, "aws:username", absent},
		{service.Principal{}, "aws:PrincipalType", "Anonymous"},
		{service.Principal{}, "aws:userid", "anonymous"},
		{service.Principal{}, "aws:PrincipalArn", absent},
		{from, "aws:PrincipalServiceName", "s3.amazonaws.com"},
		{from, "aws:SourceArn", "arn:aws:s3:::pics"},
		{from, "aws:SourceAccount", account},
		{from, "aws:PrincipalIsAWSService", "true"},
		{from, "aws:userid", absent},
	} {
		target := &service.Target{Action: "dynamodb:PutItem", ARN: "*", Condition: map[string][]string{"dynamodb:LeadingKeys": {"k"}}}
		_, q, err := p.may.Decide(t.Context(), call(tc.who), target)
		if err != nil {
			t.Fatal(err)
		}
		got := q.Context.Values(strings.ToLower(tc.key))
		if tc.value == absent && len(got) != 0 || tc.value != absent && (len(got) != 1 || got[0] != tc.value) {
			t.Errorf("%s of %s%s is %q, want %q", tc.key, tc.who.ARN, tc.who.Service, got, tc.value)
		}
	}
}
