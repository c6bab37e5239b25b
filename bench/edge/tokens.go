package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"lambent.dev/lambent/bench/lab"
)

// issuer is an issuer of tokens on loopback.
type issuer struct {
	url    string
	key    jose.JSONWebKey
	server *http.Server
	served chan error
}

// openIssuer starts an issuer with one key.
func openIssuer(ctx context.Context) (*issuer, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &issuer{url: "http://" + l.Addr().String(), served: make(chan error, 1)}
	i.key = jose.JSONWebKey{Key: private, KeyID: "k", Algorithm: string(jose.ES256), Use: "sig"}
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"issuer": i.url, "jwks_uri": i.url + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key.Public()}})
	})
	i.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { i.served <- i.server.Serve(l) }()
	return i, nil
}

// Close ends the issuer.
func (i *issuer) Close() error {
	err := i.server.Close()
	if served := <-i.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// token is a token for an hour.
func (i *issuer) token() (string, error) {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.key}, nil)
	if err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.Signed(s).Claims(map[string]any{"iss": i.url, "aud": "bench", "sub": "ann", "scope": "read", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}).Serialize()
}

// tokens prints what a JWT authorizer adds to a route of an HTTP API with a backend, once it has seen the token.
func (b *bench) tokens(ctx context.Context, g *gates, backend string) (err error) {
	i, err := openIssuer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	token, err := i.token()
	if err != nil {
		return err
	}
	api, err := g.tokenAPI(ctx, i.url, backend)
	if err != nil {
		return err
	}
	at := func(path string) *lab.Target {
		return &lab.Target{
			Addr: g.host, Host: g.host, Path: "/_aws/execute-api/" + api + path, PID: g.platform.PID(), Method: http.MethodGet, Header: "Authorization: Bearer " + token + "\r\n",
		}
	}
	var open, guarded []time.Duration
	for range b.rounds + 1 {
		o, err := at("/open").Load(ctx, connections)
		if err != nil {
			return err
		}
		c, err := at("/closed").Load(ctx, connections)
		if err != nil {
			return err
		}
		open, guarded = append(open, o.CPU), append(guarded, c.CPU)
	}
	o, c := lab.Median(open[1:]), lab.Median(guarded[1:]) // the first fetches the keys
	added := float64(c-o) / float64(time.Microsecond)
	lab.Row("HTTP API, JWT authorizer with a token seen before, CPU that it adds to a request", "≤ 10 µs", fmt.Sprintf("%.1f µs (%d µs against %d µs)", added, c.Microseconds(), o.Microseconds()), added <= 10)
	return nil
}

// tokenAPI makes an HTTP API with a backend behind GET /open and, for those with a token, GET /closed. It returns the API's id.
func (g *gates) tokenAPI(ctx context.Context, issuer, backend string) (string, error) {
	var made struct{ APIID, IntegrationID, AuthorizerID string }
	post := func(path string, in map[string]any) error {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		return g.call(ctx, "apigateway", http.MethodPost, "/v2/apis"+path, string(body), &made)
	}
	if err := post("", map[string]any{"name": "tokens", "protocolType": "HTTP"}); err != nil {
		return "", err
	}
	in := "/" + made.APIID
	err := post(in+"/integrations", map[string]any{"integrationType": "HTTP_PROXY", "integrationMethod": "POST", "integrationUri": "http://" + backend + "/answer", "payloadFormatVersion": "1.0"})
	if err != nil {
		return "", err
	}
	err = post(in+"/authorizers", map[string]any{
		"name": "jwt", "authorizerType": "JWT", "identitySource": []string{"$request.header.Authorization"}, "jwtConfiguration": map[string]any{"issuer": issuer, "audience": []string{"bench"}},
	})
	if err != nil {
		return "", err
	}
	target := "integrations/" + made.IntegrationID
	for _, route := range []map[string]any{
		{"routeKey": "GET /open", "target": target},
		{"routeKey": "GET /closed", "target": target, "authorizationType": "JWT", "authorizerId": made.AuthorizerID, "authorizationScopes": []string{"read"}},
	} {
		if err := post(in+"/routes", route); err != nil {
			return "", err
		}
	}
	return strings.TrimPrefix(in, "/"), post(in+"/stages", map[string]any{"stageName": "$default", "autoDeploy": true})
}
