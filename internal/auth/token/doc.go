// Package token seals session tokens and stored secrets under the master key, and makes access
// key ids.
//
// A session token is stateless: it carries the session itself ([Session]), so that a call with
// temporary credentials reads nothing from the store and is good on every node. The secret
// access key of a session is not in it; it is derived from the master key and the token's salt.
//
//	token  = base64url( version ‖ key id ‖ salt ‖ AES-256-GCM( session as JSON ) )
//	key    = HKDF-SHA256( master key, salt, "… seal" )        one key for each token
//	secret = base64( HKDF-SHA256( master key, salt, "… secret" ) )
//
// The head is authenticated with the body. Because every token has a key of its own, nonces
// never repeat. Old keys stay in a [Keyring] to open what they sealed; new tokens are sealed
// under the current one.
//
// An access key id is a prefix and 16 base32 characters, of which the first ten carry the
// account, as AWS's do, so that GetAccessKeyInfo needs no look-up.
//
// What it is not: it does not revoke (package auth compares the issue time), and it knows no
// users. Losing the master key makes tokens and stored secrets worthless; nothing here keeps it.
package token
