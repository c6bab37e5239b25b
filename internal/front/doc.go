// Package front owns the listener: one port that speaks plain HTTP/1.1, HTTP/1.1 over TLS and HTTP/2.
//
// It decides who serves a request, first by host, then by path, and hands everything else to the
// AWS API plane, which goes by the signature's scope. It knows no service by name: services
// register [service.Route] patterns. Nothing here cleans, decodes or redirects a path, because signatures, object
// keys and API routes are made over the target exactly as it was sent.
//
// # Two servers
//
// Ordinary requests over plain HTTP/1.1, which is what nearly all programs send, are served by a loop of our own (direct.go): one goroutine for each
// connection, one read and one write for a small exchange, a third of net/http's processor time. It parses heads and bodies with net/http's
// own parser and hands every connection with something else on it to net/http's server, byte for byte from the request in question: TLS, HTTP/2, HTTP/1.0,
// upgrades, Expect, large heads, and all that is malformed. Handlers cannot tell the two apart; a test compares their answers.
//
// # The raw head
//
// The bytes of each HTTP/1.1 request head up to [MaxHead] are kept, so that data planes can pass header names on in the
// case in which they came ([RawHead]). In net/http's server bytes are attributed to a request by what it guarantees: it reads the next
// request only after the connection became idle, save for a one-byte read that watches for a closed connection. When the kept
// head does not begin with the request's own line (a pipelined request), RawHead returns nil and the caller falls back to canonical names.
//
// # Protection on loopback
//
// A web page in the user's browser can reach a loopback port. [Forgeable] tells whether a page could have made a request; the
// AWS API plane refuses those unless they carry a signature that a page cannot make.
package front
