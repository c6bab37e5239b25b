// Package authorizer decides about requests to APIs by what an authorizer function answered and by tokens.
//
// [ParsePolicy] compiles the answer of a function in the form of an IAM policy (REST and WebSocket APIs, payload format 1.0 of HTTP APIs), and
// [Policy.Decide] asks the one policy engine (auth/iam) about a method's ARN; [ParseSimple] reads the simple form of HTTP APIs. The result of a
// function is kept in a [Results] by the values of its identity sources; the policy in it is evaluated for every request, so that a kept policy which names one
// method refuses the others, as on AWS.
//
// [Tokens] verifies JSON Web Tokens against the key sets of their issuers. The keys of an issuer are fetched when they are first needed, when a token
// names one that is not known, and when they are old; each fetch is bounded in time and size, and an issuer is not asked more often than every
// [refetchAfter], whatever comes in. A token that was verified is remembered until it or its issuer's keys expire, which makes a warm check a look-up.
//
// # Locks
//
// issuer.mu guards the keys of one issuer and is a leaf; nobody holds it while keys are fetched.
package authorizer
