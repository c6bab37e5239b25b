package portal

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/gateway/authorizer"
)

const (
	// visitorCookie has the identity token of who signed in, signInCookie what a sign-in began with.
	visitorCookie = "portal-visitor"
	signInCookie  = "portal-sign-in"

	// signInTime is how long a sign-in may take, exchangeTime how long the pool may take to answer.
	signInTime   = 10 * time.Minute
	exchangeTime = 10 * time.Second
	// maxCookie is what browsers keep of a cookie in bytes (RFC 6265, section 6.1), less its name and attributes.
	maxCookie = 3900
	// maxTokens bounds the answer with the tokens, in bytes.
	maxTokens = 64 << 10
)

// admit lets a visitor in, or answers: with a redirect to the user pool, or to the page that was wanted when the pool sent the visitor back.
func (v *visit) admit(path string) bool {
	c := v.site.Authorization.CognitoConfig
	if c == nil || v.site.Preview { // the address of a preview is a secret
		return true
	}
	if cookie, err := v.r.Cookie(visitorCookie); err == nil {
		_, err := v.portals.options.Tokens.Verify(v.r.Context(), cookie.Value, v.rule(c))
		var refused *authorizer.TokenError
		switch {
		case err == nil:
			v.known = true
			return true
		case !errors.As(err, &refused):
			v.signInFailed(err)
			return false
		}
	}
	query := v.r.URL.Query()
	switch {
	case v.r.Method != http.MethodGet && v.r.Method != http.MethodHead:
		http.Error(v.w, "Sign in first.", http.StatusUnauthorized)
	case path == "" && query.Has("code") && query.Has("state"):
		v.signedIn(c, query.Get("code"), query.Get("state"))
	case path == "" && query.Has("error"):
		v.signInFailed(fmt.Errorf("the user pool answered %q", query.Get("error")))
	default:
		v.signIn(c, path)
	}
	return false
}

// rule says which tokens prove a visitor.
func (v *visit) rule(c *api.CognitoConfig) *authorizer.Rule {
	issuer, _ := poolIssuer(v.site.Region, c.UserPoolArn)
	return &authorizer.Rule{Issuer: issuer, Audiences: []string{c.AppClientId}}
}

// address is the site's own URL, at which the pool sends visitors back: the callback URL of the app client.
func (v *visit) address() string {
	scheme := "http"
	if v.r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + v.r.Host + v.base
}

// cookie sets a cookie of the site; an empty value takes it away.
func (v *visit) cookie(name, value string, lasts time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: v.base + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.r.TLS != nil, MaxAge: int(lasts.Seconds())}
	if value == "" {
		c.MaxAge = -1
	}
	if v.base != "" {
		c.Path = v.base
	}
	http.SetCookie(v.w, c)
}

// random returns a text of 32 random bytes.
func (p *Portals) random() (string, error) {
	b := make([]byte, 32)
	_, err := io.ReadFull(p.deps.Random, b)
	return base64.RawURLEncoding.EncodeToString(b), err
}

// signIn sends a visitor to the user pool, for a code that only this browser can use (RFC 6749, section 4.1; RFC 7636).
func (v *visit) signIn(c *api.CognitoConfig, path string) {
	state, err := v.portals.random()
	if err != nil {
		v.signInFailed(err)
		return
	}
	verifier, err := v.portals.random()
	if err != nil {
		v.signInFailed(err)
		return
	}
	to, err := poolURL(c.UserPoolDomain, "/oauth2/authorize")
	if err != nil {
		v.signInFailed(err)
		return
	}
	challenge := sha256.Sum256([]byte(verifier))
	to.RawQuery = url.Values{
		"response_type": {"code"}, "client_id": {c.AppClientId}, "redirect_uri": {v.address()}, "scope": {"openid"}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	v.cookie(signInCookie, state+"."+verifier+"."+base64.RawURLEncoding.EncodeToString([]byte(path)), signInTime)
	http.Redirect(v.w, v.r, to.String(), http.StatusFound)
}

// signedIn exchanges the code that the pool sent for the tokens of the visitor.
func (v *visit) signedIn(c *api.CognitoConfig, code, state string) {
	cookie, err := v.r.Cookie(signInCookie)
	if err != nil {
		v.signInFailed(errors.New("the browser kept nothing of the beginning of the sign-in"))
		return
	}
	parts := strings.Split(cookie.Value, ".")
	if len(parts) != 3 || subtle.ConstantTimeCompare([]byte(parts[0]), []byte(state)) != 1 {
		v.signInFailed(errors.New("the sign-in is not the one that this browser began last"))
		return
	}
	token, err := v.exchange(c, code, parts[1])
	if err == nil {
		_, err = v.portals.options.Tokens.Verify(v.r.Context(), token, v.rule(c))
	}
	if err == nil && len(token) > maxCookie {
		err = fmt.Errorf("the identity token has %d bytes, more than a cookie holds", len(token))
	}
	if err != nil {
		v.signInFailed(err)
		return
	}
	path, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		path = nil
	}
	v.cookie(signInCookie, "", 0)
	v.cookie(visitorCookie, token, 24*time.Hour) // the token ends before, or the visitor signs in again
	http.Redirect(v.w, v.r, v.address()+"/"+string(path), http.StatusSeeOther)
}

// exchange returns the identity token for a code.
func (v *visit) exchange(c *api.CognitoConfig, code, verifier string) (string, error) {
	to, err := poolURL(c.UserPoolDomain, "/oauth2/token")
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {c.AppClientId}, "code": {code}, "redirect_uri": {v.address()}, "code_verifier": {verifier}}.Encode()
	ctx, cancel := context.WithTimeout(v.r.Context(), exchangeTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(form))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got, err := deliver.NewClient(v.portals.options.Endpoints, 0).Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = got.Body.Close() }()
	var tokens struct {
		ID    string `json:"id_token"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(got.Body, maxTokens)).Decode(&tokens); err != nil {
		return "", fmt.Errorf("the user pool answered %s without tokens: %w", got.Status, err)
	}
	if tokens.ID == "" {
		return "", fmt.Errorf("the user pool answered %s without an identity token (error %q)", got.Status, tokens.Error)
	}
	return tokens.ID, nil
}

// signInFailed answers when a visitor cannot be let in. The cause is for the log.
func (v *visit) signInFailed(err error) {
	v.portals.deps.Log.WarnContext(v.r.Context(), "a visitor of a portal could not sign in", slog.String("portal", v.site.portal), slog.Any("error", err))
	v.cookie(signInCookie, "", 0)
	v.message(http.StatusUnauthorized, "Sign-in failed", "You could not be signed in. Open the portal again to try once more.")
}

// signOut forgets a visitor. The user pool may still know the browser.
func (v *visit) signOut() {
	v.cookie(visitorCookie, "", 0)
	v.known = false
	v.message(http.StatusOK, "Signed out", "You are signed out of this portal.")
}
