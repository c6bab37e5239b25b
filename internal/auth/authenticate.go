package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/auth/token"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/lru"
	"lambent.dev/lambent/internal/service"
)

// The conventional pair of credentials for platforms on one's own machine.
const (
	LocalAccessKeyID = "test"
	LocalSecret      = "test"
)

// openTokens bounds the cache of opened session tokens.
const openTokens = 4096

// RootKey is the root user's access key of an account.
type RootKey struct {
	AccessKeyID, Secret, Account string
}

// Head is what a front knows of a request before its body is read.
type Head struct {
	// Request is the head as it was sent.
	Request *sigv4.Request
	// Options say how the service wants it signed. BodyHash is not needed: see Body.
	Options sigv4.Options
	// Family selects the error codes.
	Family sigv4.Family
	// Local tells that the conventional pair may be used: see [LocalAllowed].
	Local bool
	// Body returns the hex SHA-256 of the whole body. It is called for signatures that cover a
	// body hash which the request does not carry, and only after everything else is proven
	// to be well formed and the key is known. Nil refuses such signatures.
	Body func() (string, error)
}

// Proof is the outcome of authentication.
type Proof struct {
	// Principal is the caller; Anonymous for a request that carries no signature.
	Principal service.Principal
	// Region and Service are the credential scope; empty for anonymous callers, Version 2 and V4a.
	Region, Service string
	// Presigned tells that the signature came in the query.
	Presigned bool
	// Payload says how to read the body; nil for anonymous callers, except of S3.
	Payload *sigv4.Payload
}

// LocalFacts are what decides whether the conventional pair is accepted.
type LocalFacts struct {
	// Enabled is the setting.
	Enabled bool
	// LoopbackListener tells that the listener is bound to loopback only.
	LoopbackListener bool
	// LoopbackPeer tells that the connection comes from loopback.
	LoopbackPeer bool
	// Forgeable tells that a web page could have made the request: see package front.
	Forgeable bool
}

// LocalAllowed reports whether the conventional pair may be used. Anybody knows it, so it counts
// only where nobody but the user of this machine can come from: a page in the user's browser, or
// a host name that resolves here, must not pass for the user.
func LocalAllowed(f LocalFacts) bool {
	return f.Enabled && f.LoopbackListener && f.LoopbackPeer && !f.Forgeable
}

// Authenticator names the callers of requests. Make one with [NewAuthenticator]. It is safe for
// concurrent use.
type Authenticator struct {
	cache    *Cache
	keyring  *token.Keyring
	root     RootKey
	clock    clock.Clock
	verifier *sigv4.Verifier
	opened   *lru.Cache[string, *openSession]
}

type openSession struct {
	session *token.Session
	secret  string
}

// NewAuthenticator returns an authenticator over the directory's cache, the master keys and the
// root key.
func NewAuthenticator(c *Cache, k *token.Keyring, root RootKey, now clock.Clock) *Authenticator {
	return &Authenticator{
		cache: c, keyring: k, root: root, clock: now,
		verifier: sigv4.NewVerifier(now),
		opened:   lru.New[string, *openSession](openTokens),
	}
}

// Authenticate proves who sent a head. The error is a [*service.Error] with the codes of the
// family, whose cause is the [*sigv4.Error]; any other error is a failure of the directory.
func (a *Authenticator) Authenticate(ctx context.Context, h *Head) (*Proof, error) {
	p, err := a.authenticate(ctx, h)
	var e *sigv4.Error
	if errors.As(err, &e) {
		return nil, Refusal(e, h.Family)
	}
	return p, err
}

func (a *Authenticator) authenticate(ctx context.Context, h *Head) (*Proof, error) {
	sig, err := sigv4.Parse(h.Request, h.Options)
	if err != nil {
		return nil, err
	}
	if sig.Version == sigv4.Anonymous {
		if !h.Options.S3 {
			return &Proof{}, nil
		}
		payload, err := sigv4.AnonymousPayload(h.Request)
		return &Proof{Payload: payload}, err
	}
	principal, secret, err := a.credentials(ctx, sig, h.Local)
	if err != nil {
		return nil, err
	}
	opt := h.Options
	if sig.NeedsBody() && h.Body != nil {
		if opt.BodyHash, err = h.Body(); err != nil {
			return nil, err
		}
	}
	payload, err := a.verifier.Verify(h.Request, sig, secret, opt)
	if err != nil {
		return nil, err
	}
	return &Proof{Principal: principal, Region: sig.Region, Service: sig.Service, Presigned: sig.Query, Payload: payload}, nil
}

// AuthenticateForm proves who signed the policy of an upload form. local tells that the conventional pair may be used. Its errors are those of Authenticate.
func (a *Authenticator) AuthenticateForm(ctx context.Context, f *sigv4.Form, local bool) (*Proof, error) {
	p, err := a.authenticateForm(ctx, f, local)
	var e *sigv4.Error
	if errors.As(err, &e) {
		return nil, Refusal(e, sigv4.FamilyS3)
	}
	return p, err
}

func (a *Authenticator) authenticateForm(ctx context.Context, f *sigv4.Form, local bool) (*Proof, error) {
	sig, err := sigv4.ParseForm(f)
	if err != nil {
		return nil, err
	}
	principal, secret, err := a.credentials(ctx, sig, local)
	if err != nil {
		return nil, err
	}
	if err := a.verifier.VerifyForm(f, sig, secret); err != nil {
		return nil, err
	}
	return &Proof{Principal: principal, Region: sig.Region, Service: sig.Service}, nil
}

