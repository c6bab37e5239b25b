// Package rapi is the server of the Lambda Runtime API, the door by which a function's process asks for invocations and
// answers them: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
//
// A [Session] belongs to one process. It is served on any number of connections (the bundled clients use one inherited socket,
// unmodified runtimes come over TCP, a shell script opens a connection for every call) and holds the state that AWS's
// service has: starting, idle with a waiting "next", or busy with one invocation. [Session.Invoke] hands an event to the process
// and returns its answer.
//
// The HTTP/1.1 server is written by hand because it is the warm path: every invocation passes it twice. The caller's goroutine writes
// the event straight to the connection that waits for it, and reads the answer from there itself (drive.go); the connection's own
// goroutine reads only while no invocation is about. It speaks what clients of this API use: keep-alive, pipelining, Content-Length,
// chunked bodies with trailers and Expect. It is no general server: it has no HTTP/2, no compression, no TLS.
//
// Everything is bounded: the head of a request, the number of connections, a buffered answer (6 MiB + 100 bytes) and a
// streamed one (200 MiB).
//
// Locks: Session.mu guards the state; it is never held during I/O. conn.wmu orders the writes of one connection.
package rapi
