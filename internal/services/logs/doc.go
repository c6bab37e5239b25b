// Package logs is Amazon CloudWatch Logs: log groups, streams, and their events.
//
// Log lines reach it in two ways: by PutLogEvents, durable when it returns, and through [port.LogSink], by which
// functions log. The sink keeps lines in a bounded buffer and commits those of all streams together, at the latest after
// [flushInterval]; a stream that has its part of the buffer waits, so that a function that logs faster than the disk is slowed down and loses nothing, and the
// others have room.
//
// # Keys
//
//	logs/<account>/<region>/g/<group>                              group record, with its resource policy
//	logs/<account>/<region>/s/<group id>/<stream>                  stream record
//	logs/<account>/<region>/b/<group id>/<time><stream><seq>       block of events
//	logs/<account>/<region>/x/<group id>/<stream>/<time><seq>      index of the blocks of one stream: how long after <time> the last event is
//	logs/<account>/<region>/p/<name>                               resource policy
//	logs/<account>/<region>/a/<type>/<name>                        account policy
//	logs/<account>/<region>/r/<id>                                 query of Logs Insights
//	logs/<account>/<region>/ra/<id>                                mark of a query that has not ended
//	logs/<account>/<region>/rp/<id>/<n>                            part of a query's result
//	logs/<account>/<region>/q/<id>                                 query definition
//	logs/<account>/<region>/sq/<name>                              scheduled query
//	logs/<account>/<region>/si/<id>                                name of the scheduled query with an id
//	logs/<account>/<region>/sh/<id>/<time>                         run of a scheduled query, at a time in Unix seconds
//	logs/<account>/<region>/ad/<id>                                anomaly detector
//	logs/<account>/<region>/al/<detector>/<id>                     pattern that a detector has learnt
//	logs/<account>/<region>/an/<detector>/<id>                     anomaly
//	logs/<account>/<region>/ds/<name>                              delivery source
//	logs/<account>/<region>/dr/<resource>/<log type>               name of the delivery source of a log
//	logs/<account>/<region>/dd/<name>                              delivery destination
//	logs/<account>/<region>/dv/<id>                                delivery
//	logs/<account>/<region>/dx/<source>/<id>                       mark of a delivery of a source
//	logs/<account>/<region>/dw/<id>/<stamp>                        record that waits for its delivery
//	logs/<account>/<region>/d/<name>                               destination: a stream that other accounts may send log events to
//
// Times are Unix milliseconds. seq is a counter kept in the stream record, so that events of one millisecond keep their order. A group id is given once, so that a
// deleted and created group never shows old events and deletion is a few range deletes.
//
// Events lie in blocks, so that many lines cost one write: a block has events of one stream that were accepted together, ordered by time and
// seq, over at most 10 s and 64 KiB, compressed with S2 from 1 KiB on. Its key is the position of its first event. Blocks overlap: a stream's lines may come late, and a
// group has many streams. Readers merge them ([merge]), and begin 10 s before the time that they want.
// Retention leaves a block until its last event must be past it.
//
// # Subscriptions
//
// A subscription filter is part of its group's record, so that writing events reads nothing more. The deliveries of the events that it wants are durable jobs
// in the transaction that writes them: an event that is acknowledged reaches the function or the stream, once at least, within a day. A filter by which a function's log
// events would come back to it is refused.
// A filter that names a destination is resolved with every write: its owner may point it elsewhere, or delete it, which ends the deliveries. The destination's policy is asked when a
// filter is put.
//
// An account policy with a subscription filter is read with every write, and acts like a filter of each group that it does not leave out.
//
// # Metric filters
//
// A metric filter is part of its group's record, too. What events count is handed to the metrics' service in the transaction that writes them ([intake]), at the time of the
// event: what is acknowledged is counted once, also over a crash. A group without filters pays nothing.
//
// # Transformers
//
// A log transformer is part of its group's record, or an account policy. It runs when events are written and a filter of the group asks for transformed events, once for all of them
// ([lambent.dev/lambent/internal/services/logs/transform]). What it makes is not stored: GetLogEvents and FilterLogEvents give events as they came, and queries transform those again that came
// since the transformer was last changed.
//
// # Queries
//
// A query of Logs Insights ([lambent.dev/lambent/internal/services/logs/insights]) is a durable job: it begins anew after a crash, and its result is kept for seven days. It reads the events of its groups
// a part at a time, and sees in between whether it was stopped.
//
// An enabled scheduled query has one named job, which waits for its next time. When it is due, one commit holds the run, the job that begins it and the job of the time after that; the query
// itself is an ordinary one, started through the door as the query's role. When it ends, a job writes its result to the bucket and tells the default event bus.
//
// # Deliveries
//
// Records that other services log ([port.VendedLogs]) are written once for each delivery of their source. The first one that waits brings a job, named by the delivery, which delivers what has come together
// and then looks again. The ends of a delivery are asked when it runs.
//
// # Anomalies
//
// An anomaly detector that is not paused has one named job, which reads the stored events of the windows that are over; writing events knows nothing of detectors. Messages become patterns
// ([tokenise]), of which the last sixty counts are kept. Two weeks of events and the first quarter of an hour only train; later, a window is held against those before it ([model.judge]).
//
// # What it is not
//
// Query definitions are kept, and their text is not looked into.
package logs
