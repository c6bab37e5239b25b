package eventbridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	// callQueue delivers to API destinations.
	callQueue = "eventbridge.call"
	// callTimeout is how long an endpoint may take (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html).
	callTimeout = 5 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 64 << 10
)

// callDestination calls an API destination with a message.
func (s *Service) callDestination(ctx context.Context, m *deliver.Message, _ int) error {
	a, err := arn.Parse(m.Target)
	if err != nil {
		return err
	}
	p := place{a.Account, a.Region}
	// The role of the target must be allowed to call the destination.
	as, err := s.options.Sender.Caller(ctx, m.From, m.Role, m.ID, m.Target)
	if err != nil {
		return err
	}
	if err := s.deps.Door.Allow(as, service.Target{Action: "events:InvokeApiDestination", ARN: m.Target, Owner: p.account}); err != nil {
		return err
	}
	_, rest := a.Split()
	name, _, _ := strings.Cut(rest, "/")
	var d destinationRecord
	var c connectionRecord
	var at place
	err = s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if d, err = get[destinationRecord](r, p.destination(name), noDestination(name)); err == nil {
			at, c, err = connectionOf(r, d.Connection)
		}
		return err
	})
	if err != nil {
		return storeError(err)
	}
	if !c.usable() {
		return service.Errorf("ConnectionNotAuthorized", "The connection %s is not authorised. Give it its parameters again with UpdateConnection.", c.Name).WithStatus(400)
	}
	hidden, err := s.openSecrets(ctx, at, &c)
	if err != nil {
		return err
	}
	if err := s.rates.wait(ctx, s.deps.Clock, m.Target, int(d.Rate)); err != nil {
		return err
	}
	return s.call(ctx, m, &d, &caller{place: at, c: &c, hidden: hidden})
}

// caller is the connection of a call.
type caller struct {
	place

	c      *connectionRecord
	hidden *secrets
}

// call makes the request. An endpoint that does not accept the token of its connection gets a new one, once.
func (s *Service) call(ctx context.Context, m *deliver.Message, d *destinationRecord, c *caller) error {
	for again := range 2 {
		r, err := newCall(ctx, m, d, c.hidden.HTTP)
		if err != nil {
			return err
		}
		if err := s.authorize(r, c); err != nil {
			return err
		}
		status, err := s.do(r)
		if err != nil {
			return fmt.Errorf("call %s: %w", d.Endpoint, err)
		}
		switch {
		case status < 300:
			return nil
		case again == 0 && (status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired) && c.c.Type == api.ConnectionAuthorizationTypeOauthClientCredentials:
			s.oauth.forget(c.connectionARN(c.c))
			continue
		case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired, status == http.StatusConflict:
			status = http.StatusTooManyRequests // another try may succeed
		case status < 400:
			status = http.StatusBadRequest // redirects are not followed
		}
		return service.Errorf("ApiDestinationFailed", "%s answered with status %d.", d.Endpoint, status).WithStatus(status)
	}
	return nil
}

// do makes a request and returns the status of the answer.
func (s *Service) do(r *http.Request) (int, error) {
	answer, err := s.options.HTTP.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	return answer.StatusCode, errors.Join(err, answer.Body.Close())
}

// newCall returns the request of a message. What the connection says about headers, query and body wins over the target.
func newCall(ctx context.Context, m *deliver.Message, d *destinationRecord, fixed *api.ConnectionHttpParameters) (*http.Request, error) {
	endpoint := d.Endpoint
	body := m.Body
	query := url.Values{}
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"Amazon/EventBridge/ApiDestinations"}}
	if h := m.HTTP; h != nil {
		for _, v := range h.Path {
			endpoint = strings.Replace(endpoint, "*", url.PathEscape(v), 1)
		}
		for k, v := range h.Header {
			header.Set(k, v)
		}
		for k, v := range h.Query {
			query.Set(k, v)
		}
	}
	if fixed != nil {
		for _, x := range fixed.HeaderParameters {
			header.Set(opt.Value(x.Key), opt.Value(x.Value))
		}
		for _, x := range fixed.QueryStringParameters {
			query.Set(opt.Value(x.Key), opt.Value(x.Value))
		}
		body = withParameters(body, fixed.BodyParameters)
	}
	body, err := asCloudEvent(header, m.ID, body)
	if err != nil {
		return nil, err
	}
	if d.Method == http.MethodGet || d.Method == http.MethodHead {
		body = nil
	}
	r, err := http.NewRequestWithContext(ctx, d.Method, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, service.Errorf("InvalidParameterValue", "The endpoint of the API destination cannot be called: %s", err).WithStatus(400)
	}
	r.Header = header
	if len(query) > 0 {
		all := r.URL.Query()
		maps.Copy(all, query)
		r.URL.RawQuery = all.Encode()
	}
	return r, nil
}

