// Package iam is the policy engine: it compiles IAM policy documents and decides requests.
//
// It is pure. It knows no store, no users and no clock; the caller hands it compiled documents
// ([Parse]) by layer and the facts of a request, and gets a [Decision] with the statements that
// led to it. The language is complete: Principal and NotPrincipal, Action and NotAction, Resource
// and NotResource, every condition operator with IfExists, ForAllValues and ForAnyValue, Null,
// and policy variables with defaults (documents of version 2012-10-17; in 2008-10-17, "${" is
// text). It follows
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
//
// # How a request is decided
//
//   - A matching Deny in any layer wins.
//   - SCPs and RCPs, where present, must allow. Neither SCPs nor identity policies concern
//     anonymous callers and service principals: for these the resource's policy alone decides.
//   - The root user of an account may do everything in it.
//   - Within an account, identity policies and the resource's policy are a union. An Allow in the
//     resource's policy that names the user, the session or everybody stands on its own; one that
//     names the role is limited by the permission boundary and by session policies; one that
//     names the account only hands the decision to the identity policies.
//   - Across accounts both sides must allow.
//   - Boundary and session policies limit what identity policies allow.
//
// # Invariants
//
// Documents are compiled once, when they are written, and are immutable; evaluation parses
// nothing, uses no regular expressions, and looks only at statements that can concern the
// service of the action. Patterns match in near-linear time. Actions and condition keys are
// compared without case, resources with it. A policy that cannot be compiled is an error when it
// is written, never a silent allow or deny later.
//
// What it deliberately is not: a validator of action names or of which condition keys a service
// has, and a store of decisions (see package auth).
package iam
