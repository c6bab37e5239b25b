// Package oidc proves JSON Web Tokens by the key sets of their issuers (OpenID Connect Discovery 1.0, RFC 7515, RFC 7517).
//
// The keys of an issuer are fetched when they are first needed, when a token names one that is not known, and when they are old; each fetch is bounded in time
// and size, and an issuer is not asked more often than every [refetchAfter], whatever comes in. It proves the signature alone: what the claims must say is for
// those who ask, the authorizers of APIs and STS.
//
// # Locks
//
// issuer.mu guards the keys of one issuer and is a leaf; nobody holds it while keys are fetched.
package oidc
