package awsapi

import "context"

// JSONCodec is implemented by Go types that carry a shape in a form of their
// own and write and read its JSON by hand. The generator puts such a type in
// the place of the shape; a value that is its type's zero value counts as
// absent.
type JSONCodec interface {
	// AppendJSON appends the value as one JSON value to dst.
	AppendJSON(dst []byte) ([]byte, error)
	// DecodeJSON reads one JSON value from the front of src, which starts with
	// it, and returns how many bytes it took. It keeps no reference to src.
	DecodeJSON(src []byte) (n int, err error)
}

// EventStream is the output member through which a handler sends events. The
// wire layer calls it once, after the response head is written; each send
// writes and flushes one event, and fails when the client has gone. What the
// function returns ends the stream: nil closes it, an error becomes an
// exception event. T is the generated union of the stream's events.
type EventStream[T any] func(ctx context.Context, send func(*T) error) error

// Run calls the stream with an untyped send. It is how the wire layer, which
// does not know T, runs a stream.
func (s EventStream[T]) Run(ctx context.Context, send func(event any) error) error {
	if s == nil {
		return nil
	}
	return s(ctx, func(event *T) error { return send(event) })
}

// EventSource is the untyped side of EventStream.
type EventSource interface {
	Run(ctx context.Context, send func(event any) error) error
}
