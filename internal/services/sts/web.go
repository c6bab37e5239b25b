package sts

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/oidc"
	api "lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
)

const (
	webIdentityAction = "sts:AssumeRoleWithWebIdentity"
	// earliest is how long before its nbf a token is taken, for clocks that differ (RFC 7519, section 4.1.5).
	earliest = 5 * time.Minute
	// awsClaims begins the names of the claims by which a provider gives the session tags and a source identity.
	awsClaims = "https://aws.amazon.com/"
)

// webIdentity is what a web identity token says.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
type webIdentity struct {
	Issuer, Subject string
	Audience        texts
	Party           string // azp
	Email           string
	Methods         texts    // amr
	Expires         *float64 // Unix seconds, as the next
	Begins          float64

	SourceIdentity string
	Tags           struct {
		Principal  map[string]texts `json:"principal_tags"`
		Transitive []string         `json:"transitive_tag_keys"`
	}
}

// texts is a string, or a list of them.
type texts []string

// UnmarshalJSON reads either form.
func (t *texts) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*t = texts{""}
		return json.Unmarshal(b, &(*t)[0])
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// readIdentity reads the claims of a token, whose names are told apart by case. Session tags have a nested and a flat form.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
func readIdentity(claims []byte) (*webIdentity, error) {
	id, all := &webIdentity{}, map[string]json.RawMessage{}
	if err := json.Unmarshal(claims, &all); err != nil {
		return nil, badIdentity(err, "The claims of the token cannot be read.")
	}
	known := map[string]any{
		"iss": &id.Issuer, "sub": &id.Subject, "aud": &id.Audience, "azp": &id.Party, "email": &id.Email, "amr": &id.Methods, "exp": &id.Expires, "nbf": &id.Begins,
		awsClaims + "source_identity": &id.SourceIdentity, awsClaims + "tags": &id.Tags,
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		into, ok := known[name]
		if key, tag := strings.CutPrefix(name, awsClaims+"tags/principal_tags/"); tag {
			var value texts
			if err := json.Unmarshal(all[name], &value); err != nil {
				return nil, badIdentity(err, "The claim %s cannot be read.", name)
			}
			if id.Tags.Principal == nil {
				id.Tags.Principal = map[string]texts{}
			}
			id.Tags.Principal[key] = value
		} else if name == awsClaims+"tags/transitive_tag_keys" {
			into, ok = &id.Tags.Transitive, true
		}
		if !ok {
			continue
		}
		if err := json.Unmarshal(all[name], into); err != nil {
			return nil, badIdentity(err, "The claim %s cannot be read.", name)
		}
	}
	return id, nil
}

// audience returns whom the token is for, of the client ids of its provider: the authorized party, where the token names one, and otherwise one of its audiences.
func (id *webIdentity) audience(clients []string) (string, bool) {
	for _, a := range id.audiences() {
		if slices.Contains(clients, a) {
			return a, true
		}
	}
	return "", false
}

func (id *webIdentity) audiences() []string {
	if id.Party != "" {
		return []string{id.Party}
	}
	return id.Audience
}

// check refuses a token that is not complete, not for the provider's clients, or not of this time.
func (id *webIdentity) check(clients []string, now time.Time) error {
	switch {
	case id.Subject == "":
		return badIdentity(nil, "Missing a required claim: sub")
	case id.Expires == nil:
		return badIdentity(nil, "Missing a required claim: exp")
	case len(id.audiences()) == 0:
		return badIdentity(nil, "Missing a required claim: aud")
	case float64(now.Unix()) >= *id.Expires:
		return service.Errorf("ExpiredTokenException", "Token expired: current date/time %d must be before the expiration date/time %.0f", now.Unix(), *id.Expires).WithStatus(400)
	case float64(now.Add(earliest).Unix()) < id.Begins:
		return badIdentity(nil, "The token is not valid before %.0f; the current date/time is %d.", id.Begins, now.Unix())
	}
	if _, ok := id.audience(clients); !ok {
		return badIdentity(nil, "Incorrect token audience")
	}
	return nil
}

// conditions returns the condition keys about the token, which begin with the URL of its provider.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
func (id *webIdentity) conditions(p *auth.OIDCProvider) map[string][]string {
	out := map[string][]string{}
	aud, _ := id.audience(p.ClientIDs)
	for name, values := range map[string][]string{"aud": {aud}, "oaud": id.Audience, "sub": {id.Subject}, "amr": id.Methods, "email": {id.Email}} {
		if len(values) > 0 && values[0] != "" {
			out[p.URL+":"+name] = values
		}
	}
	return out
}

