// Package scheduler is Amazon EventBridge Scheduler: schedules that call a target once, at a rate, or by a cron expression in a time zone.
//
// # Keys
//
// All keys begin with ("scheduler", kind, account, region), then:
//
//	"g", group             a schedule group (record); the default group needs no row
//	"s", group, schedule   a schedule (record)
//
// # Runs
//
// An enabled schedule has one named job, which waits for its next time; nothing scans schedules. When it is due, one commit holds the delivery to the target, a
// durable job of its own with the schedule's retry policy, and the job of the time after that. So a time is met once, whatever dies in between. A time that passed
// while the platform was down is met late, once, as long as it is not older than the retry policy's MaximumEventAgeInSeconds; further missed times are left out.
//
// A flexible time window puts a run off by an offset within the window that follows from the schedule's ARN and the time, so that it is the same for every try.
//
// # Targets
//
// Templated targets are delivered by package deliver. A universal target (arn:aws:scheduler:::aws-sdk:service:action) is any operation of any service here: it is
// called through the door, with the session of the target's role.
//
// # Locks
//
// None: all state is in the store.
package scheduler
