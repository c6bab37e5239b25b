package service

import (
	"crypto/tls"
	"time"
)

// Exchange is an HTTP request of an API with how it was answered. Whoever is told of one must not change what it points to.
type Exchange struct {
	// Request is the call; its Operation is empty when the request ended before that was known.
	Request *Request
	// RawPath is the undecoded path, with the bucket of a virtual host in front.
	RawPath string
	// Protocol is that of the request, such as "HTTP/1.1".
	Protocol string
	// TLS is the state of the connection; nil for plain HTTP.
	TLS *tls.ConnectionState
	// In and Out are pointers to the input and the output of the operation; nil when it did not come to them.
	In, Out any
	// Status is the HTTP status, and Code that of the error that was answered; empty without one.
	Status int
	Code   string
	// Bytes is the length of the answer's body.
	Bytes int64
	// Duration is the time from the head of the request to the end of the answer.
	Duration time.Duration
}