// withParameters adds members to a body that is a JSON object.
func withParameters(body []byte, extra []api.ConnectionBodyParameter) []byte {
	if len(extra) == 0 {
		return body
	}
	doc := map[string]json.RawMessage{}
	if len(body) > 0 && json.Unmarshal(body, &doc) != nil {
		return body
	}
	for _, x := range extra {
		v, err := json.Marshal(opt.Value(x.Value))
		if err != nil {
			return body
		}
		doc[opt.Value(x.Key)] = v
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return body
	}
	return out
}

// authorize adds the authorisation of the connection.
func (s *Service) authorize(r *http.Request, c *caller) error {
	switch c.c.Type {
	case api.ConnectionAuthorizationTypeBasic:
		r.SetBasicAuth(opt.Value(c.c.Shown.BasicAuthParameters.Username), c.hidden.Password)
	case api.ConnectionAuthorizationTypeApiKey:
		r.Header.Set(opt.Value(c.c.Shown.ApiKeyAuthParameters.ApiKeyName), c.hidden.APIKey)
	default:
		token, err := s.token(r.Context(), c)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", token)
	}
	return nil
}

// tokens keeps OAuth tokens in memory, by the ARN of their connection.
type tokens struct {
	mu   sync.Mutex // guards the field below
	have map[string]token
}

type token struct {
	header  string
	expires time.Time
}

func (t *tokens) get(name string, now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := t.have[name]; x.expires.After(now) {
		return x.header
	}
	return ""
}

func (t *tokens) set(name string, x token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.have == nil {
		t.have = map[string]token{}
	}
	t.have[name] = x
}

func (t *tokens) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.have, name)
}

// token returns the Authorization header of an OAuth connection, by the client credentials grant (RFC 6749, section 4.4).
func (s *Service) token(ctx context.Context, c *caller) (string, error) {
	name := c.connectionARN(c.c)
	if have := s.oauth.get(name, s.now()); have != "" {
		return have, nil
	}
	o := c.c.Shown.OAuthParameters
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {opt.Value(o.ClientParameters.ClientID)}, "client_secret": {c.hidden.ClientSecret}}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	query := url.Values{}
	if h := c.hidden.OAuthHTTP; h != nil {
		for _, x := range h.BodyParameters {
			form.Set(opt.Value(x.Key), opt.Value(x.Value))
		}
		for _, x := range h.HeaderParameters {
			header.Set(opt.Value(x.Key), opt.Value(x.Value))
		}
		for _, x := range h.QueryStringParameters {
			query.Set(opt.Value(x.Key), opt.Value(x.Value))
		}
	}
	r, err := http.NewRequestWithContext(ctx, o.HttpMethod, opt.Value(o.AuthorizationEndpoint), strings.NewReader(form.Encode()))
	if err != nil {
		return "", service.Errorf("InvalidParameterValue", "The authorization endpoint of the connection %s cannot be called: %s", c.c.Name, err).WithStatus(400)
	}
	r.Header = header
	if len(query) > 0 {
		r.URL.RawQuery = query.Encode()
	}
	answer, err := s.options.HTTP.Do(r)
	if err != nil {
		return "", fmt.Errorf("get a token for the connection %s: %w", c.c.Name, err)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return "", fmt.Errorf("get a token for the connection %s: %w", c.c.Name, err)
	}
	var got struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if answer.StatusCode >= 300 || json.Unmarshal(body, &got) != nil || got.AccessToken == "" {
		return "", service.Errorf("ConnectionNotAuthorized", "The authorization endpoint of the connection %s gave no token: status %d.", c.c.Name, answer.StatusCode).WithStatus(http.StatusTooManyRequests)
	}
	if got.TokenType == "" || strings.EqualFold(got.TokenType, "bearer") {
		got.TokenType = "Bearer"
	}
	x := token{got.TokenType + " " + got.AccessToken, s.now().Add(time.Duration(max(got.ExpiresIn-60, 30)) * time.Second)}
	s.oauth.set(name, x)
	return x.header, s.authorized(ctx, c)
}

// authorized notes that a connection has got its first token.
func (s *Service) authorized(ctx context.Context, c *caller) error {
	if c.c.State == api.ConnectionStateAuthorized {
		return nil
	}
	return change(ctx, s, c.connection(c.c.Name), noConnection(c.c.Name), func(_ store.Txn, v *connectionRecord) error {
		if v.State == api.ConnectionStateAuthorizing {
			v.State, v.Authorized = api.ConnectionStateAuthorized, s.now()
		}
		return nil
	})
}

// rates spreads the calls of a destination over time.
type rates struct {
	mu   sync.Mutex // guards the field below
	next map[string]time.Time
}

// wait returns when a call may be made: at most limit a second, with a burst of a second's calls.
func (r *rates) wait(ctx context.Context, clk clock.Clock, name string, limit int) error {
	each := time.Second / time.Duration(max(limit, 1))
	now := clk.Now()
	r.mu.Lock()
	if r.next == nil {
		r.next = map[string]time.Time{}
	}
	at := r.next[name]
	if earliest := now.Add(-time.Second); at.Before(earliest) {
		at = earliest
	}
	at = at.Add(each)
	r.next[name] = at
	r.mu.Unlock()
	if !at.After(now) {
		return nil
	}
	timer := clk.NewTimer(at.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
