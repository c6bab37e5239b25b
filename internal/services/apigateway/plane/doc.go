// Package plane serves requests to REST APIs: the data plane of Amazon API Gateway's first API.
//
// # The way of a request
//
// In AWS's order (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html and the pages on each stage):
// find the stage and its deployment (or canary) → resource policy → route → authorizer → API key and usage plan → throttle → validation → cache →
// integration request → integration → integration response → method response. Where one of them ends the request, a gateway response answers.
// Each stage is one file, and one step in the request's trace.
//
// # What is compiled
//
// A deployed tree never changes, so it is compiled once by its hash ([compileTree]): a trie of routes, templates, schemas, parameter mappings, patterns.
// A stage is compiled with its settings ([loadStage]) and kept until something that it is made of changes (package store/memo); it is swapped as a whole. The caches watch
// the records of APIs, stages, deployments, keys and plans, and not the quotas, which change with every request.
//
// # Quotas
//
// A usage plan's quota is durable: requests are taken from it in leases ([quotas]), each one transaction, whose size is a hundredth of the quota and at least one. A process
// that ends early loses what is left of its leases, so a quota is never exceeded.
//
// # What it is not
//
// The control plane (package apigateway), which writes the records, and TLS and domain names (package gateway/domain).
//
// # Locks
//
// quotas.mu and trees' own are leaves; no I/O is done while one is held.
package plane
