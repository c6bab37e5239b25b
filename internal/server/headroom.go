package server

import "lambent.dev/lambent/internal/runtimes"

// headroom is memory that is never touched, so the machine is not asked for it, and that the garbage collector counts: Go collects when as much has been allocated as was
// in use after the last time, and a platform whose own state is some 16 MB would collect several times a second under load. What requests leave behind may take up to
// this much memory more; a platform that does nothing leaves nothing.
type headroom []byte

// Bounds of the headroom, in bytes. In between it is half a hundredth of the machine's memory.
const (
	minHeadroom = 32 << 20
	maxHeadroom = 96 << 20
)

func newHeadroom() headroom {
	return make(headroom, min(max(runtimes.PartOfMemory(1)/2, minHeadroom), maxHeadroom))
}
