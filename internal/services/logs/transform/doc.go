// Package transform is the log transformers of CloudWatch Logs: lists of processors that make a JSON document of a log event
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Transformation-Processors.html).
//
// [Compile] checks a list and makes a [Transformer] of it; [Transformer.Apply] runs it on one event. Parsers come first and make the document; the others change it. A parser that
// cannot read an event leaves it without a transformed version. A processor whose field is missing, or has a value that it cannot work on, changes nothing.
//
// Fields are named by paths with dots, at most three names deep. Regular expressions are RE2: what needs to look around or back is refused when a transformer is made.
//
// Not supported, and refused by name: parseToOCSF and parseWAF, the grok patterns of whole log formats, type conversions in grok patterns, and locales of dates other than English.
//
// The package is pure: it reads no clock and keeps nothing.
package transform
