// Package client is the command line's own small AWS client: the few calls that deploys, logs and invocations
// make, over HTTP to a running Lambent, signed like those of any other client.
//
// It is deliberately not an SDK: no retries, no pagination helpers beyond what the commands need, no configuration. What
// Lambent answers to it, it answers to every client.
package client
