// Package pipes is Amazon EventBridge Pipes: each pipe reads a queue or a stream, lets records through by their content, may have them enriched by a function, and hands them
// to a target.
//
// # Keys
//
//	("pipes", account, region, name)    a pipe (record)
//
// How far a stream has been read is kept by package sources, under the id of the pipe; a queue keeps its state itself. So a pipe that was stopped goes on where it was.
//
// # Work
//
// A running pipe has a worker of package sources, which reads with the pipe's role, batches, filters, tries again and gives up as it does for functions. What is called a
// function there is enrichment and target here: a batch is rendered by the templates, goes through the enrichment, and to the target, all with the pipe's
// role. A function takes a batch as it is; other targets take its records one by one. A record that the target refuses has failed alone, unless an enrichment stands
// between it and the source; then its batch has failed.
//
// An API destination or a stage of API Gateway is called by EventBridge ([port.Endpoints]), as an enrichment or as a target.
//
// # Logs
//
// The log of an execution is written to a log group when it ends, from the level on that the pipe says (logging.go). It is taken by the same buffer as those of functions, so it does
// not hold the pipe up.
//
// # What it deliberately is not
//
// Kafka and MQ brokers are no sources here, and the log goes to log groups only; everything else is refused by name. A pipe from a source to itself is refused too.
package pipes
