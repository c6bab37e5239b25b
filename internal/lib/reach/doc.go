// Package reach decides which addresses a server connects to on behalf of its users: those who set up an integration with an HTTP backend name any host, and
// the server stands where they do not. It is the guard against server-side request forgery.
//
// The decision is about the address that a connection really goes to, after names were resolved, so a name that changes its address between a check and the
// connection gains nothing.
//
//   - Link-local, multicast and unspecified addresses, and the metadata services of clouds, are never reached.
//   - This server's own listener is reached as a stranger: through [Policy.Enter], not over the network, where the connection would look like one of a person at this machine.
//   - This machine's other addresses are reached when [Policy.Private] says so, private networks then or when the dialer is one for them ([Policy.Dialer]).
//   - Everything else is the internet, and reached.
package reach
