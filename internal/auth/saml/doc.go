// Package saml proves SAML 2.0 authentication responses by the metadata of their identity provider. What the package returns was read from the bytes that a signature covers and from nothing else,
// so that what is wrapped around a signed part says nothing.
//
// A response is signed as a whole, or its one assertion is. The certificates are those of the metadata, which are trusted for being there: as on AWS, the time of a certificate does not matter, and no
// authority vouches for it. SHA-1 is refused.
//
// What it deliberately is not: no encrypted assertions, no requests, no logout and no artifacts.
package saml
