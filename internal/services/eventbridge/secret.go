package eventbridge

import (
	"context"
	"encoding/json"
	"fmt"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// secrets are what a connection hides, and how it is used.
type secrets struct {
	Password, APIKey, ClientSecret string
	HTTP, OAuthHTTP                *api.ConnectionHttpParameters
}

// secretText is the secret of a connection as Secrets Manager shows it.
type secretText struct {
	Username     *string   `json:"username,omitempty"`
	Password     *string   `json:"password,omitempty"`
	APIKeyName   *string   `json:"api_key_name,omitempty"`
	APIKeyValue  *string   `json:"api_key_value,omitempty"`
	ClientID     *string   `json:"client_id,omitempty"`
	ClientSecret *string   `json:"client_secret,omitempty"`
	Endpoint     *string   `json:"authorization_endpoint,omitempty"`
	Method       string    `json:"http_method,omitempty"`
	OAuthHTTP    *httpText `json:"oauth_http_parameters,omitempty"`
	HTTP         *httpText `json:"invocation_http_parameters,omitempty"`
}

type httpText struct {
	Header []parameterText `json:"header_parameters,omitempty"`
	Query  []parameterText `json:"query_string_parameters,omitempty"`
	Body   []parameterText `json:"body_parameters,omitempty"`
}

type parameterText struct {
	Key    *string `json:"key,omitempty"`
	Value  *string `json:"value,omitempty"`
	Secret *bool   `json:"is_value_secret,omitempty"`
}

// textOf returns the secret of a connection.
func textOf(c *connectionRecord, hidden *secrets) *secretText {
	out := &secretText{HTTP: httpTextOf(hidden.HTTP), OAuthHTTP: httpTextOf(hidden.OAuthHTTP)}
	if b := c.Shown.BasicAuthParameters; b != nil {
		out.Username, out.Password = b.Username, &hidden.Password
	}
	if k := c.Shown.ApiKeyAuthParameters; k != nil {
		out.APIKeyName, out.APIKeyValue = k.ApiKeyName, &hidden.APIKey
	}
	if o := c.Shown.OAuthParameters; o != nil {
		out.Endpoint, out.Method, out.ClientSecret = o.AuthorizationEndpoint, o.HttpMethod, &hidden.ClientSecret
		if o.ClientParameters != nil {
			out.ClientID = o.ClientParameters.ClientID
		}
	}
	return out
}

func httpTextOf(in *api.ConnectionHttpParameters) *httpText {
	if in == nil {
		return nil
	}
	out := &httpText{}
	for _, x := range in.HeaderParameters {
		out.Header = append(out.Header, parameterText{x.Key, x.Value, x.IsValueSecret})
	}
	for _, x := range in.QueryStringParameters {
		out.Query = append(out.Query, parameterText{x.Key, x.Value, x.IsValueSecret})
	}
	for _, x := range in.BodyParameters {
		out.Body = append(out.Body, parameterText{x.Key, x.Value, x.IsValueSecret})
	}
	return out
}

func (t *httpText) parameters() *api.ConnectionHttpParameters {
	if t == nil {
		return nil
	}
	out := &api.ConnectionHttpParameters{}
	for _, x := range t.Header {
		out.HeaderParameters = append(out.HeaderParameters, api.ConnectionHeaderParameter{Key: x.Key, Value: x.Value, IsValueSecret: x.Secret})
	}
	for _, x := range t.Query {
		out.QueryStringParameters = append(out.QueryStringParameters, api.ConnectionQueryStringParameter{Key: x.Key, Value: x.Value, IsValueSecret: x.Secret})
	}
	for _, x := range t.Body {
		out.BodyParameters = append(out.BodyParameters, api.ConnectionBodyParameter{Key: x.Key, Value: x.Value, IsValueSecret: x.Secret})
	}
	return out
}

// hide prepares the secret of a connection, a new one if it has none, and notes its ARN in c. What it returns writes the secret.
func (s *Service) hide(ctx context.Context, p place, c *connectionRecord, hidden *secrets) (write func(tx store.Txn) error, err error) {
	text, err := json.Marshal(textOf(c, hidden))
	if err != nil {
		return nil, err
	}
	if c.Secret != "" {
		return s.options.Secrets.ChangeSecret(ctx, c.Secret, c.KMSKey, string(text))
	}
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	c.Secret, write, err = s.options.Secrets.NewSecret(ctx, port.OwnedSecret{
		Owner: "events", Account: p.account, Region: p.region, Name: "events!connection/" + c.Name + "/" + id, Key: c.KMSKey,
		Description: "Authorization parameters of the connection " + p.connectionARN(c),
	}, string(text))
	return write, err
}

// hidden returns what a connection hides: nothing when it was deauthorised.
func (s *Service) hidden(ctx context.Context, c *connectionRecord) (*secrets, error) {
	out := &secrets{}
	if c.Secret == "" {
		return out, nil
	}
	text, err := s.options.Secrets.ReadSecret(ctx, c.Secret)
	if err != nil {
		return nil, err
	}
	var t secretText
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return nil, fmt.Errorf("read %s: %w", c.Secret, err)
	}
	out.Password, out.APIKey, out.ClientSecret = opt.Value(t.Password), opt.Value(t.APIKeyValue), opt.Value(t.ClientSecret)
	out.HTTP, out.OAuthHTTP = t.HTTP.parameters(), t.OAuthHTTP.parameters()
	return out, nil
}

// forget deletes the secret of a connection.
func (s *Service) forget(tx store.Txn, c *connectionRecord) error {
	if c.Secret == "" {
		return nil
	}
	return s.options.Secrets.DeleteSecret(tx, c.Secret)
}
