package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/lru"
)

// maxToken is the longest token in bytes.
const maxToken = 20000

// algorithms are the signatures that are accepted. Those with shared secrets and none are not among them.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// Options configure a [Verifier].
type Options struct {
	// HTTP fetches discovery documents and key sets. Every fetch has a deadline of its own.
	HTTP  *http.Client
	Clock clock.Clock
	// Local, when set, returns the key set (RFC 7517) of an issuer that this Lambent is itself; ok is false for others.
	Local func(ctx context.Context, issuer string) (jwks []byte, ok bool, err error)
}

// Verifier proves tokens. Make one with [New]. It is safe for concurrent use.
type Verifier struct {
	http    *http.Client
	clock   clock.Clock
	local   func(ctx context.Context, issuer string) ([]byte, bool, error)
	fetches chan struct{}

	mu      sync.Mutex // makes looking up and adding an issuer one step
	issuers *lru.Cache[string, *issuer]
}

// New returns a verifier that knows no keys yet.
func New(o Options) *Verifier {
	return &Verifier{http: o.HTTP, clock: o.Clock, local: o.Local, fetches: make(chan struct{}, maxFetches), issuers: lru.New[string, *issuer](maxIssuers)}
}

// Reason says why a token is not proven.
type Reason int

// The reasons.
const (
	// Malformed is what is no token, or one whose kind of signature is not accepted.
	Malformed Reason = iota
	// Unreachable tells that the issuer's keys could not be had.
	Unreachable
	// NoKey tells that the issuer has no key of the token's.
	NoKey
	// Forged is a token whose signature is not of its issuer's key.
	Forged
)

// Error tells why a token is not proven.
type Error struct {
	Reason Reason
	// Description says what is wrong, for the caller.
	Description string
	// Err is the cause, for the log.
	Err error
}

// Error returns the description and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Description + ": " + e.Err.Error()
	}
	return e.Description
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Prove returns the claims of a token whose signature is that of issuer, and until when they may be taken as proven. The error is an [*Error], or that of ctx.
func (v *Verifier) Prove(ctx context.Context, token, issuer string) (claims json.RawMessage, until time.Time, err error) {
	signed, err := parse(token)
	if err != nil {
		return nil, time.Time{}, err
	}
	key, until, err := v.key(ctx, v.known(issuer), signed.Headers[0].KeyID, signed.Headers[0].Algorithm)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, time.Time{}, ctx.Err()
	case errors.Is(err, errUnreachable):
		return nil, time.Time{}, &Error{Unreachable, "JWKS communication error", err}
	case err != nil:
		return nil, time.Time{}, &Error{NoKey, "the issuer has no such key", err}
	}
	if err := signed.Claims(key.Key, &claims); err != nil {
		return nil, time.Time{}, &Error{Forged, "the signature of the token is not valid", err}
	}
	return claims, until, nil
}

// Unproven returns the claims of a token as it states them, which finds its issuer; nothing in them is known to be true. The error is an [*Error].
func Unproven(token string) (claims json.RawMessage, err error) {
	signed, err := parse(token)
	if err != nil {
		return nil, err
	}
	if err := signed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return nil, &Error{Malformed, "the claims of the token cannot be read", err}
	}
	return claims, nil
}

// parse reads a token that has one signature of a kind that is accepted.
func parse(token string) (*jwt.JSONWebToken, error) {
	if len(token) > maxToken {
		return nil, &Error{Malformed, "the token is too long", nil}
	}
	signed, err := jwt.ParseSigned(token, algorithms())
	var other *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &other):
		return nil, &Error{Malformed, "signing method " + string(other.Got) + " is invalid", nil}
	case err != nil:
		return nil, &Error{Malformed, "token contains an invalid number of segments or is not a JSON Web Token", err}
	case len(signed.Headers) != 1:
		return nil, &Error{Malformed, "the token must have one signature", nil}
	}
	return signed, nil
}
