package service

import "context"

// Trail is told of the control-plane calls of the platform, as CloudTrail is. Implemented by services/eventbridge.
type Trail interface {
	// Note is told of a call after it ran and before it is answered, so that what it leads to is durable when the caller learns of its success.
	// It must cost next to nothing when nobody wants to know.
	Note(ctx context.Context, n *CallNote)
}

// CallNote is what a trail is told of a call.
type CallNote struct {
	// Request is the call, with its principal.
	Request *Request
	// Service is the name for which requests of the API are signed, such as "sqs"; URI the path of the operation in the API model, or empty.
	Service, URI string
	// ReadOnly tells that the call changes nothing.
	ReadOnly bool
	// Err is the error of a call that failed, a refused one too.
	Err error
	// Members returns the input and the output as JSON objects without what is sensitive, or null.
	Members func() (request, response []byte, err error)
}
