package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// One message is one datagram: a JSON document, with descriptors beside it.

// maxMessage bounds a datagram, in bytes. It leaves room for the arguments and environment of a cell.
const maxMessage = 192 << 10

// maxMessageFDs is the most descriptors that a message carries.
const maxMessageFDs = 24

// cellSpec is what the spawner needs to know of a Spec.
type cellSpec struct {
	Name   string
	Argv   []string
	Env    []string
	Dir    string
	Root   string
	Mounts []Mount
	Limits Limits
	Listen []Listen
	Egress bool
	// Inbound is how many sockets for connections into the cell are handed out.
	Inbound int
	Trace   bool `json:",omitempty"`
	Socket  bool
	Parked  bool
	Held    bool
	layers

	// Rewrite maps addresses inside the cell to those on the host, in process mode.
	Rewrite []rewrite
	// Tmp is the folder that stands in for /tmp in process mode; the spawner makes it.
	Tmp string
}

// layers says which parts of the isolation a cell gets; the host finds out which ones work.
type layers struct {
	Namespaces, Seccomp, Landlock bool
	// Users adds a user namespace to the others. Root can do without.
	Users bool
	// Runsc is the program of gVisor that runs the payload; empty for none.
	Runsc string `json:",omitempty"`
}

// rewrite replaces one text by another in arguments and environment.
type rewrite struct{ From, To string }

// The operations of a request.
const (
	opSpawn  = "spawn"
	opKill   = "kill"
	opSignal = "signal"
	opAssign = "assign"
)

// request goes from the daemon to the spawner. A spawn carries the descriptors status, stdout, stderr and, if asked for, socket.
type request struct {
	Op     string
	ID     uint64
	Spec   *cellSpec   `json:",omitempty"`
	Signal int         `json:",omitempty"`
	Assign *Assignment `json:",omitempty"`
}

// The kinds of an event.
const (
	evHello   = "hello"
	evSpawned = "spawned"
	evFailed  = "failed"
	evReaped  = "reaped"
	// evAssigned answers an assignment; with an error the cell has been killed.
	evAssigned = "assigned"
)

// event goes from the spawner to the daemon.
type event struct {
	Kind string
	ID   uint64 `json:",omitempty"`
	// Error is why a spawn or an assignment failed.
	Error string `json:",omitempty"`
	// PID and the files to read memory use from are told when a cell has been spawned.
	PID      int    `json:",omitempty"`
	PeakFile string `json:",omitempty"`
	// FreezeFile is where the cell is frozen; empty where it cannot be.
	FreezeFile string `json:",omitempty"`
	OOMKills   int    `json:",omitempty"`
	PeakBytes  int64  `json:",omitempty"`
	Hello      *hello `json:",omitempty"`
}

// hello is what the spawner found out about the machine.
type hello struct {
	Root bool
	// Moves tells that the spawner can enter the mount namespaces of its cells.
	Moves    bool
	Landlock int
	// Cgroups maps each controller to how it is had; Missing to why it is not.
	Cgroups, Missing map[string]string
	Place            bool // cells are placed and killed by a cgroup of version 2
}

func sendMessage(c *net.UnixConn, v any, fds ...int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if len(b) > maxMessage {
		return fmt.Errorf("message to the spawner has %d bytes, at most %d are possible", len(b), maxMessage)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if _, _, err := c.WriteMsgUnix(b, oob, nil); err != nil {
		return fmt.Errorf("send message: %w", err)
	}
	return nil
}

// receive reads one datagram and the descriptors that came with it. The end of the connection is io.EOF.
func receive(c *net.UnixConn, buf []byte) (int, []int, error) {
	oob := make([]byte, unix.CmsgSpace(4*maxMessageFDs))
	n, oobn, flags, _, err := c.ReadMsgUnix(buf, oob)
	if err != nil {
		return 0, nil, err
	}
	fds, err := parseRights(oob[:oobn])
	switch {
	case err != nil:
		return 0, nil, err
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		closeAll(fds)
		return 0, nil, errors.New("message was cut off")
	case n == 0:
		closeAll(fds)
		return 0, nil, io.EOF
	}
	return n, fds, nil
}

func parseRights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("parse control message: %w", err)
	}
	var fds []int
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range got {
			unix.CloseOnExec(fd)
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// socketPair returns a connected pair: a connection for this process and a bare descriptor for the other.
func socketPair(kind int) (*net.UnixConn, int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, fmt.Errorf("make socket pair: %w", err)
	}
	c, err := unixConn(pair[0])
	if err != nil {
		_ = unix.Close(pair[1])
		return nil, -1, err
	}
	return c, pair[1], nil
}

// unixConn takes over fd.
func unixConn(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer func() { _ = f.Close() }()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("use socket: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("use socket: not a unix socket")
	}
	return u, nil
}
