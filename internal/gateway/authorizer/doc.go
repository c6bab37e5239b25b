// Package authorizer decides about requests to APIs by what an authorizer function answered and by tokens.
//
// [ParsePolicy] compiles the answer of a function in the form of an IAM policy (REST and WebSocket APIs, payload format 1.0 of HTTP APIs), and
// [Policy.Decide] asks the one policy engine (auth/iam) about a method's ARN; [ParseSimple] reads the simple form of HTTP APIs. The result of a
// function is kept in a [Results] by the values of its identity sources; the policy in it is evaluated for every request, so that a kept policy which names one
// method refuses the others, as on AWS.
//
// [Resource] is the policy that is attached to what is called, an API or a private custom domain name. [RequestKeys] are the condition keys of all of these.
//
// [Tokens] checks JSON Web Tokens, which package oidc proves by the key sets of their issuers. A token that was verified is remembered until it or its issuer's
// keys expire, which makes a warm check a look-up.
package authorizer
