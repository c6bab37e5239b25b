package authorizer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	exact "github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"lambent.dev/lambent/internal/auth/oidc"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/lru"
)

const (
	// maxTokens bounds the verified tokens that are remembered, maxToken the length of one that an API takes in bytes.
	maxTokens = 16384
	maxToken  = 16 << 10
)

// Tokens verifies JSON Web Tokens. Make one with [NewTokens]. It is safe for concurrent use.
type Tokens struct {
	prover   *oidc.Verifier
	clock    clock.Clock
	verified *lru.Cache[tokenKey, *verifiedToken]
}

// tokenKey names a token that an issuer is said to have made.
type tokenKey struct{ issuer, token string }

// verifiedToken is a token whose signature is proven.
type verifiedToken struct {
	claims *Claims
	until  time.Time // of the keys
}

// NewTokens returns a checker of tokens that prover proves.
func NewTokens(prover *oidc.Verifier, c clock.Clock) *Tokens {
	return &Tokens{prover: prover, clock: c, verified: lru.New[tokenKey, *verifiedToken](maxTokens)}
}

// Rule says which tokens an API accepts.
type Rule struct {
	// Issuer is the iss that a token must have, a URL; its keys are found by it.
	Issuer string
	// Audiences has the aud, or for tokens without one the client_id, of which a token must have one. Empty accepts all.
	Audiences []string
	// Scopes has what a token must have one of, in scope or scp. Empty accepts all.
	Scopes []string
}

// Claims are what a verified token says. They are shared and must not be changed.
type Claims struct {
	// Members are the claims in the order of the token.
	Members Context
	// Scopes are the scopes of the token.
	Scopes []string

	issuer    string
	audience  []string
	client    string
	expires   time.Time
	notBefore time.Time
	issued    time.Time
}

// NoToken is the code of a request without a token.
const NoToken = "invalid_request"

// TokenError tells why a token is refused.
type TokenError struct {
	// Status is 401, or 403 when the token is good and its scopes are not.
	Status int
	// Code is invalid_token, [NoToken] or insufficient_scope (RFC 6750, section 3.1).
	Code string
	// Description says what is wrong with the token.
	Description string
	// Err is the cause, for the log.
	Err error
}

// Error returns the code and the description.
func (e *TokenError) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Description + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Description
}

// Unwrap returns the cause.
func (e *TokenError) Unwrap() error { return e.Err }

// Challenge returns the value of WWW-Authenticate for the answer of a route that wants scopes (RFC 6750, section 3;
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html). A request without a token gets the name of the scheme alone.
func (e *TokenError) Challenge(scopes []string) string {
	if e.Code == NoToken {
		return "Bearer"
	}
	return `Bearer scope="` + strings.Join(scopes, " ") + `" error="` + e.Code + `" error_description="` + strings.ReplaceAll(e.Description, `"`, `'`) + `"`
}

func badToken(description string, err error) error {
	return &TokenError{Status: http.StatusUnauthorized, Code: "invalid_token", Description: description, Err: err}
}

// Verify checks a token, which may have "Bearer " in front, and returns what it says. The error is a [*TokenError], or that of ctx.
func (t *Tokens) Verify(ctx context.Context, token string, rule *Rule) (*Claims, error) {
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	if token == "" {
		return nil, &TokenError{Status: http.StatusUnauthorized, Code: NoToken, Description: "the request has no token"}
	}
	c, err := t.proven(ctx, token, rule)
	if err != nil {
		return nil, err
	}
	if err := c.check(rule, t.clock.Now()); err != nil {
		return nil, err
	}
	return c, nil
}

