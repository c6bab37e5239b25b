// Package meter counts what data planes do, in memory and cheaply enough for every request: how often, how long, how large.
//
// A [Meter] has the measures of one thing, such as a stage of an API or a function, and is held by whoever counts there. [Meter.Record] adds one sample to each of its
// measures under one short lock and without memory of its own. A [Registry] knows the meters that have counted something since it was last asked, and
// [Registry.Drain] takes it from them, minute by minute; the metrics service makes it durable. What is a state is sampled once a minute ([Registry.Sample]).
//
// What one measure saw is a [Samples]: count, sum, least, greatest, and how the values are spread. The spread is a histogram of 128 buckets
// for each power of two, so that a percentile is at most 1/128 below the value that it stands for, and exact for whole numbers up to 256.
//
// # Locks
//
// A stripe's lock is taken before the registry's; both are held for a few additions and never while anything waits.
package meter
