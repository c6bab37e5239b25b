// Package schedule is the language of schedule expressions that EventBridge rules and EventBridge Scheduler share: rate(5 minutes),
// cron(0 10 ? * MON-FRI *) and at(2026-12-24T18:00:00).
//
// Parse checks an expression, [Expression.Next] tells when it is due. Times are local to a time zone, whose changes to and from daylight-saving
// time are treated as Scheduler documents it: a local time that the clock skips is left out, one that it shows twice is due the first time.
//
// Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html and
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html.
package schedule
