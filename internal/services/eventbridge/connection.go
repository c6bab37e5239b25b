package eventbridge

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// connectionRecord is how API destinations are authorised. What is secret is kept by Secrets Manager.
type connectionRecord struct {
	Name, ID    string
	Description string `json:",omitempty"`
	Type        string
	State       string
	KMSKey      string `json:",omitempty"`
	// Shown is what answers tell: everything but the secrets.
	Shown api.ConnectionAuthResponseParameters
	// Secret is the ARN of the secret; empty for a connection that was deauthorised.
	Secret                        string `json:",omitempty"`
	Created, Modified, Authorized time.Time
}

// usable tells whether calls can be made with the connection.
func (c *connectionRecord) usable() bool {
	return c.State == api.ConnectionStateAuthorized || c.State == api.ConnectionStateAuthorizing
}

func noConnection(name string) error {
	return notFound("Failed to describe the connection(s). Connection '%s' does not exist.", name)
}

func (p place) connectionARN(c *connectionRecord) string {
	return p.arn("connection/" + c.Name + "/" + c.ID)
}

func (s *Service) createConnection(ctx context.Context, in *api.CreateConnectionInput) (*api.CreateConnectionOutput, error) {
	p := placeOf(ctx)
	if in.InvocationConnectivityParameters != nil {
		return nil, service.Unsupported(codeValidation, "CreateConnection", "InvocationConnectivityParameters")
	}
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	now := s.now()
	c := connectionRecord{
		Name: in.Name, ID: id, Description: opt.Value(in.Description), Type: in.AuthorizationType, State: api.ConnectionStateAuthorized, KMSKey: opt.Value(in.KmsKeyIdentifier),
		Created: now, Modified: now, Authorized: now,
	}
	if c.Type == api.ConnectionAuthorizationTypeOauthClientCredentials {
		c.State = api.ConnectionStateAuthorizing // until it has got a token
	}
	var hidden secrets
	if err := c.set(&hidden, in.AuthParameters); err != nil {
		return nil, err
	}
	hide, err := s.hide(ctx, p, &c, &hidden)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, p.connection(in.Name)); err != nil || there {
			if there {
				err = exists("Connection %s already exists.", in.Name)
			}
			return err
		}
		if err := hide(tx); err != nil {
			return err
		}
		return record.Set(tx, p.connection(in.Name), c)
	})
	return &api.CreateConnectionOutput{ConnectionArn: new(p.connectionARN(&c)), ConnectionState: c.State, CreationTime: &now, LastModifiedTime: &now}, storeError(err)
}

// set takes the parameters of a new connection over, each to where it belongs.
func (c *connectionRecord) set(hidden *secrets, in *api.CreateConnectionAuthRequestParameters) error {
	if in == nil {
		return invalid("Parameter(s) AuthParameters must be specified.")
	}
	if in.ConnectivityParameters != nil {
		return service.Unsupported(codeValidation, "CreateConnection", "AuthParameters.ConnectivityParameters")
	}
	switch c.Type {
	case api.ConnectionAuthorizationTypeBasic:
		b := in.BasicAuthParameters
		if b == nil {
			return missingAuth("BasicAuthParameters", c.Type)
		}
		c.Shown.BasicAuthParameters = &api.ConnectionBasicAuthResponseParameters{Username: &b.Username}
		hidden.Password = b.Password
	case api.ConnectionAuthorizationTypeApiKey:
		k := in.ApiKeyAuthParameters
		if k == nil {
			return missingAuth("ApiKeyAuthParameters", c.Type)
		}
		c.Shown.ApiKeyAuthParameters = &api.ConnectionApiKeyAuthResponseParameters{ApiKeyName: &k.ApiKeyName}
		hidden.APIKey = k.ApiKeyValue
	default:
		o := in.OAuthParameters
		if o == nil || o.ClientParameters == nil {
			return missingAuth("OAuthParameters", c.Type)
		}
		c.Shown.OAuthParameters = &api.ConnectionOAuthResponseParameters{
			ClientParameters: &api.ConnectionOAuthClientResponseParameters{ClientID: &o.ClientParameters.ClientID}, AuthorizationEndpoint: &o.AuthorizationEndpoint, HttpMethod: o.HttpMethod,
		}
		hidden.ClientSecret = o.ClientParameters.ClientSecret
		c.Shown.OAuthParameters.OAuthHttpParameters, hidden.OAuthHTTP = split(o.OAuthHttpParameters)
	}
	c.Shown.InvocationHttpParameters, hidden.HTTP = split(in.InvocationHttpParameters)
	return nil
}

func missingAuth(parameter, kind string) error {
	return invalid("Parameter(s) %s must be specified for authorization type %s.", parameter, kind)
}

