// Package cloudwatch is the metrics of Amazon CloudWatch: what applications put and what this platform's own data planes count, kept as long as AWS keeps it.
//
// # Two ways in
//
// PutMetricData is durable when it returns. Data planes count into meters (package lib/meter); once a minute, on the minute, and before every read, one
// flush makes what they counted durable ([Metrics.flush]). A crash loses what was counted since, a minute at most; nothing else waits for the disk.
//
// # Rollups
//
// A metric is a namespace, a name and a set of dimensions. Each of its points is a [meter.Samples] under a unit, added to the point of its period in every tier:
//
//	1 s     kept for 3 hours, for data with a storage resolution of a second alone
//	1 min   15 days
//	5 min   63 days
//	1 h     455 days
//
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html, "Metrics retention"). A read takes the coarsest tier that its period and its
// first moment are whole multiples of. A point has the spread of its values, so that percentiles come out of rollups, too: within 1/128, and never for values that were put as
// statistics of several.
//
// # Keys
//
// All begin with ("cloudwatch", account, region), then:
//
//	"m", namespace, name, digest             a metric: its dimensions, its units, and when it last had data
//	"p", digest, unit, period, time          a point; period and time in seconds
//	"e"                                      that a sweep of what is past its time is scheduled
//
// digest is that of namespace, name and dimensions.
//
// # Locks
//
// Metrics.flushing is held while what was counted is written; no other lock is taken under it but those of the meters and of the store.
//
// # What it is not
//
// Alarms, dashboards, insight rules, anomaly detectors, metric streams and metric math have no handler or are refused by name, as are the statistics that are no percentiles
// and no plain ones (TM, WM, TC, TS, PR, IQM).
package cloudwatch
