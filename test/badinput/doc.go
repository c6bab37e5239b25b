// Package badinput holds what APIs of each kind answer to input that nobody ought to send, in table.txt: one case for each mistake, with the status, the type of the error and the body
// that AWS has for REST APIs, HTTP APIs and WebSocket APIs. The packages of their data planes run their column of it.
//
// After each case the API must still serve: it is asked for something sound.
//
// What is the same for all kinds because they share the listener has its tests in internal/front: slow clients (TestSilentClientIsNotWaitedFor, TestSlowBodyIsWaitedFor), and the framing of
// requests in all its forms (TestFramingIsUnambiguous). OpenAPI documents that are none have theirs beside the importers.
package badinput
