// Package insights is the query language of CloudWatch Logs Insights
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html).
//
// [Parse] makes a [Query] of a text; [Query.Start] begins a [Run], which is given log events one by one in the order of their times, and then tells the result. Commands are fields, filter, parse,
// stats, sort, limit, dedup and display, with AWS's operators and the functions in function.go. Every other command or function is refused by name.
//
// Values are texts and numbers: two that look like numbers compare as such. A field that is not there makes every comparison false.
//
// # Bounds
//
// A run keeps at most 10,000 rows and groups, and [maxKept] bytes; a query that needs more fails and says so.
//
// The package is pure: it reads no clock and no store.
package insights
