// Package wire turns the bytes of AWS requests into typed inputs and typed
// outputs and errors into the bytes of answers, for every AWS protocol:
// awsJson 1.0 and 1.1 (for some services in CBOR too), restJson1, restXml, awsQuery, ec2Query and rpcV2Cbor.
//
// It is a pure codec. It owns no listener, checks no signature and calls no
// handler: the dispatcher does that between its steps.
//
//	set := wire.NewServices(dynamo, queue, …)       // once
//	api, err := set.Identify(signingName, req)      // which API
//	op, err := api.Match(req)                       // which operation, in which protocol
//	in := op.Binding.New()
//	err = op.Decode(req, in)                        // bytes → *Input
//	err = op.Validate(req, in)                      // the model's constraints
//	op.WriteResponse(ctx, w, req, out)              // or WriteError / api.WriteError
//
// # How it works
//
// An API's schema text is parsed when its first request arrives. An operation
// is compiled when it is first called: its shapes are joined with the Go types
// of its binding into a tree of nodes (plan.go) that hold field indexes and wire
// names, and every codec walks that tree. Nothing is generated per operation.
//
// # Invariants
//
//   - An API, its operations and nodes are immutable after they are built and are
//     shared by all requests. A Request belongs to one goroutine.
//   - Every decoder is bounded: in body size (Request.MaxBody), in nesting
//     (maxDepth), in parameters (maxParameters).
//   - What a client sent wrong is a *service.Error with the code of the API's
//     protocol. Any other error means a broken connection or a broken build.
//   - An answer that fits in memory leaves in one write with its length.
//
// # What it is not
//
// Streaming bodies are passed through; their signatures and checksums are the
// business of the reader that the caller puts into Request.Body. Validation
// covers what a model can say; what AWS checks beyond it is the services' work.
package wire
