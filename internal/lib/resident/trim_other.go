//go:build !linux

package resident

// Trim does nothing on this system.
func Trim() error { return nil }
