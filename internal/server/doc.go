// Package server puts a Lambent together: it opens the store, builds the services, starts the listener, and stops all of it in order.
//
// # Order
//
// Keys, store and bodies come first; then the door, still closed; then the services, which get the door and each other's ports; then the
// registry and the authorizer, which open the door; then the services' own goroutines, the durable work, and last the
// listener. Close goes the other way: no new requests, running requests end, durable work drains, services stop, the store closes.
//
// A service that another one needs by a port is built before it. Where two need each other, one of the ports is late: it is
// filled in before anything starts ([late]).
//
// What holds between requests is in the store alone, so that a process that is killed at any point starts again as if it had been closed.
package server
