// Package iam is the IAM service: users, groups, roles, access keys, policies, instance profiles,
// server certificates, virtual MFA devices, OpenID Connect and SAML providers, and the [auth.Directory] over them that every call's
// authentication and authorisation rests on.
//
// It is strongly consistent: a change is in force for the next call. Every write commits with a
// hook that drops the directory's cache before the caller gets its answer.
//
// What it deliberately is not: there is no console sign-in (login profiles, password
// policies, MFA devices that are hardware or of the root user), no signing certificates and no credential reports; their operations
// have no handler. AWS's managed policies are those of managed.go; others do not exist here.
// Server certificates are checked, kept and given back; what takes them on AWS (load balancers and
// distributions) is not here, so that none is ever in use.
//
// # Keys
//
//	iam/ACCOUNT//user|role|group/lower-case name   an entity, with its inline policies
//	iam/ACCOUNT//policy/lower-case name            a customer managed policy with its versions
//	iam/ACCOUNT//profile/lower-case name           an instance profile
//	iam/ACCOUNT//certificate/lower-case name       a server certificate, its private key sealed
//	iam/ACCOUNT//mfa/lower-case path and name      a virtual MFA device, its seed sealed
//	iam/ACCOUNT//oidc/host and path of the URL     an OpenID Connect provider
//	iam/ACCOUNT//saml/name                         a SAML provider with its metadata
//	iam/ACCOUNT//alias/name                        the account's alias
//	iam///key/ACCESS KEY ID                        an access key, its secret sealed
//
// # Invariants
//
// Names are unique without regard to case. A stored policy document compiles. The secret of an
// access key, the private key of a server certificate and the seed of an MFA device are sealed under
// the master key, each for its own id. When a user or role is deleted, its
// ARN in the trust policies of the account's roles becomes its unique id, so that one of the same
// name made later is trusted by nobody.
package iam
