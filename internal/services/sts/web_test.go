package sts_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"lambent.dev/lambent/internal/auth/oidc/oidctest"
	api "lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/service"
)

const (
	issuerURL   = "https://id.example.com/one"
	providerARN = "arn:aws:iam::" + account + ":oidc-provider/id.example.com/one"

	trustsProvider = `{"Effect":"Allow","Principal":{"Federated":"` + providerARN + `"},"Action":"sts:AssumeRoleWithWebIdentity"`
	trustsBuilds   = trustsProvider + `,"Condition":{"StringEquals":{"id.example.com/one:aud":"app"},"StringLike":{"id.example.com/one:sub":"repo:shop/*"}}}`
	trustsTags     = `{"Effect":"Allow","Principal":{"Federated":"` + providerARN + `"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"]}`
)

// claims are those of a good token, with changes by name; nil removes one.
func claims(changes map[string]any) map[string]any {
	c := map[string]any{"iss": issuerURL, "aud": "app", "sub": "repo:shop/api", "iat": start.Unix(), "exp": start.Add(5 * time.Minute).Unix()}
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// webCall is an unsigned call with a token.
func (p *platform) webCall(in *api.AssumeRoleWithWebIdentityInput) (*api.AssumeRoleWithWebIdentityOutput, error) {
	if in.RoleArn == "" {
		in.RoleArn = roleARN
	}
	in.RoleSessionName = "build"
	return service.Call[api.AssumeRoleWithWebIdentityOutput](as(service.Principal{}), p.door, "sts", "AssumeRoleWithWebIdentity", in)
}

func TestAWebIdentityAssumesARole(t *testing.T) {
	k := oidctest.RSAKey(t, "k1")
	p := newPlatform(t, trustsBuilds)
	p.issuer.Rotate(k)
	out, err := p.webCall(&api.AssumeRoleWithWebIdentityInput{WebIdentityToken: oidctest.Sign(t, k, claims(nil)), DurationSeconds: ptr(int32(7200))})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Provider != providerARN || *out.Audience != "app" || *out.SubjectFromWebIdentityToken != "repo:shop/api" || out.AssumedRoleUser.AssumedRoleId != "AROAAPP:build" {
		t.Errorf("answer = %+v", out)
	}
	c := out.Credentials
	who := p.principal(t, c.AccessKeyId, c.SecretAccessKey, c.SessionToken)
	if who.ARN != "arn:aws:sts::000000000000:assumed-role/app/build" || who.Kind != service.AssumedRole || !c.Expiration.Equal(start.Add(2*time.Hour)) {
		t.Errorf("principal = %+v until %v", who, c.Expiration)
	}
}

func TestTokensGiveTagsAndASourceIdentity(t *testing.T) {
	k := oidctest.RSAKey(t, "k1")
	const aws = "https://aws.amazon.com/"
	for name, extra := range map[string]map[string]any{
		"nested": {aws + "source_identity": "ann", aws + "tags": map[string]any{"principal_tags": map[string]any{"team": []string{"blue"}}, "transitive_tag_keys": []string{"team"}}},
		"flat":   {aws + "source_identity": "ann", aws + "tags/principal_tags/team": "blue", aws + "tags/transitive_tag_keys": []string{"team"}},
	} {
		p := newPlatform(t, trustsTags)
		p.issuer.Rotate(k)
		out, err := p.webCall(&api.AssumeRoleWithWebIdentityInput{WebIdentityToken: oidctest.Sign(t, k, claims(extra))})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c := out.Credentials
		who := p.principal(t, c.AccessKeyId, c.SecretAccessKey, c.SessionToken)
		if who.Tags["team"] != "blue" || !slices.Equal(who.TransitiveTags, []string{"team"}) || who.SourceIdentity != "ann" || *out.SourceIdentity != "ann" {
			t.Errorf("%s: principal = %+v", name, who)
		}
		p = newPlatform(t, trustsProvider+"}")
		p.issuer.Rotate(k)
		if _, err := p.webCall(&api.AssumeRoleWithWebIdentityInput{WebIdentityToken: oidctest.Sign(t, k, claims(extra))}); service.Code(err) != "AccessDenied" || !strings.Contains(err.Error(), "sts:TagSession") {
			t.Errorf("%s, where the trust does not allow tags: %v", name, err)
		}
	}
}

func TestWebIdentitiesAreRefused(t *testing.T) {
	k, stranger := oidctest.RSAKey(t, "k1"), oidctest.RSAKey(t, "k1")
	type in = api.AssumeRoleWithWebIdentityInput
	for name, tc := range map[string]struct {
		trust      string
		key        jose.JSONWebKey
		changes    map[string]any
		in         in
		want, text string
	}{
		"good":                          {trustsBuilds, k, nil, in{}, "", ""},
		"one of several audiences":      {trustsBuilds, k, map[string]any{"aud": []string{"x", "app"}}, in{}, "", ""},
		"an authorized party":           {trustsBuilds, k, map[string]any{"aud": "api", "azp": "app"}, in{}, "", ""},
		"the start is near":             {trustsBuilds, k, map[string]any{"nbf": start.Add(time.Minute).Unix()}, in{}, "", ""},
		"another subject":               {trustsBuilds, k, map[string]any{"sub": "repo:evil/api"}, in{}, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"a subject by another name":     {trustsBuilds, k, map[string]any{"sub": "repo:evil/api", "suB": "repo:shop/api", "SUB": "repo:shop/api"}, in{}, "AccessDenied", "sts:AssumeRoleWithWebIdentity"},
		"another audience of the trust": {trustsBuilds, k, map[string]any{"aud": "sts.amazonaws.com"}, in{}, "AccessDenied", "sts:AssumeRoleWithWebIdentity"},
		"another audience":              {trustsBuilds, k, map[string]any{"aud": "x"}, in{}, "InvalidIdentityToken", "Incorrect token audience"},
		"another authorized party":      {trustsBuilds, k, map[string]any{"azp": "x"}, in{}, "InvalidIdentityToken", "Incorrect token audience"},
		"no audience":                   {trustsBuilds, k, map[string]any{"aud": nil}, in{}, "InvalidIdentityToken", "aud"},
		"no subject":                    {trustsBuilds, k, map[string]any{"sub": nil}, in{}, "InvalidIdentityToken", "sub"},
		"no end":                        {trustsBuilds, k, map[string]any{"exp": nil}, in{}, "InvalidIdentityToken", "exp"},
		"an end that is no time":        {trustsBuilds, k, map[string]any{"exp": "soon"}, in{}, "InvalidIdentityToken", "exp"},
		"expired":                       {trustsBuilds, k, map[string]any{"exp": start.Unix()}, in{}, "ExpiredTokenException", "Token expired"},
		"not valid yet":                 {trustsBuilds, k, map[string]any{"nbf": start.Add(time.Hour).Unix()}, in{}, "InvalidIdentityToken", "not valid before"},
		"two values of a tag":           {trustsTags, k, map[string]any{awsTag: []string{"a", "b"}}, in{}, "InvalidIdentityToken", "one value"},
		"another issuer":                {trustsBuilds, k, map[string]any{"iss": "https://evil.example.com"}, in{}, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://evil.example.com"},
		"signed by a stranger":          {trustsBuilds, stranger, nil, in{}, "InvalidIdentityToken", "signature"},
		"a key that nobody has":         {trustsBuilds, oidctest.RSAKey(t, "k9"), nil, in{}, "InvalidIdentityToken", "verification key"},
		"what is no token":              {trustsBuilds, k, nil, in{WebIdentityToken: "nothing"}, "InvalidIdentityToken", "not a valid JWT"},
		"a role that trusts a user":     {trustsAlice, k, nil, in{}, "AccessDenied", "sts:AssumeRoleWithWebIdentity"},
		"a role that is not there":      {trustsBuilds, k, nil, in{RoleArn: roleARN + "x"}, "AccessDenied", "sts:AssumeRoleWithWebIdentity"},
		"a role of another account":     {trustsBuilds, k, nil, in{RoleArn: "arn:aws:iam::111111111111:role/app"}, "InvalidIdentityToken", "No OpenIDConnect provider"},
		"what is no role":               {trustsBuilds, k, nil, in{RoleArn: "this is not an ARN at all"}, "ValidationError", "ARN"},
		"longer than the role allows":   {trustsBuilds, k, nil, in{DurationSeconds: ptr(int32(7201))}, "ValidationError", "MaxSessionDuration"},
		"a session policy that is none": {trustsBuilds, k, nil, in{Policy: ptr("{}")}, "MalformedPolicyDocument", ""},
		"an identity of OAuth 2.0":      {trustsBuilds, k, nil, in{ProviderId: ptr("www.amazon.com")}, "ValidationError", "ProviderId"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, tc.trust)
			p.issuer.Rotate(k)
			if tc.in.WebIdentityToken == "" {
				tc.in.WebIdentityToken = oidctest.Sign(t, tc.key, claims(tc.changes))
			}
			_, err := p.webCall(&tc.in)
			if service.Code(err) != tc.want || tc.want != "" && !strings.Contains(err.Error(), tc.text) {
				t.Errorf("error = %v, want %s and %q", err, tc.want, tc.text)
			}
		})
	}
}

const awsTag = "https://aws.amazon.com/tags/principal_tags/team"

func TestOnlyProvidersAreAskedForKeys(t *testing.T) {
	k := oidctest.RSAKey(t, "k1")
	p := newPlatform(t, trustsBuilds)
	p.issuer.Leave()
	for issuer, want := range map[string]string{"https://evil.example.com": "InvalidIdentityToken", "http://id.example.com/one": "InvalidIdentityToken"} {
		if _, err := p.webCall(&api.AssumeRoleWithWebIdentityInput{WebIdentityToken: oidctest.Sign(t, k, claims(map[string]any{"iss": issuer}))}); service.Code(err) != want {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	if n := p.issuer.Asked(); n != 0 {
		t.Errorf("%d documents were fetched from issuers that are no providers", n)
	}
	if _, err := p.webCall(&api.AssumeRoleWithWebIdentityInput{WebIdentityToken: oidctest.Sign(t, k, claims(nil))}); service.Code(err) != "IDPCommunicationError" {
		t.Errorf("a provider that is away: %v", err)
	}
}
