package eventbridge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/seal"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// connectionRecord is how API destinations are authorised. What is secret lies sealed beside what is shown.
type connectionRecord struct {
	Name, ID    string
	Description string `json:",omitempty"`
	Type        string
	State       string
	KMSKey      string `json:",omitempty"`
	// Shown is what answers tell: everything but the secrets.
	Shown api.ConnectionAuthResponseParameters
	// Sealed are the secrets under a data key, which is kept wrapped.
	Sealed, Wrapped               []byte
	Created, Modified, Authorized time.Time
}

// secrets are what a connection hides.
type secrets struct {
	Password, APIKey, ClientSecret string                        `json:",omitempty"`
	HTTP, OAuthHTTP                *api.ConnectionHttpParameters `json:",omitempty"`
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

// secretARN names the secret that holds what a connection hides on AWS. It has an id of its own.
func (p place) secretARN(c *connectionRecord) string {
	sum := sha256.Sum256([]byte("secret of connection " + c.ID))
	x := hex.EncodeToString(sum[:])
	id := strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:32]}, "-")
	return "arn:aws:secretsmanager:" + p.region + ":" + p.account + ":secret:events!connection/" + c.Name + "/" + id + "-" + x[32:38]
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
	if err := s.sealSecrets(ctx, p, &c, &hidden); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, p.connection(in.Name)); err != nil || there {
			if there {
				err = exists("Connection %s already exists.", in.Name)
			}
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

func (s *Service) keyUse(p place, c *connectionRecord) port.KeyUse {
	return port.KeyUse{Service: "events", Key: c.KMSKey, Account: p.account, Region: p.region, Context: map[string]string{"aws:events:connection": p.connectionARN(c)}}
}

// sealSecrets encrypts the secrets of a connection under a new data key.
func (s *Service) sealSecrets(ctx context.Context, p place, c *connectionRecord, hidden *secrets) error {
	k, err := s.options.Keys.GenerateDataKey(ctx, s.keyUse(p, c))
	if err != nil {
		return err
	}
	text, err := json.Marshal(hidden)
	if err != nil {
		return err
	}
	c.Wrapped = k.Wrapped
	c.Sealed, err = seal.Value(k.Plain, text)
	return err
}

// openSecrets returns the secrets of a connection.
func (s *Service) openSecrets(ctx context.Context, p place, c *connectionRecord) (*secrets, error) {
	use := s.keyUse(p, c)
	use.Granted = true // by whoever named the key
	plain, err := s.options.Keys.Decrypt(ctx, use, c.Wrapped)
	if err != nil {
		return nil, err
	}
	text, err := seal.OpenValue(plain, c.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open the secrets of %s: %w", p.connectionARN(c), err)
	}
	var out secrets
	return &out, json.Unmarshal(text, &out)
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
	hidden, err := s.openSecrets(ctx, p, &c)
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
	if err := s.sealSecrets(ctx, p, &c, hidden); err != nil {
		return nil, err
	}
	c.State, c.Modified, c.Authorized = api.ConnectionStateAuthorized, s.now(), s.now()
	err = change(ctx, s, p.connection(in.Name), noConnection(in.Name), func(_ store.Txn, v *connectionRecord) error {
		if !v.Modified.Equal(before) {
			return service.Errorf(codeModified, "Connection %s was changed at the same time. Try again.", in.Name).WithStatus(400)
		}
		*v = c
		return nil
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
		ConnectionArn: new(p.connectionARN(&c)), Name: &c.Name, Description: opt.Of(c.Description), ConnectionState: c.State, AuthorizationType: c.Type, SecretArn: new(p.secretARN(&c)),
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
		return nil
	})
	s.oauth.forget(p.connectionARN(&c))
	return &api.DeleteConnectionOutput{
		ConnectionArn: new(p.connectionARN(&c)), ConnectionState: api.ConnectionStateDeleting, CreationTime: &c.Created, LastModifiedTime: &c.Modified, LastAuthorizedTime: &c.Authorized,
	}, storeError(err)
}

// deauthorizeConnection takes the secrets of a connection away; an update gives it new ones.
func (s *Service) deauthorizeConnection(ctx context.Context, in *api.DeauthorizeConnectionInput) (*api.DeauthorizeConnectionOutput, error) {
	p := placeOf(ctx)
	c, err := view[connectionRecord](ctx, s, p.connection(in.Name), noConnection(in.Name))
	if err != nil {
		return nil, err
	}
	if err := s.sealSecrets(ctx, p, &c, &secrets{}); err != nil {
		return nil, err
	}
	err = change(ctx, s, p.connection(in.Name), noConnection(in.Name), func(_ store.Txn, v *connectionRecord) error {
		v.State, v.Modified, v.Sealed, v.Wrapped = api.ConnectionStateDeauthorized, s.now(), c.Sealed, c.Wrapped
		c = *v
		return nil
	})
	s.oauth.forget(p.connectionARN(&c))
	return &api.DeauthorizeConnectionOutput{
		ConnectionArn: new(p.connectionARN(&c)), ConnectionState: api.ConnectionStateDeauthorizing, CreationTime: &c.Created, LastModifiedTime: &c.Modified, LastAuthorizedTime: &c.Authorized,
	}, err
}
