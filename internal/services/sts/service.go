package sts

import (
	"context"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/oidc"
	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Directory finds roles, and proves what callers show beside their keys. services/iam implements it; a nil role means that there is none.
type Directory interface {
	Role(ctx context.Context, arn string) (*auth.Role, error)
	// OIDCProvider finds the OpenID Connect provider of an account for the URL of an issuer; nil when there is none.
	OIDCProvider(ctx context.Context, account, issuer string) (*auth.OIDCProvider, error)
	// SAMLProvider finds a SAML provider by its ARN; nil when there is none.
	SAMLProvider(ctx context.Context, arn string) (*auth.SAMLProvider, error)
	// CheckMFA uses up a code of an MFA device of the user.
	CheckMFA(ctx context.Context, userARN, serial, code string) (auth.MFA, error)
}

// STS is the service.
type STS struct {
	deps   service.Deps
	ring   *token.Keyring
	roles  Directory
	tokens *oidc.Verifier
}

var _ port.Roles = (*STS)(nil)

// New returns the service, and itself as the port by which services get the credentials of roles. tokens proves web identities.
func New(deps service.Deps, ring *token.Keyring, roles Directory, tokens *oidc.Verifier) (service.Service, *STS) {
	s := &STS{deps, ring, roles, tokens}
	h := api.Handlers{
		GetCallerIdentity:         s.getCallerIdentity,
		AssumeRole:                s.assumeRole,
		AssumeRoleWithSAML:        s.assumeRoleWithSAML,
		AssumeRoleWithWebIdentity: s.assumeRoleWithWebIdentity,
		GetSessionToken:           s.getSessionToken,
		GetFederationToken:        s.getFederationToken,
		GetAccessKeyInfo:          s.getAccessKeyInfo,
	}
	return service.Service{API: api.API, Operations: h.Bindings(), Access: s.access()}, s
}
