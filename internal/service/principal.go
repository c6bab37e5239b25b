package service

// PrincipalKind says what kind of identity makes a call.
type PrincipalKind uint8

// The kinds of principals. The zero value is an anonymous caller.
const (
	Anonymous PrincipalKind = iota
	Root
	User
	AssumedRole
	FederatedUser
	ServicePrincipal
)

// Principal is the identity that makes a call, as the authenticator established it.
type Principal struct {
	Kind PrincipalKind
	// Account is the 12-digit account of the identity; empty for anonymous callers.
	Account string
	// ARN is the identity's ARN: "arn:aws:iam::…:user/x", "arn:aws:sts::…:assumed-role/Role/Session", "arn:aws:iam::…:root".
	ARN string
	// UserID is the unique id: "AIDA…", "AROA…:session", or the account for root.
	UserID string
	// AccessKeyID is the key that signed the request; empty for calls between services.
	AccessKeyID string
	// RoleARN is the role behind an assumed-role session.
	RoleARN string
	// SessionPolicies are the policy documents passed when the session was made.
	SessionPolicies []string
	// SessionPolicyARNs are the managed policies passed when the session was made.
	SessionPolicyARNs []string
	// Tags are the session's tags (aws:PrincipalTag/…).
	Tags map[string]string
	// TransitiveTags are the names of the session's tags that sessions made from it keep.
	TransitiveTags []string
	// SourceIdentity is the session's source identity.
	SourceIdentity string
	// AccessGrants is the ARN of the S3 Access Grants instance that made the session (s3:AccessGrantsInstanceArn).
	AccessGrants string
	// TokenIssueTime is when the session began, in Unix seconds; 0 without a session.
	TokenIssueTime int64
	// MFA tells whether the session was made with multi-factor authentication.
	MFA bool

	// Provider is the ARN of the identity provider that vouches for an Anonymous caller, who has a token of it and no credentials yet.
	Provider string

	// Service is the calling service, such as "s3.amazonaws.com", for a ServicePrincipal.
	Service string
	// SourceARN and SourceAccount name the resource on whose behalf a service calls (aws:SourceArn, aws:SourceAccount).
	SourceARN, SourceAccount string
}

// ServiceCaller returns the principal of a call that a service makes on behalf of one of its resources.
func ServiceCaller(service, sourceARN, sourceAccount string) Principal {
	return Principal{Kind: ServicePrincipal, Service: service, SourceARN: sourceARN, SourceAccount: sourceAccount}
}
