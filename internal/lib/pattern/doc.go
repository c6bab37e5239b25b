// Package pattern is the event pattern language of EventBridge, which event source mappings, pipes and, in a narrower dialect, SNS filter policies share:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html.
//
// [Compile] checks a pattern and reports what AWS reports, with the place in the text that its parser reports. A [Pattern] matches one event; a
// [Set] finds those of many patterns that match an event, at a cost that depends on the event and on what matches, not on how many patterns there are.
//
// # What matches
//
// A pattern is an object of fields. All of them must match; of the values listed for a field one must. An event's array matches
// when one of its elements does, but fields below one array must match in the same element. A dot in a key is the same as nesting. Numbers are compared as
// 64-bit floating point numbers, as long as they can be written as one. Text that holds JSON is text.
//
// # How a set finds its patterns
//
// An event is read once, and only as far as some pattern names its fields (event.go). Each branch of a pattern (`$or` makes several) is filed under one
// of its fields, the one that promises the fewest candidates: by equal values in a hash table, by prefixes and suffixes in a table for each length that occurs,
// by address blocks in one for each mask, and only where nothing better is at hand in a list (index.go). A group of branches
// that all lie under one value is filed again by another field. What the event's values lead to are candidates, each of which is then
// tested whole (verify.go).
package pattern
