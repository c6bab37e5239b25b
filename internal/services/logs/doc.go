// Package logs is Amazon CloudWatch Logs: log groups, streams, and their events.
//
// Log lines reach it in two ways: by PutLogEvents, durable when it returns, and through [port.LogSink], by which
// functions log. The sink keeps lines in a bounded buffer and commits them together, at the latest after
// [flushInterval]; a full buffer makes the writer wait, so that a function that logs faster than the disk is slowed down and loses nothing.
//
// # Keys
//
//	logs/<account>/<region>/g/<group>                              group record
//	logs/<account>/<region>/s/<group id>/<stream>                  stream record
//	logs/<account>/<region>/e/<group id>/<time><stream><seq>       event: its ingestion time and message
//	logs/<account>/<region>/i/<group id>/<stream>/<time><seq>      index of the events of one stream; empty values
//
// Times are Unix milliseconds. seq is a counter kept in the stream record, so that events of one millisecond keep their order. A group id is given once, so that a
// deleted and created group never shows old events and deletion is a few range deletes.
//
// # What it is not
//
// Metric and subscription filters, Logs Insights, anomaly detection and deliveries have no handler. Filter patterns
// are terms, quoted phrases, ?alternatives and -exclusions; JSON and column patterns are refused by name.
package logs
