package sandbox

import (
	"fmt"
	"strings"
)

// Layer is one part of the isolation.
type Layer struct {
	// Name is what it is called in messages: "namespaces", "memory limit", ….
	Name string
	// Active tells whether cells have it.
	Active bool
	// Detail says by which means, or why not and what would help.
	Detail string
}

// Report says what this machine gives a cell.
type Report struct {
	// Mode is "namespaces", "gvisor" or "process".
	Mode string
	// Layers are in the order in which they matter.
	Layers []Layer
}

// Isolated tells whether cells are kept from the host's files, processes and network.
func (r Report) Isolated() bool { return r.Mode != modeProcess }

// Layer returns the layer of that name; a missing one is inactive.
func (r Report) Layer(name string) Layer {
	for _, l := range r.Layers {
		if l.Name == name {
			return l
		}
	}
	return Layer{Name: name, Detail: "not supported on this system"}
}

// Missing returns the inactive layers.
func (r Report) Missing() []Layer {
	var out []Layer
	for _, l := range r.Layers {
		if !l.Active {
			out = append(out, l)
		}
	}
	return out
}

// String is the report as lines for a terminal.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "isolation: %s\n", r.Mode)
	for _, l := range r.Layers {
		state := "on "
		if !l.Active {
			state = "OFF"
		}
		fmt.Fprintf(&b, "  %s %-14s %s\n", state, l.Name, l.Detail)
	}
	return b.String()
}

// The modes of a host.
const (
	modeNamespaces = "namespaces"
	modeProcess    = "process"
	modeGVisor     = "gvisor"
)

// The names of the layers.
const (
	LayerNamespaces = "namespaces"
	LayerNetwork    = "network"
	LayerEgress     = "internet"
	LayerSeccomp    = "seccomp"
	LayerLandlock   = "landlock"
	LayerMemory     = "memory limit"
	LayerPIDs       = "process limit"
	LayerCPU        = "cpu limit"

	layerUsers = "user namespace" // a part of namespaces
)
