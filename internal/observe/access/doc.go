// Package access writes the access log: one line of JSON a request, in the order in which requests end.
//
// A line holds who called what and how it ended, never a query string (which may carry a signature), a header or a body. Lines are handed to a
// goroutine, so that a slow disk or terminal holds no request up: what waits is bounded by [MaxWaiting], and lines beyond that are dropped and
// counted, which the next line that is written says. A file is appended to; [Log.Reopen] opens it anew, after it was rotated.
package access
