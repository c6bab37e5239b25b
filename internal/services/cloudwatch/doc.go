// Package cloudwatch is the metrics, the alarms and the dashboards of Amazon CloudWatch. Metrics are what applications put and what this platform's own data planes count, kept as long as AWS keeps it.
//
// # Three ways in
//
// PutMetricData is durable when it returns. Data planes count into meters (package lib/meter); once a minute, on the minute, and before every read, one
// flush makes what they counted durable ([Metrics.flush]). A crash loses what was counted since, a minute at most; nothing else waits for the disk.
// What other services count for their users, as metric filters of log groups do, is a row in the commit that counts it ([Inbox]): a blind write that meets no other. The flush adds such rows to their
// metrics and deletes them, in one commit. A value that stands in for none waits until its minute is over.
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
// # Alarms
//
// A durable timer for each account, region and cadence (10 s, 1 min, 1 h) evaluates all metric alarms of that cadence on a view of the store; nothing is written for an alarm whose state stays. The
// timer runs while there are such alarms. A change of state, its history, its event for the default bus, its actions (jobs of package deliver) and what composite alarms make of it are one
// commit ([Metrics.enter]), which is left out when the alarm was changed in the meantime. Composite alarms are evaluated by the changes of their children, which keys lead to; their rules have no cycles.
// A composite alarm with a suppressor holds its actions back, with a durable timer for the end of its wait and extension periods (ADR 0124).
//
// # Keys
//
// All begin with ("cloudwatch", account, region), then:
//
//	"m", namespace, name, digest             a metric: its dimensions, its units, and when it last had data
//	"p", digest, unit, period, time          a point; period and time in seconds
//	"e"                                      that a sweep of what is past its time is scheduled
//	"a", name                                an alarm (record)
//	"v", cadence, name                       a metric alarm that the timer of a cadence evaluates
//	"t", cadence                             that the timer of a cadence runs
//	"w", digest, name                        an alarm on a metric
//	"c", child, name                         a composite alarm whose rule names the child
//	"s", suppressor, name                    a composite alarm that another alarm suppresses
//	"h", name, time, type, detail            a history item (record), kept for 30 days
//	"i", time, name, type, detail            the same by time, without content
//	"b", name                                a dashboard (record); the region is empty, as on AWS
//
// and, with account and region behind them:
//
//	"cloudwatch.inbox", account, region, stamp                            what was counted elsewhere and is in no point yet
//	"cloudwatch.standin", account, region, minute, digest, unit           a value for a minute in which nothing was counted
//
// digest is that of namespace, name and dimensions.
//
// # Locks
//
// Metrics.flushing is held while what was counted is written; no other lock is taken under it but those of the meters and of the store.
//
// # What it is not
//
// Insight rules, anomaly detectors, metric streams, mute rules and metric math have no handler or are refused by name, as are the statistics that are no percentiles
// and no plain ones (TM, WM, TC, TS, PR, IQM), and actions of alarms but topics and functions.
package cloudwatch