// proven returns the claims of a token whose signature is that of its issuer.
func (t *Tokens) proven(ctx context.Context, token string, rule *Rule) (*Claims, error) {
	k := tokenKey{rule.Issuer, token}
	if v, ok := t.verified.Get(k); ok && t.clock.Now().Before(v.until) {
		return v.claims, nil
	}
	if len(token) > maxToken {
		return nil, badToken("the token is too long", nil)
	}
	body, until, err := t.prover.Prove(ctx, token, rule.Issuer)
	var unproven *oidc.Error
	switch {
	case errors.As(err, &unproven):
		return nil, badToken(unproven.Description, unproven.Err)
	case err != nil:
		return nil, err
	}
	claims, err := readClaims(body)
	if err != nil {
		return nil, badToken("the claims of the token cannot be read", err)
	}
	t.verified.Put(tokenKey{rule.Issuer, strings.Clone(token)}, &verifiedToken{claims, until})
	return claims, nil
}

// readClaims reads the body of a token. Names of claims are told apart by case (RFC 7519, section 10.1.1), which encoding/json does not do.
func readClaims(body []byte) (*Claims, error) {
	c := &Claims{}
	if err := json.Unmarshal(body, &c.Members); err != nil {
		return nil, err
	}
	var known struct {
		jwt.Claims

		Client string          `json:"client_id"`
		Scope  json.RawMessage `json:"scope"`
		Scp    json.RawMessage `json:"scp"`
	}
	if err := exact.Unmarshal(body, &known); err != nil {
		return nil, err
	}
	c.issuer, c.audience, c.client = known.Issuer, known.Audience, known.Client
	c.expires, c.notBefore, c.issued = known.Expiry.Time(), known.NotBefore.Time(), known.IssuedAt.Time()
	for _, raw := range []json.RawMessage{known.Scope, known.Scp} {
		var list []string
		if text := (&Entry{Value: raw}).Text(); len(raw) > 0 && raw[0] == '"' {
			c.Scopes = append(c.Scopes, strings.Fields(text)...)
		} else if json.Unmarshal(raw, &list) == nil {
			c.Scopes = append(c.Scopes, list...)
		}
	}
	return c, nil
}

// check compares the claims with what an API accepts (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html).
func (c *Claims) check(rule *Rule, now time.Time) error {
	switch {
	case c.issuer != rule.Issuer:
		return badToken("the issuer of the token is not "+rule.Issuer, nil)
	case c.expires.IsZero():
		return badToken("the token has no exp", nil)
	case !now.Before(c.expires):
		return badToken("the token has expired", nil)
	case !c.notBefore.IsZero() && now.Before(c.notBefore):
		return badToken("the token is not valid yet (nbf)", nil)
	case !c.issued.IsZero() && now.Before(c.issued):
		return badToken("the token was issued in the future (iat)", nil)
	case len(rule.Audiences) > 0 && !c.isFor(rule.Audiences):
		return badToken("the token does not have a valid audience", nil)
	case len(rule.Scopes) > 0 && !slices.ContainsFunc(rule.Scopes, func(s string) bool { return slices.Contains(c.Scopes, s) }):
		return &TokenError{Status: http.StatusForbidden, Code: "insufficient_scope", Description: "the token has none of the scopes of the route"}
	}
	return nil
}

// isFor tells whether the token is for one of the audiences; client_id counts only in a token without an aud.
func (c *Claims) isFor(audiences []string) bool {
	if len(c.audience) == 0 {
		return slices.Contains(audiences, c.client)
	}
	return slices.ContainsFunc(c.audience, func(a string) bool { return slices.Contains(audiences, a) })
}

// Text returns the value of a claim as events of HTTP APIs and mapping templates show it: a string as it is, a list as "[a b]", another value as its JSON.
func (c *Claims) Text(name string) (text string, ok bool) {
	for i := range c.Members {
		if e := &c.Members[i]; e.Name == name {
			return e.claimText(), true
		}
	}
	return "", false
}

// Each calls fn with every claim and its text.
func (c *Claims) Each(fn func(name, text string)) {
	for i := range c.Members {
		fn(c.Members[i].Name, c.Members[i].claimText())
	}
}

func (e *Entry) claimText() string {
	var list []json.RawMessage
	if len(e.Value) == 0 || e.Value[0] != '[' || json.Unmarshal(e.Value, &list) != nil {
		return e.Text()
	}
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = (&Entry{Value: v}).Text()
	}
	return "[" + strings.Join(parts, " ") + "]"
}
