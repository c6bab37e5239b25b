// Package cloudevent reads and writes CloudEvents 1.0: the JSON format, its batches, and the structured, batched and binary modes of the HTTP binding.
//
// The rules are those of https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, formats/json-format.md and bindings/http-protocol-binding.md. An event keeps its
// extension attributes and their types; what is read and written again is the same event.
package cloudevent
