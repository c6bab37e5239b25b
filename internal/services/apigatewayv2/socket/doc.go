// Package socket holds the open WebSocket connections of this process: it accepts them, reads their messages, sends to them and closes them, within the limits
// of API Gateway. It knows nothing of APIs and routes; what a message means is the [Handler]'s.
//
// An idle connection costs one goroutine that waits for a frame, two small buffers and a timer. The goroutine is a new one, since the one that served the
// handshake has grown its stack. Messages of one connection are handled by at most [maxRunning] goroutines at once; while they are busy nothing
// more is read from it.
//
// Limits (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html): a message of more
// than [MaxMessage] bytes or a frame of more than [MaxFrame] closes with 1009, a binary message with 1003, no message or ping for [IdleTimeout]
// and [Lifetime] since the handshake with 1001. When the process stops, connections are closed with 1001 as well.
//
// # Locks
//
// Hub.mu guards the table of connections, Conn.mu a connection's timer; both are leaves.
package socket
