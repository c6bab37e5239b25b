package sts

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// assumeRole runs after the door has found that the trust policy allows it. A code of an MFA device counts for that decision; the session does not carry it on
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html).
func (s *STS) assumeRole(ctx context.Context, in *api.AssumeRoleInput) (*api.AssumeRoleOutput, error) {
	if len(in.ProvidedContexts) > 0 {
		return nil, unsupported("AssumeRole", "ProvidedContexts")
	}
	p := service.RequestFrom(ctx).Principal
	role, err := s.roles.Role(ctx, in.RoleArn)
	if err != nil {
		return nil, err
	}
	if role == nil {
		return nil, denied("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", p.ARN, in.RoleArn)
	}
	sess, creds, packed, err := s.open(&p, role, in, time.Time{})
	if err != nil {
		return nil, err
	}
	out := &api.AssumeRoleOutput{Credentials: creds, PackedPolicySize: packed, AssumedRoleUser: &api.AssumedRoleUser{AssumedRoleId: sess.UserID, Arn: sess.ARN}}
	if sess.SourceIdentity != "" {
		out.SourceIdentity = &sess.SourceIdentity
	}
	return out, nil
}

// open makes the session of a role that p may assume, with what the call asks for, its credentials, and how much of the limit on policies and tags it uses, in percent.
// The session does not outlast the time that is given; zero is none.
func (s *STS) open(p *service.Principal, role *auth.Role, in *api.AssumeRoleInput, latest time.Time) (sess *token.Session, creds *api.Credentials, packed *int32, err error) {
	length, err := roleLength(p, role, in.DurationSeconds)
	if err != nil {
		return nil, nil, nil, err
	}
	if !latest.IsZero() {
		length = min(length, latest.Sub(s.deps.Clock.Now()))
	}
	sess = roleSession(role, in.RoleSessionName)
	if err := inherit(sess, p, in); err != nil {
		return nil, nil, nil, err
	}
	packed, err = restrict(sess, in.Policy, in.PolicyArns, in.Tags)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, key := range in.TransitiveTagKeys {
		if _, ok := sess.Tags[key]; !ok {
			return nil, nil, nil, invalid("The specified transitive tag key %s must be included in the requested tags.", key)
		}
		if !slices.Contains(sess.Transitive, key) {
			sess.Transitive = append(sess.Transitive, key)
		}
	}
	creds, err = s.issue(sess, length)
	return sess, creds, packed, err
}

// roleLength returns the length of a role's session. A session that assumes another role gets an
// hour at most.
func roleLength(p *service.Principal, role *auth.Role, seconds *int32) (time.Duration, error) {
	if seconds == nil {
		return defaultDuration, nil
	}
	length := time.Duration(*seconds) * time.Second
	switch {
	case length < minDuration:
		return 0, invalid("DurationSeconds must be at least %d.", int(minDuration.Seconds()))
	case p.Kind == service.AssumedRole && length > chainDuration:
		return 0, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case length > time.Duration(role.MaxSession)*time.Second:
		return 0, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return length, nil
}

func roleSession(role *auth.Role, name string) *token.Session {
	return &token.Session{
		Account: role.Account, ARN: "arn:aws:sts::" + role.Account + ":assumed-role/" + role.Name + "/" + name, RoleARN: role.ARN, UserID: role.ID + ":" + name,
	}
}

// inherit takes over what role chaining keeps: transitive tags and the source identity.
func inherit(sess *token.Session, p *service.Principal, in *api.AssumeRoleInput) error {
	sess.SourceIdentity = p.SourceIdentity
	if in.SourceIdentity != nil {
		if p.SourceIdentity != "" && p.SourceIdentity != *in.SourceIdentity {
			return denied("The source identity of a session cannot be changed.")
		}
		sess.SourceIdentity = *in.SourceIdentity
	}
	if len(p.TransitiveTags) == 0 {
		return nil
	}
	sess.Tags = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(p.Tags)) {
		if slices.Contains(p.TransitiveTags, key) {
			sess.Tags[key] = p.Tags[key]
			sess.Transitive = append(sess.Transitive, key)
		}
	}
	return nil
}

// AssumeForService implements [port.Roles].
func (s *STS) AssumeForService(ctx context.Context, svc, roleARN, session string, lifetime time.Duration) (port.Credentials, error) {
	role, err := s.trusted(ctx, svc, roleARN, "sts:AssumeRole")
	if err != nil {
		return port.Credentials{}, err
	}
	return s.credentials(roleSession(role, session), lifetime)
}