// asks returns the call as one of AssumeRole, with the session tags and the source identity of the token.
func (id *webIdentity) asks(in *api.AssumeRoleWithWebIdentityInput) (*api.AssumeRoleInput, error) {
	out := &api.AssumeRoleInput{
		RoleArn: in.RoleArn, RoleSessionName: in.RoleSessionName, PolicyArns: in.PolicyArns, Policy: in.Policy, DurationSeconds: in.DurationSeconds, TransitiveTagKeys: id.Tags.Transitive,
	}
	if id.SourceIdentity != "" {
		out.SourceIdentity = &id.SourceIdentity
	}
	for _, key := range slices.Sorted(maps.Keys(id.Tags.Principal)) {
		value := id.Tags.Principal[key]
		if len(value) != 1 {
			return nil, badIdentity(nil, "The session tag %s of the token must have one value.", key)
		}
		out.Tags = append(out.Tags, api.Tag{Key: key, Value: value[0]})
	}
	return out, nil
}

// identify returns what a token says whose issuer is a provider of the account. Nothing of an issuer that is none is fetched.
func (s *STS) identify(ctx context.Context, account, token string) (*webIdentity, *auth.OIDCProvider, error) {
	stated, err := oidc.Unproven(token)
	if err != nil {
		return nil, nil, badIdentity(err, "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	id, err := readIdentity(stated)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.roles.OIDCProvider(ctx, account, id.Issuer)
	if err != nil {
		return nil, nil, err
	}
	if p == nil {
		return nil, nil, badIdentity(nil, "No OpenIDConnect provider found in your account for %s", id.Issuer)
	}
	_, _, err = s.tokens.Prove(ctx, token, id.Issuer)
	var unproven *oidc.Error
	switch {
	case errors.As(err, &unproven) && unproven.Reason == oidc.Unreachable:
		e := service.Errorf("IDPCommunicationError", "The keys of the identity provider %s cannot be fetched from here; its discovery document and key set must be reachable over https.", id.Issuer).WithStatus(400)
		e.Err = err
		return nil, nil, e
	case errors.As(err, &unproven) && unproven.Reason == oidc.NoKey:
		return nil, nil, badIdentity(err, "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements")
	case errors.As(err, &unproven):
		return nil, nil, badIdentity(err, "The token is not accepted: %s.", unproven.Description)
	case err != nil:
		return nil, nil, err
	}
	return id, p, id.check(p.ClientIDs, s.deps.Clock.Now())
}

// admit asks whether the trust policy of a role lets somebody assume it by an action whom the provider of an ARN vouches for with the condition keys, and give the session its tags and source
// identity. It returns the role.
func (s *STS) admit(ctx context.Context, action, provider string, keys map[string][]string, in *api.AssumeRoleInput) (*auth.Role, error) {
	targets, err := s.assumeTargets(ctx, in)
	if err != nil {
		return nil, err
	}
	ctx = service.As(ctx, service.Principal{Provider: provider})
	for i := range targets {
		t := &targets[i]
		if t.Action == "" {
			t.Action = action
		}
		maps.Copy(t.Condition, keys)
		if err := s.deps.Door.Allow(ctx, *t); service.Code(err) == "AccessDenied" {
			e := denied("Not authorized to perform %s", t.Action)
			e.Err = err
			return nil, e
		} else if err != nil {
			return nil, err
		}
	}
	role, err := s.roles.Role(ctx, in.RoleArn)
	if err == nil && role == nil {
		err = denied("Not authorized to perform %s", action)
	}
	return role, err
}

func (s *STS) assumeRoleWithWebIdentity(ctx context.Context, in *api.AssumeRoleWithWebIdentityInput) (*api.AssumeRoleWithWebIdentityOutput, error) {
	if in.ProviderId != nil {
		return nil, unsupported("AssumeRoleWithWebIdentity", "ProviderId")
	}
	name, err := arn.Parse(in.RoleArn)
	if err != nil {
		return nil, invalid("Request ARN is invalid: %s is not the ARN of a role.", in.RoleArn)
	}
	id, p, err := s.identify(ctx, name.Account, in.WebIdentityToken)
	if err != nil {
		return nil, err
	}
	asked, err := id.asks(in)
	if err != nil {
		return nil, err
	}
	role, err := s.admit(ctx, webIdentityAction, p.ARN, id.conditions(p), asked)
	if err != nil {
		return nil, err
	}
	sess, creds, packed, err := s.open(&service.Principal{}, role, asked, time.Time{})
	if err != nil {
		return nil, err
	}
	aud, _ := id.audience(p.ClientIDs)
	return &api.AssumeRoleWithWebIdentityOutput{
		Credentials: creds, PackedPolicySize: packed, AssumedRoleUser: &api.AssumedRoleUser{AssumedRoleId: sess.UserID, Arn: sess.ARN},
		SubjectFromWebIdentityToken: &id.Subject, Audience: &aud, Provider: &p.ARN, SourceIdentity: asked.SourceIdentity,
	}, nil
}
