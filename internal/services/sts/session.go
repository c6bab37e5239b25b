package sts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	engine "lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
)

// The limits of sessions.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const (
	minDuration     = 900 * time.Second
	defaultDuration = time.Hour
	chainDuration   = time.Hour
	tokenDuration   = 12 * time.Hour
	longestToken    = 36 * time.Hour
	rootDuration    = time.Hour
	packedSize      = 2048 // bytes of session policies and tags together
	maxPolicyARNs   = 10
	maxSessionTags  = 50
)

// issue seals a session of the given length and returns its credentials.
func (s *STS) issue(sess *token.Session, length time.Duration) (*api.Credentials, error) {
	var err error
	if sess.AccessKeyID, err = token.NewAccessKeyID(token.PrefixTemporary, sess.Account, s.deps.Random); err != nil {
		return nil, fmt.Errorf("make an access key id: %w", err)
	}
	now := s.deps.Clock.Now().UTC().Truncate(time.Second)
	sess.Issued, sess.Expires = now.Unix(), now.Add(length).Unix()
	tok, secret, err := s.ring.SealSession(sess)
	if err != nil {
		return nil, fmt.Errorf("seal a session: %w", err)
	}
	return &api.Credentials{AccessKeyId: sess.AccessKeyID, SecretAccessKey: secret, SessionToken: tok, Expiration: now.Add(length)}, nil
}

// restrict adds session policies and tags, and returns how much of the limit they use, in percent.
func restrict(sess *token.Session, policy *string, arns []api.PolicyDescriptorType, tags []api.Tag) (*int32, error) {
	size := 0
	if policy != nil {
		if _, err := engine.Parse(*policy, engine.Identity); err != nil {
			return nil, service.Errorf("MalformedPolicyDocument", "%s", err.Error()).WithStatus(400)
		}
		sess.Policies = []string{*policy}
		size += len(*policy)
	}
	if len(arns) > maxPolicyARNs {
		return nil, invalid("The number of session policy ARNs is more than %d.", maxPolicyARNs)
	}
	for _, d := range arns {
		if d.Arn == nil {
			continue
		}
		if _, err := arn.Parse(*d.Arn); err != nil {
			return nil, invalid("The session policy ARN %s is not an ARN.", *d.Arn)
		}
		sess.PolicyARNs = append(sess.PolicyARNs, *d.Arn)
		size += len(*d.Arn)
	}
	if len(tags) > maxSessionTags {
		return nil, invalid("The number of session tags is more than %d.", maxSessionTags)
	}
	for _, t := range tags {
		if sess.Tags == nil {
			sess.Tags = map[string]string{}
		}
		for have := range sess.Tags {
			if strings.EqualFold(have, t.Key) && !slices.Contains(sess.Transitive, have) {
				return nil, invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
			}
		}
		if slices.Contains(sess.Transitive, t.Key) {
			return nil, invalid("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		sess.Tags[t.Key] = t.Value
		size += len(t.Key) + len(t.Value)
	}
	if size == 0 {
		return nil, nil
	}
	percent := int32(size * 100 / packedSize)
	if percent > 100 {
		return nil, service.Errorf("PackedPolicyTooLarge", "Serialized token too large for session: it uses %d%% of the limit of session policies and tags.", percent).WithStatus(400)
	}
	return &percent, nil
}

func (s *STS) getCallerIdentity(ctx context.Context, _ *api.GetCallerIdentityInput) (*api.GetCallerIdentityOutput, error) {
	p := service.RequestFrom(ctx).Principal
	if p.Kind == service.Anonymous {
		return nil, service.Errorf("MissingAuthenticationToken", "Request is missing Authentication Token").WithStatus(403)
	}
	return &api.GetCallerIdentityOutput{UserId: &p.UserID, Account: &p.Account, Arn: &p.ARN}, nil
}

func (s *STS) getAccessKeyInfo(_ context.Context, in *api.GetAccessKeyInfoInput) (*api.GetAccessKeyInfoOutput, error) {
	account, ok := token.AccountOf(in.AccessKeyId)
	if !ok {
		return nil, invalid("The access key id %s carries no account.", in.AccessKeyId)
	}
	return &api.GetAccessKeyInfoOutput{Account: &account}, nil
}

func (s *STS) getSessionToken(ctx context.Context, in *api.GetSessionTokenInput) (*api.GetSessionTokenOutput, error) {
	p := service.RequestFrom(ctx).Principal
	if p.Kind != service.User && p.Kind != service.Root || p.TokenIssueTime != 0 {
		return nil, denied("Cannot call GetSessionToken with session credentials")
	}
	length, err := tokenLength(&p, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	proven, err := s.proveMFA(ctx, in.SerialNumber, in.TokenCode)
	if err != nil {
		return nil, err
	}
	creds, err := s.issue(&token.Session{Account: p.Account, ARN: p.ARN, UserID: p.UserID, MFA: proven}, length)
	if err != nil {
		return nil, err
	}
	return &api.GetSessionTokenOutput{Credentials: creds}, nil
}

// tokenLength returns the length of a session of a user; the root user's is an hour at most.
func tokenLength(p *service.Principal, seconds *int32) (time.Duration, error) {
	most, length := longestToken, tokenDuration
	if p.Kind == service.Root {
		most, length = rootDuration, rootDuration
	}
	if seconds != nil {
		length = time.Duration(*seconds) * time.Second
	}
	if length < minDuration || length > longestToken {
		return 0, invalid("DurationSeconds must be between %d and %d.", int(minDuration.Seconds()), int(longestToken.Seconds()))
	}
	return min(length, most), nil
}

func (s *STS) getFederationToken(ctx context.Context, in *api.GetFederationTokenInput) (*api.GetFederationTokenOutput, error) {
	p := service.RequestFrom(ctx).Principal
	if p.Kind != service.User && p.Kind != service.Root || p.TokenIssueTime != 0 {
		return nil, denied("Cannot call GetFederationToken with session credentials")
	}
	length, err := tokenLength(&p, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	sess := &token.Session{Account: p.Account, ARN: "arn:aws:sts::" + p.Account + ":federated-user/" + in.Name, RoleARN: p.ARN, UserID: p.Account + ":" + in.Name}
	packed, err := restrict(sess, in.Policy, in.PolicyArns, in.Tags)
	if err != nil {
		return nil, err
	}
	creds, err := s.issue(sess, length)
	if err != nil {
		return nil, err
	}
	return &api.GetFederationTokenOutput{Credentials: creds, PackedPolicySize: packed, FederatedUser: &api.FederatedUser{FederatedUserId: sess.UserID, Arn: sess.ARN}}, nil
}
