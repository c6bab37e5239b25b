// Package front owns the listener: one port that speaks plain HTTP/1.1, HTTP/1.1 over TLS and HTTP/2.
//
// It decides who serves a request, first by host, then by path, and hands everything else to the
// AWS API plane, which goes by the signature's scope. It knows no service by name: services
// register [service.Route] patterns. Nothing here cleans, decodes or redirects a path, because signatures, object
// keys and API routes are made over the target exactly as it was sent.
//
// # The raw head
//
// The listener keeps the bytes of each HTTP/1.1 request head up to [MaxHead], so that data planes can pass header names on in the
// case in which they came ([RawHead]). Bytes are attributed to a request by what net/http guarantees: it reads the next
// request only after the connection became idle, save for a one-byte read that watches for a closed connection. When the kept
// head does not begin with the request's own line (a pipelined request), RawHead returns nil and the caller falls back to canonical names.
//
// # Protection on loopback
//
// A web page in the user's browser can reach a loopback port. [Forgeable] tells whether a page could have made a request; the
// AWS API plane refuses those unless they carry a signature that a page cannot make.
package front
