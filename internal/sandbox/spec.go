package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path"
	"strings"
)

// The identity that a payload has inside of its cell, as on AWS.
const (
	UID  = 993
	GID  = 990
	User = "sbx_user1051"
)

// Spec describes a cell.
type Spec struct {
	// Name appears in logs and cgroup names; it need not be unique.
	Name string
	// Argv is the program with its arguments; Argv[0] is a path inside the cell.
	Argv []string
	// Env is the whole environment, as KEY=value.
	Env []string
	// Dir is the working directory inside the cell.
	Dir string
	// Root is a folder of the host that is the cell's whole root, read-only, in the place of the base system. It has folders or files where something is mounted:
	// /proc, /dev, /tmp, /etc/resolv.conf, /etc/hosts and the targets of Mounts. A host without namespaces refuses it.
	Root string
	// Mounts are made in order, on top of the base system or of Root.
	Mounts []Mount
	// Limits bound what the cell may use.
	Limits Limits
	// Listen are the addresses at which the cell finds the daemon.
	Listen []Listen
	// Egress decides about the internet; nil means that there is none.
	Egress *Egress
	// Inbound is how many connections the daemon can have into the cell at a time, by [Cell.Dial]; at most 16.
	Inbound int
	// Trace lets the processes of the cell watch and change each other, but for its init: debuggers need that. A cell that shares the host's processes is
	// given it under Landlock alone, which keeps it from tracing those.
	Trace bool
	// Socket gives the payload descriptor 3, one end of a stream socket whose other end is [Cell.Socket].
	Socket bool
	// Parked makes a cell that is started ahead of need: [Cell.Assign] gives it what it lacks, and its final limits. Until then it must run
	// nothing but programs of the platform's own.
	Parked bool
	// Held makes a parked cell wait, finished but for the program: [Cell.Assign] says what to run. Argv, Env and Dir are not used then.
	Held bool
	// Stdout and Stderr take what the payload writes, called from one goroutine each; nil discards.
	Stdout, Stderr io.Writer
}

// Mount binds a file or folder of the host, read-only.
type Mount struct {
	// Source is an absolute path on the host; Target one in the cell.
	Source, Target string
	// Optional skips the mount when the source does not exist.
	Optional bool
}

// Limits of a cell. Zero means the default in parentheses.
type Limits struct {
	// MemoryMB is the memory that the cell's processes may use together, in MiB (128).
	MemoryMB int
	// TmpMB is the size of /tmp, in MiB (512). What lies in /tmp is memory of the host too, and is granted on top of MemoryMB.
	TmpMB int
	// PIDs is how many processes and threads there may be (1024).
	PIDs int
	// Files is how many files a process may have open (1024).
	Files int
	// MilliCPU is the share of the processor: from 1000 upwards its weight and the most it may use, and half of it is what it may use without giving way to
	// others, if that is more than half a processor. One processor is 1000 (MemoryMB / 1769 of a processor, as on AWS).
	MilliCPU int
	// Yields has the cell start as one that has used more than its allowance: until it uses less it gives way to everything else.
	Yields bool
}

// Listen is an address inside the cell at which the daemon answers.
type Listen struct {
	// Name is how [Cell.Listener] finds it.
	Name string
	// Addr is an IPv4 loopback address with a port.
	Addr netip.AddrPort
	// Shared marks an address that is the daemon's on the host too: where a cell shares the host's network, no listener is made for it.
	Shared bool
}

const (
	maxArgs  = 1 << 16 // bytes of arguments and environment together
	maxBinds = 64
	// maxInbound bounds the connections into a cell.
	maxInbound = 16
)

// withDefaults returns s with the defaults filled in, or why it cannot be run.
func (s Spec) withDefaults() (Spec, error) {
	var err error
	if s.Limits, err = s.Limits.withDefaults(); err != nil {
		return s, err
	}
	if s.Dir == "" {
		s.Dir = "/"
	}
	return s, s.validate()
}

func (l Limits) withDefaults() (Limits, error) {
	for _, d := range []struct {
		field *int
		value int
	}{{&l.MemoryMB, 128}, {&l.TmpMB, 512}, {&l.PIDs, 1024}, {&l.Files, 1024}} {
		if *d.field == 0 {
			*d.field = d.value
		}
		if *d.field < 0 {
			return l, errors.New("sandbox limits must not be negative")
		}
	}
	if l.MilliCPU == 0 {
		l.MilliCPU = max(l.MemoryMB*1000/1769, 10)
	}
	return l, nil
}

func (s *Spec) validate() error {
	if !s.Held {
		if err := validateProgram(s.Name, s.Argv, s.Env); err != nil {
			return err
		}
	}
	if err := validateMounts(s.Name, s.Mounts); err != nil {
		return err
	}
	if s.Root != "" && !path.IsAbs(s.Root) {
		return fmt.Errorf("sandbox %s: the root %q must be an absolute path", s.Name, s.Root)
	}
	if s.Inbound < 0 || s.Inbound > maxInbound {
		return fmt.Errorf("sandbox %s: %d connections into the cell, at most %d are possible", s.Name, s.Inbound, maxInbound)
	}
	for _, l := range s.Listen {
		if !l.Addr.Addr().Is4() || !l.Addr.Addr().IsLoopback() || l.Addr.Port() == 0 {
			return fmt.Errorf("sandbox %s: listener %s at %s: it must be an IPv4 loopback address with a port", s.Name, l.Name, l.Addr)
		}
	}
	return nil
}

// validateProgram checks what is to be run.
func validateProgram(name string, argv, env []string) error {
	if len(argv) == 0 || !path.IsAbs(argv[0]) {
		return fmt.Errorf("sandbox %s: the program must be an absolute path", name)
	}
	size := 0
	for _, list := range [][]string{argv, env} {
		for _, v := range list {
			if strings.IndexByte(v, 0) >= 0 {
				return fmt.Errorf("sandbox %s: an argument or variable contains a NUL byte", name)
			}
			size += len(v) + 1
		}
	}
	if size > maxArgs {
		return fmt.Errorf("sandbox %s: arguments and environment take %d bytes, at most %d are possible", name, size, maxArgs)
	}
	return nil
}

func validateMounts(name string, mounts []Mount) error {
	if len(mounts) > maxBinds {
		return fmt.Errorf("sandbox %s: %d mounts, at most %d are possible", name, len(mounts), maxBinds)
	}
	for _, m := range mounts {
		if !path.IsAbs(m.Source) || !path.IsAbs(m.Target) || path.Clean(m.Target) != m.Target || m.Target == "/" {
			return fmt.Errorf("sandbox %s: mount of %q at %q: both must be clean absolute paths below the root", name, m.Source, m.Target)
		}
	}
	return nil
}
