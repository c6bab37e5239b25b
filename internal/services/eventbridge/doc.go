// Package eventbridge is Amazon EventBridge: event buses with their rules, targets, schedules, archives and replays, and the API
// destinations that rules reach over HTTP.
//
// PutEvents is one transaction. It holds the messages of the target queues themselves ([port.Queues]), the asynchronous events of target functions
// ([port.Functions]), the archived events, and a durable delivery ([deliver.Queue]) for every other target. What matches more than maxDeliveries targets is
// split: the rest is a job in the same commit.
//
// # Keys
//
// All keys begin with ("eventbridge", kind, account, region), then:
//
//	"b", bus                     an event bus (record); the default bus has a row once something was said of it
//	"r", bus, rule               a rule with its targets (record)
//	"a", archive                 an archive (record)
//	"v", archive, time, id       an archived event: the time at which it came in, and the event's id
//	"n", archive, stamp          a change of an archive's counters that was not added to its record yet
//	"p", replay                  a replay (record)
//	"c", connection              a connection (record); what it hides is a secret of Secrets Manager, which commits with it
//	"d", destination             an API destination (record)
//	"e", endpoint                a global endpoint (record)
//
// # Caches
//
// A bus with its rules, compiled patterns and archives is kept in memory ([memo.Cache]) until a commit changes one of them, so an event meets the rules of the last
// acknowledged call. Patterns are filed in one index ([pattern.Set]): what an event costs depends on what matches, not on the number of rules.
//
// # Schedules
//
// A rule with a schedule has one named job, whose time is the next one due. Its handler hands the scheduled event over and writes the next job in one commit, so a
// time is never met twice. A rule that was due while the platform was down runs late, once, unless that is by more than maxLate.
//
// # Events about calls
//
// The door tells of every control-plane call before it is answered ([Service.Note]). When a rule of the default bus asks for it, by a source or a detail type in its
// pattern, the call becomes an event as CloudTrail's are, durable before the caller learns of its success. A process that dies between the two leaves a call
// without event that was not acknowledged either. Calls that nobody asks for cost a look at the bus in memory. Calls that deliver events are not told of: each would lead to
// another.
//
// # Logs
//
// A bus with a log level hands the records of its steps to [port.VendedLogs] in the transactions that they tell of (buslog.go); deliveries bring them further. A message to a target of such a bus
// has a report, by which the queue tells of each try.
//
// # CloudEvents
//
// A data plane takes CloudEvents for buses, topics and queues and gives them from queues (cloudevents.go). It has no state: each request becomes one call through the door, by
// who signed it. A CloudEvent is the detail of its event, whole.
//
// # What it deliberately is not
//
// There are no partner event sources. Events that services of AWS send about themselves come from those services here that tell, which the
// documentation lists.
package eventbridge
