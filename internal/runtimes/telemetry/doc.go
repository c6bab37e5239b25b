// Package telemetry is the Telemetry API and its predecessor, the Logs API: extensions subscribe to what happens to their function and to what is written, and are sent
// batches of events by HTTP or TCP, to a port that they listen on.
// See https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html and https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html.
//
// A [Hub] belongs to one execution environment. Who publishes never waits: an event is put into the buffer of every subscription that wants it, and what a full buffer
// cannot take is dropped, counted, and told by a platform.logsDropped event. The events of the initialisation are kept until it is over, for those that
// subscribe while it goes on; later nobody can.
//
// Each subscription has a goroutine that sends a batch when it is full, or old enough, or at [Hub.Flush]. A receiver that does not answer gets the batch again
// after a while, until the hub is closed.
//
// Locks: Hub.mu guards the list and the events kept; subscription.mu a buffer. Hub.mu is taken first. Neither is held during I/O.
package telemetry
