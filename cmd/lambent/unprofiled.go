//go:build !profile

package main

// profiled does nothing in the released program: build with the tag profile for one that writes CPU profiles.
func profiled() (stop func()) { return func() {} }