// credentials finds the secret of the key id and who it belongs to. The principal is not proven
// before the signature is.
func (a *Authenticator) credentials(ctx context.Context, sig *sigv4.Signature, local bool) (service.Principal, string, error) {
	if sig.Token != "" && sig.AccessKeyID != LocalAccessKeyID {
		return a.session(ctx, sig)
	}
	switch {
	case sig.AccessKeyID == a.root.AccessKeyID && a.root.Secret != "":
		return rootPrincipal(a.root.Account, sig.AccessKeyID), a.root.Secret, nil
	case sig.AccessKeyID == LocalAccessKeyID && local:
		return rootPrincipal(a.root.Account, sig.AccessKeyID), LocalSecret, nil
	case strings.HasPrefix(sig.AccessKeyID, token.PrefixTemporary):
		return service.Principal{}, "", refuse(sigv4.InvalidToken, sig, "")
	case sig.AccessKeyID == LocalAccessKeyID:
		what := "The access key test/test is"
		if sig.Query {
			what = "A URL that was presigned with test/test is"
		}
		return service.Principal{}, "", refuse(sigv4.UnknownKey, sig, what+" accepted only on loopback, from programs on this machine (no web page of another "+
			"origin, no foreign Host), and with local-credentials on: everybody can sign with it. `lambent env --root` prints the root key; functions sign with their role.")
	}
	key, err := a.cache.AccessKey(ctx, sig.AccessKeyID)
	if err != nil {
		return service.Principal{}, "", fmt.Errorf("find an access key: %w", err)
	}
	if key == nil || !key.Active {
		return service.Principal{}, "", refuse(sigv4.UnknownKey, sig, "")
	}
	kind := service.User
	if key.Root {
		kind = service.Root
	}
	return service.Principal{Kind: kind, Account: key.Account, ARN: key.ARN, UserID: key.UserID, AccessKeyID: key.ID}, key.Secret, nil
}

func refuse(k sigv4.Kind, sig *sigv4.Signature, msg string) error {
	return &sigv4.Error{Kind: k, Message: msg, InQuery: sig.Query, AccessKeyID: sig.AccessKeyID}
}

func rootPrincipal(account, keyID string) service.Principal {
	return service.Principal{Kind: service.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account, AccessKeyID: keyID}
}

// session opens the token and checks that it belongs to the key id and has not ended.
func (a *Authenticator) session(ctx context.Context, sig *sigv4.Signature) (service.Principal, string, error) {
	open, ok := a.opened.Get(sig.Token)
	if !ok {
		s, secret, err := a.keyring.OpenSession(sig.Token)
		if err != nil {
			return service.Principal{}, "", refuse(sigv4.InvalidToken, sig, "")
		}
		open = &openSession{s, secret}
		a.opened.Put(strings.Clone(sig.Token), open)
	}
	s := open.session
	if s.AccessKeyID != sig.AccessKeyID {
		return service.Principal{}, "", refuse(sigv4.InvalidToken, sig, "")
	}
	if a.clock.Now().Unix() >= s.Expires {
		return service.Principal{}, "", refuse(sigv4.ExpiredToken, sig, "")
	}
	p := SessionPrincipal(s)
	if err := a.alive(ctx, &p, sig); err != nil {
		return service.Principal{}, "", err
	}
	return p, open.secret, nil
}

// alive refuses sessions of a role or user that is gone, was made again, or was revoked.
func (a *Authenticator) alive(ctx context.Context, p *service.Principal, sig *sigv4.Signature) error {
	name := identityARN(p)
	if name == "" {
		return nil
	}
	id, err := a.cache.Identity(ctx, name)
	if err != nil {
		return fmt.Errorf("find the identity of a session: %w", err)
	}
	if id == nil || !sameIdentity(p, id) {
		return refuse(sigv4.InvalidToken, sig, "")
	}
	if p.TokenIssueTime < id.RevokedBefore {
		return refuse(sigv4.ExpiredToken, sig, "")
	}
	return nil
}

// SessionPrincipal returns the principal of a session.
func SessionPrincipal(s *token.Session) service.Principal {
	p := service.Principal{
		Kind: service.User, Account: s.Account, ARN: s.ARN, UserID: s.UserID, AccessKeyID: s.AccessKeyID, RoleARN: s.RoleARN,
		SessionPolicies: s.Policies, SessionPolicyARNs: s.PolicyARNs, Tags: s.Tags, TransitiveTags: s.Transitive, SourceIdentity: s.SourceIdentity,
		AccessGrants: s.AccessGrants, TokenIssueTime: s.Issued, MFA: s.MFA,
	}
	name, err := arn.Parse(s.ARN)
	switch {
	case err != nil:
	case name.Resource == "root":
		p.Kind = service.Root
	case strings.HasPrefix(name.Resource, "assumed-role/"):
		p.Kind = service.AssumedRole
	case strings.HasPrefix(name.Resource, "federated-user/"):
		p.Kind = service.FederatedUser
	}
	return p
}

// identityARN returns the user or role whose policies a principal has, "" for those without.
func identityARN(p *service.Principal) string {
	switch p.Kind {
	case service.User:
		return p.ARN
	case service.AssumedRole, service.FederatedUser:
		if strings.HasSuffix(p.RoleARN, ":root") {
			return ""
		}
		return p.RoleARN
	case service.Anonymous, service.Root, service.ServicePrincipal:
	}
	return ""
}
