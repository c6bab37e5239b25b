// Package metrics makes the meters of an API's stage, in the namespace AWS/ApiGateway, and counts requests into them.
//
// Everything is counted under the API, under its stage, and, where detailed metrics are on, under a method or route of it. What REST and HTTP APIs
// have in common are the first five measures; each has some of its own behind them
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html,
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html).
package metrics
