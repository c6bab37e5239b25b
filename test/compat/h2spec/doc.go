// Package h2spec holds the listener against h2spec (MIT License), a public suite for RFC 7540 and RFC 7541.
//
// The suite is a program of its own and not part of this repository; `make compat-h2` installs it. failures.txt lists the tests that are expected
// to fail, each with its reason. One that fails and is not listed fails the run, and so does a listed one that passes, so that the list only gets shorter; what passes or fails by chance is marked there.
package h2spec
