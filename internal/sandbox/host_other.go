//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
)

// Options of a host.
type Options struct {
	// Logger is told what operators should know; nil discards.
	Logger *slog.Logger
	// Plain makes cells plain processes even where namespaces work.
	Plain bool
	// GVisor is the path of gVisor's runsc, which runs on Linux alone.
	GVisor string
}

// Host starts cells on this machine.
type Host struct{}

var errSystem = errors.New("functions need Linux: this version starts sandboxes with its namespaces only; run Lambent in a Linux virtual machine")

// MaybeChild does nothing on this system.
func MaybeChild() {}

// Open fails on this system.
func Open(context.Context, Options) (*Host, error) { return nil, errSystem }

// Report says that nothing is isolated.
func (*Host) Report() Report { return Report{Mode: modeProcess} }

// Start fails on this system.
func (*Host) Start(context.Context, Spec) (*Cell, error) { return nil, errSystem }

// Close does nothing.
func (*Host) Close() error { return nil }

// Kill does nothing.
func (*Cell) Kill() {}

// Signal does nothing.
func (*Cell) Signal(syscall.Signal) {}

// CanPark is false on this system.
func (*Host) CanPark() bool { return false }

// Assign fails on this system.
func (*Cell) Assign(context.Context, Assignment) error { return errSystem }

// CanFreeze is false on this system.
func (*Cell) CanFreeze() bool { return false }

// Frozen is false on this system.
func (*Cell) Frozen() bool { return false }

// Freeze does nothing on this system.
func (*Cell) Freeze() error { return nil }

// Thaw does nothing on this system.
func (*Cell) Thaw() error { return nil }

type ice struct{}

type pump struct{}

type pending struct{}

func (*pump) drain() {}

func originalDestination(*net.TCPConn) (netip.AddrPort, error) { return netip.AddrPort{}, errSystem }

func hostResolvers() []netip.AddrPort { return nil }
