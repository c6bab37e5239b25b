//go:build !linux

package runtimes

// totalMemory is the machine's memory in bytes; 0 when it is not known.
func totalMemory() int64 { return 0 }
