// Package service is the contract between Lambent and its services.
//
// A service package (internal/services/<name>) has a New that takes [Deps] and returns a [Service]: one literal that lists
// its generated handlers, the access rule of each operation, its CloudFormation resource types, the hosts and paths
// of its data planes, and its durable work. Everything else (decoding, validation, authentication, authorisation,
// error marshalling, the access log) comes from the tables and happens once, outside of the service.
//
// What a handler sees of a call is the [Request] in its context. What a client may see of a failure is an [Error].
// Services call each other through the [Door] (one AWS operation, authorised like any other call), or through the few
// interfaces of package port where a call must join a transaction or carry a stream.
package service
