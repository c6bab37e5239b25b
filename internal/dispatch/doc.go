// Package dispatch is the one door: the place where every call to a service is authenticated, decoded, validated,
// authorised, run and answered.
//
// [Plane] takes HTTP calls: it finds the API, proves the signature before a byte of the body is taken, decodes
// through package wire, and hands the call to the [Door]. The Door takes calls from inside the process too: of services, of
// the deploy engine. It validates the input against the API model, asks the authorizer with the targets of the operation's
// [service.Access], and runs the handler. Nothing reaches a handler by another way.
//
// Invariants: a handler runs only after an allow; an operation that has a handler and no access rule keeps the
// server from starting ([NewRegistry]); an operation without a handler answers NotImplemented by its name, after
// authentication; an error that is not a [service.Error] is logged once with its request id and reaches the client without its text.
//
// A control-plane call is told to the trail ([service.Trail]) after it ran or was refused, and before it is answered.
//
// The registry is immutable after New; the package holds no locks.
package dispatch
