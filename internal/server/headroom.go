package server

// headroom is memory that is never touched, so the machine is not asked for it, and that the garbage collector counts: Go collects when as much has been allocated as was
// in use after the last time, and a platform whose own state is some 16 MB would collect several times a second under load. What requests leave behind may take up to
// this much memory more; a platform that does nothing leaves nothing.
type headroom []byte

// headroomSize is in bytes.
const headroomSize = 32 << 20

func newHeadroom() headroom { return make(headroom, headroomSize) }