// split returns HTTP parameters as they are shown, without the values that are secret, and as they are used.
func split(in *api.ConnectionHttpParameters) (shown, used *api.ConnectionHttpParameters) {
	if in == nil {
		return nil, nil
	}
	shown = &api.ConnectionHttpParameters{}
	secret := func(is *bool, value *string) *string {
		if is != nil && *is {
			return nil
		}
		return value
	}
	for _, x := range in.HeaderParameters {
		x.Value = secret(x.IsValueSecret, x.Value)
		shown.HeaderParameters = append(shown.HeaderParameters, x)
	}
	for _, x := range in.QueryStringParameters {
		x.Value = secret(x.IsValueSecret, x.Value)
		shown.QueryStringParameters = append(shown.QueryStringParameters, x)
	}
	for _, x := range in.BodyParameters {
		x.Value = secret(x.IsValueSecret, x.Value)
		shown.BodyParameters = append(shown.BodyParameters, x)
	}
	return shown, in
}

func (s *Service) updateConnection(ctx context.Context, in *api.UpdateConnectionInput) (*api.UpdateConnectionOutput, error) {
	p := placeOf(ctx)
	if in.InvocationConnectivityParameters != nil {
		return nil, service.Unsupported(codeValidation, "UpdateConnection", "InvocationConnectivityParameters")
	}
	c, err := view[connectionRecord](ctx, s, p.connection(in.Name), noConnection(in.Name))
	if err != nil {
		return nil, err
	}
	before := c.Modified
	hidden, err := s.hidden(ctx, &c)
	if err != nil {
		return nil, err
	}
	if in.Description != nil {
		c.Description = *in.Description
	}
	if in.KmsKeyIdentifier != nil {
		c.KMSKey = *in.KmsKeyIdentifier
	}
	if in.AuthorizationType != "" && in.AuthorizationType != c.Type {
		c.Type, c.Shown, *hidden = in.AuthorizationType, api.ConnectionAuthResponseParameters{InvocationHttpParameters: c.Shown.InvocationHttpParameters}, secrets{HTTP: hidden.HTTP}
	}
	if in.AuthParameters != nil {
		if err := c.set(hidden, merged(&c, hidden, in.AuthParameters)); err != nil {
			return nil, err
		}
	}
	hide, err := s.hide(ctx, p, &c, hidden)
	if err != nil {
		return nil, err
	}
	c.State, c.Modified, c.Authorized = api.ConnectionStateAuthorized, s.now(), s.now()
	err = change(ctx, s, p.connection(in.Name), noConnection(in.Name), func(tx store.Txn, v *connectionRecord) error {
		if !v.Modified.Equal(before) {
			return service.Errorf(codeModified, "Connection %s was changed at the same time. Try again.", in.Name).WithStatus(400)
		}
		*v = c
		return hide(tx)
	})
	s.oauth.forget(p.connectionARN(&c))
	return &api.UpdateConnectionOutput{
		ConnectionArn: new(p.connectionARN(&c)), ConnectionState: c.State, CreationTime: &c.Created, LastModifiedTime: &c.Modified, LastAuthorizedTime: &c.Authorized,
	}, err
}

// merged returns the parameters of an update, completed by those that the connection has.
func merged(c *connectionRecord, hidden *secrets, in *api.UpdateConnectionAuthRequestParameters) *api.CreateConnectionAuthRequestParameters {
	out := &api.CreateConnectionAuthRequestParameters{InvocationHttpParameters: in.InvocationHttpParameters, ConnectivityParameters: in.ConnectivityParameters}
	if out.InvocationHttpParameters == nil {
		out.InvocationHttpParameters = hidden.HTTP
	}
	or := func(given *string, have string) string {
		if given != nil {
			return *given
		}
		return have
	}
	switch c.Type {
	case api.ConnectionAuthorizationTypeBasic:
		b := in.BasicAuthParameters
		if b == nil {
			b = &api.UpdateConnectionBasicAuthRequestParameters{}
		}
		have := ""
		if c.Shown.BasicAuthParameters != nil {
			have = opt.Value(c.Shown.BasicAuthParameters.Username)
		}
		out.BasicAuthParameters = &api.CreateConnectionBasicAuthRequestParameters{Username: or(b.Username, have), Password: or(b.Password, hidden.Password)}
	case api.ConnectionAuthorizationTypeApiKey:
		k := in.ApiKeyAuthParameters
		if k == nil {
			k = &api.UpdateConnectionApiKeyAuthRequestParameters{}
		}
		have := ""
		if c.Shown.ApiKeyAuthParameters != nil {
			have = opt.Value(c.Shown.ApiKeyAuthParameters.ApiKeyName)
		}
		out.ApiKeyAuthParameters = &api.CreateConnectionApiKeyAuthRequestParameters{ApiKeyName: or(k.ApiKeyName, have), ApiKeyValue: or(k.ApiKeyValue, hidden.APIKey)}
	default:
		out.OAuthParameters = mergedOAuth(c.Shown.OAuthParameters, hidden, in.OAuthParameters)
	}
	return out
}