// credentials seals a session for a service.
func (s *STS) credentials(sess *token.Session, lifetime time.Duration) (port.Credentials, error) {
	creds, err := s.issue(sess, lifetime)
	if err != nil {
		return port.Credentials{}, err
	}
	return port.Credentials{AccessKeyID: creds.AccessKeyId, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken, Expires: creds.Expiration}, nil
}

// grantsService is the principal of S3 Access Grants.
const grantsService = "access-grants.s3.amazonaws.com"

// AssumeForGrant implements [port.Roles].
func (s *STS) AssumeForGrant(ctx context.Context, g port.GrantedSession) (port.Credentials, error) {
	role, err := s.trusted(ctx, grantsService, g.Role, "sts:AssumeRole", "sts:SetSourceIdentity")
	if err != nil {
		return port.Credentials{}, err
	}
	seconds := int32(g.Lifetime / time.Second)
	length, err := roleLength(&service.Principal{Kind: service.ServicePrincipal}, role, &seconds)
	if err != nil {
		return port.Credentials{}, err
	}
	sess := roleSession(role, g.Name)
	sess.SourceIdentity, sess.AccessGrants = g.SourceIdentity, g.Instance
	if _, err := restrict(sess, &g.Policy, nil, nil); err != nil {
		return port.Credentials{}, err
	}
	return s.credentials(sess, length)
}

// SessionForService implements [port.Roles].
func (s *STS) SessionForService(ctx context.Context, svc, roleARN, session string) (service.Principal, error) {
	role, err := s.trusted(ctx, svc, roleARN, "sts:AssumeRole")
	if err != nil {
		return service.Principal{}, err
	}
	sess := roleSession(role, session)
	sess.Issued = s.deps.Clock.Now().Unix()
	return auth.SessionPrincipal(sess), nil
}

// SessionForPrincipal implements [port.Roles].
func (s *STS) SessionForPrincipal(ctx context.Context, roleARN, session string) (service.Principal, error) {
	if _, err := s.deps.Door.Call(ctx, "sts", "AssumeRole", &api.AssumeRoleInput{RoleArn: roleARN, RoleSessionName: session}); err != nil {
		return service.Principal{}, err
	}
	role, err := s.roles.Role(ctx, roleARN)
	if err == nil && role == nil {
		err = denied("The role %s does not exist.", roleARN)
	}
	if err != nil {
		return service.Principal{}, err
	}
	sess := roleSession(role, session)
	sess.Issued = s.deps.Clock.Now().Unix()
	return auth.SessionPrincipal(sess), nil
}

// trusted returns the role if its trust policy allows the actions of STS to the service.
func (s *STS) trusted(ctx context.Context, svc, roleARN string, actions ...string) (*auth.Role, error) {
	role, err := s.roles.Role(ctx, roleARN)
	if err != nil {
		return nil, err
	}
	if role == nil {
		e := denied("The role %s does not exist.", roleARN)
		e.Err = port.ErrUntrusted
		return nil, e
	}
	r := service.RequestFrom(ctx)
	caller := service.ServiceCaller(svc, r.Principal.SourceARN, r.Principal.SourceAccount)
	for _, action := range actions {
		err = s.deps.Door.Allow(service.As(ctx, caller), service.Target{Action: action, ARN: role.ARN, Policy: role.Trust, Owner: role.Account})
		if service.Code(err) == "AccessDenied" || service.Code(err) == "AccessDeniedException" {
			e := denied("The role %s cannot be assumed by %s: its trust policy does not allow %s to that service principal.", role.ARN, svc, action)
			e.Err = errors.Join(port.ErrUntrusted, err)
			return nil, e
		}
		if err != nil {
			return nil, err
		}
	}
	return role, nil
}

// CheckPassRole implements [port.Roles].
func (s *STS) CheckPassRole(ctx context.Context, roleARN, svc string) error {
	account := service.RequestFrom(ctx).Account
	if !strings.HasPrefix(roleARN, "arn:aws:iam::"+account+":role/") {
		return denied("Cross-account pass role is not allowed.")
	}
	err := s.deps.Door.Allow(ctx, service.Target{Action: "iam:PassRole", ARN: roleARN, Owner: account, Condition: map[string][]string{"iam:PassedToService": {svc}}})
	if err != nil {
		return err
	}
	_, err = s.trusted(ctx, svc, roleARN, "sts:AssumeRole")
	return err
}
