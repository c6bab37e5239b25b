// Package gateway is the folder of what the data planes of API Gateway share: REST APIs (services/apigateway), HTTP and WebSocket
// APIs (services/apigatewayv2). It has no code of its own.
//
//   - authorizer: results of Lambda authorizers and tokens, kept as long as they hold, and decided about for each request
//   - accesslog: formats of access logs, compiled, and where their lines go
//   - throttle: rates of accounts, stages, methods and keys; durable quotas of usage plans
//   - respcache: responses that are answered again, bounded in bytes
//   - integration: calls to functions, HTTP backends and services of this Lambent
//   - domain: custom domain names, their mappings and rules, and mutual TLS
//   - metrics: meters of stages, and what requests count
//   - trace: what each stage of a request saw, and how long it took
//
// None of them knows an API's records: a plane compiles its own and calls these with what it found there.
package gateway