func mergedOAuth(have *api.ConnectionOAuthResponseParameters, hidden *secrets, in *api.UpdateConnectionOAuthRequestParameters) *api.CreateConnectionOAuthRequestParameters {
	out := &api.CreateConnectionOAuthRequestParameters{ClientParameters: &api.CreateConnectionOAuthClientRequestParameters{ClientSecret: hidden.ClientSecret}, OAuthHttpParameters: hidden.OAuthHTTP}
	if have != nil {
		out.AuthorizationEndpoint, out.HttpMethod = opt.Value(have.AuthorizationEndpoint), have.HttpMethod
		if have.ClientParameters != nil {
			out.ClientParameters.ClientID = opt.Value(have.ClientParameters.ClientID)
		}
	}
	if in == nil {
		return out
	}
	if in.ClientParameters != nil {
		if in.ClientParameters.ClientID != nil {
			out.ClientParameters.ClientID = *in.ClientParameters.ClientID
		}
		if in.ClientParameters.ClientSecret != nil {
			out.ClientParameters.ClientSecret = *in.ClientParameters.ClientSecret
		}
	}
	if in.AuthorizationEndpoint != nil {
		out.AuthorizationEndpoint = *in.AuthorizationEndpoint
	}
	if in.HttpMethod != "" {
		out.HttpMethod = in.HttpMethod
	}
	if in.OAuthHttpParameters != nil {
		out.OAuthHttpParameters = in.OAuthHttpParameters
	}
	return out
}

func (s *Service) describeConnection(ctx context.Context, in *api.DescribeConnectionInput) (*api.DescribeConnectionOutput, error) {
	p := placeOf(ctx)
	c, err := view[connectionRecord](ctx, s, p.connection(in.Name), noConnection(in.Name))
	if err != nil {
		return nil, err
	}
	return &api.DescribeConnectionOutput{
		ConnectionArn: new(p.connectionARN(&c)), Name: &c.Name, Description: opt.Of(c.Description), ConnectionState: c.State, AuthorizationType: c.Type, SecretArn: opt.Of(c.Secret),
		KmsKeyIdentifier: opt.Of(c.KMSKey), AuthParameters: &c.Shown, CreationTime: &c.Created, LastModifiedTime: &c.Modified, LastAuthorizedTime: &c.Authorized,
	}, nil
}

func (s *Service) listConnections(ctx context.Context, in *api.ListConnectionsInput) (*api.ListConnectionsOutput, error) {
	p := placeOf(ctx)
	out := &api.ListConnectionsOutput{Connections: []api.Connection{}}
	next, err := list(ctx, s, p.connections(), in.NamePrefix, in.NextToken, in.Limit, func(_ string, c connectionRecord) bool {
		if in.ConnectionState != "" && in.ConnectionState != c.State {
			return false
		}
		out.Connections = append(out.Connections, api.Connection{
			ConnectionArn: new(p.connectionARN(&c)), Name: &c.Name, ConnectionState: c.State, AuthorizationType: c.Type, CreationTime: &c.Created, LastModifiedTime: &c.Modified,
			LastAuthorizedTime: &c.Authorized,
		})
		return true
	})
	out.NextToken = next
	return out, err
}

func (s *Service) deleteConnection(ctx context.Context, in *api.DeleteConnectionInput) (*api.DeleteConnectionOutput, error) {
	p := placeOf(ctx)
	var c connectionRecord
	err := s.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		if c, err = get[connectionRecord](tx, p.connection(in.Name), noConnection(in.Name)); err != nil {
			return err
		}
		tx.Delete(p.connection(in.Name))
		return s.forget(tx, &c)
	})
	s.oauth.forget(p.connectionARN(&c))
	return &api.DeleteConnectionOutput{
		ConnectionArn: new(p.connectionARN(&c)), ConnectionState: api.ConnectionStateDeleting, CreationTime: &c.Created, LastModifiedTime: &c.Modified, LastAuthorizedTime: &c.Authorized,
	}, storeError(err)
}

// deauthorizeConnection takes the secrets of a connection away; an update gives it new ones.
func (s *Service) deauthorizeConnection(ctx context.Context, in *api.DeauthorizeConnectionInput) (*api.DeauthorizeConnectionOutput, error) {
	p := placeOf(ctx)
	var c connectionRecord
	err := change(ctx, s, p.connection(in.Name), noConnection(in.Name), func(tx store.Txn, v *connectionRecord) error {
		if err := s.forget(tx, v); err != nil {
			return err
		}
		v.State, v.Modified, v.Secret = api.ConnectionStateDeauthorized, s.now(), ""
		c = *v
		return nil
	})
	s.oauth.forget(p.connectionARN(&c))
	return &api.DeauthorizeConnectionOutput{
		ConnectionArn: new(p.connectionARN(&c)), ConnectionState: api.ConnectionStateDeauthorizing, CreationTime: &c.Created, LastModifiedTime: &c.Modified, LastAuthorizedTime: &c.Authorized,
	}, err
}
