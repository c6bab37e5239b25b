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
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

const (
	// callQueue delivers to API destinations.
	callQueue = "eventbridge.call"
	// callTimeout is how long an endpoint may take (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html).
	callTimeout = 5 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 256 << 10
	// maxRange is how many bytes of an answer calls ask for.
	maxRange = 1 << 20
)

// deliverCall makes the call of a message to an API destination or a stage, and sends a dead letter of one to its queue.
func (s *Service) deliverCall(ctx context.Context, m *deliver.Message, _ int) error {
	if a, err := arn.Parse(m.Target); err == nil && a.Service == "sqs" {
		return s.options.Sender.Send(ctx, m)
	}
	_, err := s.callTarget(ctx, m)
	return err
}

// CallEndpoint implements [port.Endpoints].
func (s *Service) CallEndpoint(ctx context.Context, from port.Source, role string, c port.EndpointCall) ([]byte, error) {
	return s.callTarget(ctx, &deliver.Message{
		Target: c.Target, From: from, Role: role, ID: c.ID, Trace: c.Trace, HTTP: &deliver.HTTP{Path: c.Path, Header: c.Header, Query: c.Query}, Body: c.Body,
	})
}

// callTarget makes a call and returns the body of its answer.
func (s *Service) callTarget(ctx context.Context, m *deliver.Message) ([]byte, error) {
	a, err := arn.Parse(m.Target)
	switch {
	case err != nil:
		return nil, err
	case isStage(a):
		return s.callStage(ctx, m, a)
	}
	return s.callDestination(ctx, m, a)
}

// callDestination calls an API destination with a message.
func (s *Service) callDestination(ctx context.Context, m *deliver.Message, a arn.ARN) ([]byte, error) {
	p := place{a.Account, a.Region}
	// The role of the target must be allowed to call the destination.
	as, err := s.options.Sender.Caller(ctx, m.From, m.Role, m.ID, m.Target)
	if err != nil {
		return nil, err
	}
	if err := s.deps.Door.Allow(as, service.Target{Action: "events:InvokeApiDestination", ARN: m.Target, Owner: p.account}); err != nil {
		return nil, err
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
		return nil, storeError(err)
	}
	if !c.usable() || c.Secret == "" {
		return nil, service.Errorf("ConnectionNotAuthorized", "The connection %s is not authorised. Give it its parameters again with UpdateConnection.", c.Name).WithStatus(400)
	}
	hidden, err := s.hidden(ctx, &c)
	if err != nil {
		return nil, err
	}
	if err := s.rates.wait(ctx, s.deps.Clock, m.Target, int(d.Rate)); err != nil {
		return nil, err
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
func (s *Service) call(ctx context.Context, m *deliver.Message, d *destinationRecord, c *caller) ([]byte, error) {
	for again := range 2 {
		r, err := newCall(ctx, m, d.Method, d.Endpoint, c.hidden.HTTP)
		if err != nil {
			return nil, err
		}
		if err := s.authorize(r, c); err != nil {
			return nil, err
		}
		for k, v := range fixedHeaders() {
			r.Header.Set(k, v)
		}
		status, body, err := do(s.http, r)
		if err != nil {
			return nil, fmt.Errorf("call %s: %w", d.Endpoint, err)
		}
		if again == 0 && (status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired) && c.c.Type == api.ConnectionAuthorizationTypeOauthClientCredentials {
			s.oauth.forget(c.connectionARN(c.c))
			continue
		}
		return body, refusal("ApiDestinationFailed", d.Endpoint, status)
	}
	return nil, nil // the second try has returned
}

// refusal returns the error of an endpoint that did not answer with success, with a status that tells whether another try may help.
func refusal(code, endpoint string, status int) error {
	shown := status
	switch {
	case status < 300:
		return nil
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired, status == http.StatusConflict:
		status = http.StatusTooManyRequests // another try may succeed
	case status < 400:
		return service.Errorf(code, "%s answered with status %d. Redirects are not followed: give the endpoint the address that it leads to.", endpoint, shown).WithStatus(http.StatusBadRequest)
	}
	return service.Errorf(code, "%s answered with status %d.", endpoint, shown).WithStatus(status)
}

// do makes a request and returns the status and the body of the answer.
func do(client *http.Client, r *http.Request) (int, []byte, error) {
	answer, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return answer.StatusCode, body, errors.Join(err, answer.Body.Close())
}

// newCall returns the request of a message. What the connection says about headers, query and body wins over the target.
func newCall(ctx context.Context, m *deliver.Message, method, endpoint string, fixed *api.ConnectionHttpParameters) (*http.Request, error) {
	body := m.Body
	query := url.Values{}
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
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
	if method == http.MethodGet || method == http.MethodHead {
		body = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, service.Errorf("InvalidParameterValue", "The endpoint cannot be called: %s", err).WithStatus(400)
	}
	r.Header = header
	if len(query) > 0 {
		all := r.URL.Query()
		maps.Copy(all, query)
		r.URL.RawQuery = all.Encode()
	}
	return r, nil
}

// fixedHeaders are the headers of calls that no target and no connection changes
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html).
func fixedHeaders() map[string]string {
	return map[string]string{"User-Agent": "Amazon/EventBridge/ApiDestinations", "Range": fmt.Sprintf("bytes=0-%d", maxRange-1)}
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
	answer, err := s.http.Do(r)
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
