// Package httpevent turns HTTP requests into the events of functions and their responses into HTTP answers, in the payload format 2.0 that HTTP
// APIs and function URLs share (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html). What the
// two do not share, such as the request context, is theirs.
//
// Events are appended to a buffer as JSON, member by member, because this is done for every request.
package httpevent
