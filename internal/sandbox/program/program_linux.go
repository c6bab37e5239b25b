package program

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Result names the value that a step returned; it can be the argument of a later step.
type Result int

// None is the Result of a step whose value nobody needs.
const None Result = -1

const maxResults = 64

// Step kinds that are more than one system call.
const (
	kindCall  = iota // one system call
	kindRead         // a system call that must not return zero
	kindStore        // write a result, as int32, to memory
	kindAck          // check a netlink acknowledgement that was read into memory
	kindFork         // split into init and payload
)

// step holds the addresses of its buffers as numbers: the buffers stay reachable through Program.keep, and heap objects do not move.
type step struct {
	nr       uintptr
	args     [6]uintptr
	refs     uint8 // bit i: args[i] is a Result to be replaced by its value
	kind     uint8
	optional bool
	save     int8
	memory   unsafe.Pointer // what kindStore writes to and kindAck reads
	name     unsafe.Pointer // the bytes of the name, which the child writes when the step fails
	nameLen  uintptr
}

// Arg is one argument of a system call.
type Arg struct {
	value  uintptr
	ref    bool
	memory unsafe.Pointer
}

// Int is a plain number.
func Int[T ~int | ~uint | ~int32 | ~uint32 | ~uint64 | ~int64 | ~uintptr](n T) Arg {
	return Arg{value: uintptr(n)}
}

// Fd is a descriptor that is open in the parent; the child has it under the same number.
func Fd(fd int) Arg { return Arg{value: uintptr(fd)} }

// From is the value that an earlier step returned.
func From(r Result) Arg { return Arg{value: uintptr(r), ref: true} }

// AtCwd is the current directory as the directory argument of an *at call.
func AtCwd() Arg {
	dir := unix.AT_FDCWD
	return Arg{value: uintptr(dir)}
}

// Program is a list of steps under construction, and later what Start runs.
type Program struct {
	steps   []step
	keep    []any
	results int
	values  *[maxResults]uintptr
	status  int // descriptor on which the child reports
	err     error
}

// usualSteps is how many steps there is room for without growing: those of a sandbox with namespaces and some mounts.
const usualSteps = 256

// New returns an empty program whose child reports on the descriptor status, which must be a SOCK_SEQPACKET socket.
func New(status int) *Program {
	return &Program{status: status, values: new([maxResults]uintptr), steps: make([]step, 0, usualSteps), keep: make([]any, 0, 2*usualSteps)}
}

// Err is the first mistake made while building: a path with a NUL byte or too many results.
func (p *Program) Err() error { return p.err }

// Bytes keeps b reachable and returns its address for a step. An empty b gives the null pointer.
func (p *Program) Bytes(b []byte) Arg {
	if len(b) == 0 {
		return Arg{}
	}
	p.keep = append(p.keep, b)
	return address(unsafe.Pointer(unsafe.SliceData(b)))
}

func address(at unsafe.Pointer) Arg { return Arg{value: uintptr(at), memory: at} }

// String is the address of s as a C string.
func (p *Program) String(s string) Arg {
	b, err := unix.ByteSliceFromString(s)
	if err != nil {
		p.fail(fmt.Errorf("%q cannot be passed to the kernel: %w", s, err))
		return Arg{}
	}
	return p.Bytes(b)
}

// Strings is the address of a null-terminated array of C strings, as execve takes it.
func (p *Program) Strings(list []string) Arg {
	array := make([]uintptr, len(list)+1)
	for i, s := range list {
		array[i] = p.String(s).value
	}
	p.keep = append(p.keep, array)
	return address(unsafe.Pointer(unsafe.SliceData(array)))
}

// Pointer keeps the value behind v reachable and returns its address.
func Pointer[T any](p *Program, v *T) Arg {
	p.keep = append(p.keep, v)
	return address(unsafe.Pointer(v))
}

// Offset is the address n bytes behind a, which must lie in the same buffer.
func Offset(a Arg, n uintptr) Arg { return address(unsafe.Add(a.memory, n)) }

// Call adds a system call. The name is what a failure is reported with.
func (p *Program) Call(name string, nr uintptr, args ...Arg) {
	p.add(name, kindCall, false, false, nr, args)
}

// Try adds a system call that may fail.
func (p *Program) Try(name string, nr uintptr, args ...Arg) {
	p.add(name, kindCall, true, false, nr, args)
}

// Get adds a system call and returns its result for later steps.
func (p *Program) Get(name string, nr uintptr, args ...Arg) Result {
	return p.add(name, kindCall, false, true, nr, args)
}

// GetTry is Get for a step that may fail. After a failure the result is no descriptor.
func (p *Program) GetTry(name string, nr uintptr, args ...Arg) Result {
	return p.add(name, kindCall, true, true, nr, args)
}

// Await adds a read of one byte that fails when the other end has been closed.
func (p *Program) Await(name string, fd int) {
	buf := p.Bytes(make([]byte, 8))
	p.add(name, kindRead, false, false, unix.SYS_READ, []Arg{Fd(fd), buf, Int(1)})
}

// Receive reads one datagram of at most n bytes into buf, and fails when the other end has been closed.
func (p *Program) Receive(name string, fd int, buf Arg, n int) {
	p.add(name, kindRead, false, false, unix.SYS_READ, []Arg{Fd(fd), buf, Int(n)})
}

// Store writes the result r as an int32 to the address at.
func (p *Program) Store(r Result, at Arg) {
	p.add("store a result", kindStore, false, false, 0, []Arg{From(r)})
	p.steps[len(p.steps)-1].memory = at.memory
}

// Acknowledge reads one answer from the netlink socket and fails with the errno that it carries.
func (p *Program) Acknowledge(name string, socket Result) {
	buf := p.Bytes(make([]byte, 4096))
	p.add(name, kindCall, false, false, unix.SYS_RECVFROM, []Arg{From(socket), buf, Int(4096), Int(0), Int(0), Int(0)})
	p.add(name, kindAck, false, false, 0, nil)
	p.steps[len(p.steps)-1].memory = buf.memory
}

// Fork splits the child into the init of the sandbox and the payload that runs the steps behind.
func (p *Program) Fork() { p.add("fork the payload", kindFork, false, false, unix.SYS_CLONE, nil) }

func (p *Program) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *Program) add(name string, kind uint8, optional, save bool, nr uintptr, args []Arg) Result {
	s := step{nr: nr, kind: kind, optional: optional, save: -1}
	for i, a := range args {
		s.args[i] = a.value
		if a.ref {
			s.refs |= 1 << i
		}
	}
	r := None
	if save {
		if p.results == maxResults {
			p.fail(fmt.Errorf("step %q: more than %d results", name, maxResults))
			return 0
		}
		r = Result(p.results)
		s.save = int8(r)
		p.results++
	}
	text := []byte(name)
	p.keep = append(p.keep, text)
	s.name, s.nameLen = unsafe.Pointer(unsafe.SliceData(text)), uintptr(len(text))
	p.steps = append(p.steps, s)
	return r
}
