// Package sts is the Security Token Service: it names the caller and hands out temporary
// credentials. It also gives services the credentials of the roles that their resources run as
// (package port, Roles).
//
// Sessions are stateless (package token): nothing is stored, so a restart ends no session and a
// call with one reads no session from the store. A session ends with its time, with its role or
// user, and when the role's sessions are revoked.
//
// A role is assumed only if its trust policy allows it; the door takes that decision like any
// other, with the trust policy as the resource's policy and the caller's identity policies. Unlike
// on AWS, the root user may assume roles that trust its account: it is the user of a platform on
// one's own machine.
//
// A web identity token is taken from issuers that the role's account has as OpenID Connect providers,
// proven by their keys (package oidc); the role's trust policy then decides about that provider as
// the Federated principal. The identity providers that AWS knows without one, such as
// accounts.google.com, need one here.
//
// A SAML assertion is taken from the providers of the role's account, proven by the certificates of their metadata
// (package saml), within five minutes and for the pairs of role and provider that it names.
//
// A code of a user's MFA device counts for the decision about AssumeRole, and for the whole session of
// GetSessionToken; it can be used once, and is used up before the decision.
//
// What it deliberately is not: no delegated or root sessions, whose operations have no handler; ProviderId
// and encrypted assertions are refused.
package sts
