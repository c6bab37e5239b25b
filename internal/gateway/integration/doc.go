// Package integration carries a request of an API to what answers it: a function, an HTTP backend, a service of this Lambent.
//
// [Functions] invokes functions, as API Gateway with the method's ARN as the source, or with a role. [Transport] is the HTTP client: one goroutine does a
// whole exchange, on connections that are kept, and header names go out as they were given. [Services] calls operations of this Lambent's own services by
// their wire protocols, with the credentials of a role, through the same door as every other call.
//
// A failure is a [CallError] with what a client of API Gateway sees of it; its text is for logs and tells what to do.
package integration
