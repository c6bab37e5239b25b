package dispatch_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/auth/token"
	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/dispatch"
	"lambent.dev/lambent/internal/service"
)

const (
	account = "000000000000"
	region  = "eu-west-3"
)

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// The callers that the fixture's directory knows.
var (
	root  = sigv4.Signer{AccessKeyID: "AKIAROOT", Secret: "root-secret", Region: region, Service: "sts"}
	alice = sigv4.Signer{AccessKeyID: "AKIAALICE", Secret: "alice-secret", Region: region, Service: "sts"} // has no policy
	local = sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: region, Service: "sts"}
)

// directory knows alice, who has no policy.
type directory struct{}

func (directory) AccessKey(_ context.Context, id string) (*auth.AccessKey, error) {
	if id != alice.AccessKeyID {
		return nil, nil
	}
	return &auth.AccessKey{ID: id, Secret: alice.Secret, Active: true, Account: account, ARN: "arn:aws:iam::" + account + ":user/alice", UserID: "AIDA1"}, nil
}

func (directory) Identity(context.Context, string) (*auth.Identity, error) {
	return &auth.Identity{UserID: "AIDA1", Name: "alice"}, nil
}

func (directory) ManagedPolicy(context.Context, string) (*iam.Document, error) { return nil, nil }

// lockedBuffer is a log that requests on several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex // guards the fields below
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// platform is a plane and a door in front of a service that is made of the handlers of a test.
type platform struct {
	plane *dispatch.Plane
	door  *dispatch.Door
	log   *lockedBuffer

	mu sync.Mutex // guards the fields below
	// told are the exchanges that the service was told of.
	told []*service.Exchange
	// seen are the requests that reached a handler.
	seen []service.Request
}

func (p *platform) calls() []service.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]service.Request(nil), p.seen...)
}

// note records that a handler ran.
func (p *platform) note(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, *service.RequestFrom(ctx))
}

var errDisk = errors.New("the disk at /secret/path is on fire")

// handlers are a service with one operation of each kind: GetAccessKeyInfo asks the authorizer, GetCallerIdentity is open, AssumeRoleWithSAML is
// for callers without credentials, GetSessionToken fails, GetFederationToken calls GetAccessKeyInfo as a service.
func (p *platform) handlers() *sts.Handlers {
	return &sts.Handlers{
		GetAccessKeyInfo: func(ctx context.Context, in *sts.GetAccessKeyInfoInput) (*sts.GetAccessKeyInfoOutput, error) {
			p.note(ctx)
			return &sts.GetAccessKeyInfoOutput{Account: &in.AccessKeyId}, nil
		},
		GetCallerIdentity: func(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
			p.note(ctx)
			return &sts.GetCallerIdentityOutput{Arn: &service.RequestFrom(ctx).Principal.ARN}, nil
		},
		AssumeRoleWithSAML: func(ctx context.Context, _ *sts.AssumeRoleWithSAMLInput) (*sts.AssumeRoleWithSAMLOutput, error) {
			p.note(ctx)
			return &sts.AssumeRoleWithSAMLOutput{}, nil
		},
		GetSessionToken: func(context.Context, *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
			return nil, errDisk
		},
		GetFederationToken: func(ctx context.Context, in *sts.GetFederationTokenInput) (*sts.GetFederationTokenOutput, error) {
			p.note(ctx)
			as := service.As(ctx, service.Principal{Kind: service.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account})
			_, err := service.Call[sts.GetAccessKeyInfoOutput](as, p.door, "sts", "GetAccessKeyInfo", &sts.GetAccessKeyInfoInput{AccessKeyId: "AKIAIOSFODNN7" + in.Name})
			return &sts.GetFederationTokenOutput{}, err
		},
	}
}

func rules() map[string]service.Access {
	return map[string]service.Access{
		"GetAccessKeyInfo":   service.OnAny("sts:GetAccessKeyInfo"),
		"GetCallerIdentity":  {Action: "sts:GetCallerIdentity", Open: true},
		"AssumeRoleWithSAML": {Action: "sts:AssumeRoleWithSAML", Open: true, Anonymous: true},
		"GetSessionToken":    {Action: "sts:GetSessionToken", Open: true},
		"GetFederationToken": {Action: "sts:GetFederationToken", Open: true},
	}
}

func newPlatform(t testing.TB) *platform {
	t.Helper()
	p := &platform{log: &lockedBuffer{}}
	ring, err := token.NewKeyring(map[uint32][]byte{1: bytes.Repeat([]byte{7}, 32)}, 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now, log := clock.NewFake(start), slog.New(slog.NewTextHandler(p.log, nil))
	registry, err := dispatch.NewRegistry([]service.Service{{API: sts.API, Operations: p.handlers().Bindings(), Access: rules(), Answered: func(e *service.Exchange) { p.told = append(p.told, e) }}}, []*awsapi.API{logs.API})
	if err != nil {
		t.Fatal(err)
	}
	cache := auth.NewCache(directory{})
	p.door = dispatch.NewDoor(now, rand.Reader, log)
	p.door.Open(registry, auth.NewAuthorizer(cache, auth.NewJournal(16), log))
	p.plane = dispatch.NewPlane(dispatch.PlaneOptions{
		Registry: registry, Door: p.door, Authenticator: auth.NewAuthenticator(cache, ring, auth.RootKey{AccessKeyID: root.AccessKeyID, Secret: root.Secret, Account: account}, now),
		Clock: now, Random: rand.Reader, Log: log, Account: account, Region: "us-east-1", Loopback: true, LocalKeys: true,
	})
	return p
}

// form returns the body of a call in the query protocol (Smithy, "AWS Query protocol").
func form(operation string, pairs ...string) string {
	v := url.Values{"Action": {operation}, "Version": {"2011-06-15"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// keyInfo is a valid call of GetAccessKeyInfo.
func keyInfo() string { return form("GetAccessKeyInfo", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE") }

// request returns a call as a program on this machine sends it; s, when it is not nil, signs it over signed.
func request(t testing.TB, s *sigv4.Signer, signed, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:4566", "127.0.0.1:50000"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if s != nil {
		if err := s.SignHTTP(r, sigv4.Hash([]byte(signed)), start); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (p *platform) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.plane.ServeHTTP(w, r)
	return w
}

// expect fails the test unless the answer has the status and contains the texts.
func expect(t *testing.T, w *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	for _, text := range texts {
		if !strings.Contains(w.Body.String(), text) {
			t.Errorf("answer does not contain %q: %s", text, w.Body)
		}
	}
}
