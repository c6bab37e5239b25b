// Package accesslog writes the access logs of API stages: a line for each request, made of a format with $context variables
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html), to a log group or a delivery stream.
//
// [Parse] compiles a format once. A variable that has no value is "-". In a format that is a JSON object, a value between quotes is escaped, so that a
// client's header cannot change the line's structure.
//
// A [Writer] accepts lines for log groups into the bounded buffer of the log service ([port.LogSink]), and those for delivery streams into a queue of
// its own that one goroutine empties: a full queue drops lines and says so in the log, since a request must not wait for its own access log.
package accesslog
