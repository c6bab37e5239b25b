// Package awsapi is the runtime of the generated API packages below it.
//
// Each package awsapi/<name> is written by tools/modelgen from the public AWS
// API models and holds three things: the Go types of the shapes, a Handlers
// struct with one typed function field per operation, and a packed schema text that
// says how each shape looks on the wire. This package holds what they share:
//
//   - API, the immutable descriptor of one API. Its schema text is read once,
//     on first use, so that linking an API costs nothing at start-up.
//   - Schema, Operation, Shape and Member, the parsed form that internal/wire
//     compiles into codecs.
//   - Bind and Binding, which give a typed handler an untyped form without
//     reflection on the way of a call.
//   - EventStream and JSONCodec, the two seams for what tables cannot express.
//
// Invariants: nothing here is changed after it is built, so everything may be
// shared between goroutines without locks; a Schema refers only to shapes that
// exist, which the parser checks.
//
// # From a model to Go
//
// A member that the model requires is a plain value, an optional one a pointer:
//
//	string, enum       string / *string; an optional enum is a string, "" when absent
//	boolean            bool / *bool
//	integer, long      int32, int64 / pointers
//	float, double      float32, float64 / pointers
//	timestamp          time.Time / *time.Time
//	blob               []byte, nil when absent
//	streaming blob     io.Reader in inputs, io.ReadCloser in outputs
//	list               []T, nil when absent
//	map                map[string]T, nil when absent
//	structure          *T; elements of lists and maps are values
//	document           json.RawMessage
//	event stream       EventStream[T]
//
// Field names are the model's member names with the first letter in upper case
// (FieldName). A union is a struct in which exactly one field is set.
//
// # What it is not
//
// There is no encoding or decoding here and no HTTP: that is internal/wire.
package awsapi
