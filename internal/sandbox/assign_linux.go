package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/sandbox/program"
)

// parked is what the spawner keeps of a cell for its assignment.
type parked struct {
	mounts int // the cell's mount namespace
	hold   int // the socket on which a held cell waits for its program; -1 for others
	// at is the address of the held cell's buffer: the same in the cell as it was here when it was made.
	at    uintptr
	tmpMB int
}

func (p *parked) close() {
	if p == nil {
		return
	}
	for _, fd := range []int{p.mounts, p.hold} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	p.mounts, p.hold = -1, -1
}

// A held cell reads its program as one datagram into a buffer of this layout, offsets in bytes. The addresses in it are those of the buffer.
const (
	heldDir     = 0         // the working directory, a C string
	heldFile    = 1 << 10   // the path of the program, a C string
	heldArgv    = 2 << 10   // addresses of the arguments, and a zero
	heldEnv     = 6 << 10   // addresses of the variables, and a zero
	heldStrings = 22 << 10  // what the addresses point at
	heldSize    = 128 << 10 // of the whole buffer

	addressSize = 8
)

// prepare makes the channel to a held cell.
func (p *parked) prepare(b *builder) error {
	if !b.spec.Held {
		return nil
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make socket pair: %w", err)
	}
	p.hold = pair[0]
	b.opened = append(b.opened, pair[1])
	b.hold, b.holdFD = make([]byte, heldSize), pair[1]
	p.at = uintptr(unsafe.Pointer(unsafe.SliceData(b.hold)))
	return nil
}

// heldPayload keeps nothing open but the streams, the first descriptors, and waits for the program.
func (b *builder) heldPayload(streams int) {
	b.Call("keep the socket", unix.SYS_DUP3, program.Fd(b.holdFD), program.Int(streams), program.Int(0))
	b.Call("close other descriptors", unix.SYS_CLOSE_RANGE, program.Int(streams+1), program.Int(b.fds.status-1), program.Int(0))
	b.Call("close other descriptors", unix.SYS_CLOSE_RANGE, program.Int(b.fds.status+1), program.Int(^uint32(0)), program.Int(0))
	b.closeOnExec(streams)
	at := b.Bytes(b.hold)
	b.Receive("wait for a program", streams, at, heldSize)
	b.Call(StepWorkingDir, unix.SYS_CHDIR, at)
	b.execute("run the program", program.Offset(at, heldFile), program.Offset(at, heldArgv), program.Offset(at, heldEnv))
}

// encodeHeld lays a program out for a buffer at an address.
func encodeHeld(at uintptr, a *Assignment) ([]byte, error) {
	buf := make([]byte, heldStrings, heldSize)
	for _, s := range []struct {
		text   string
		at, to int
	}{{a.Dir, heldDir, heldFile}, {a.Argv[0], heldFile, heldArgv}} {
		if len(s.text) >= s.to-s.at || strings.IndexByte(s.text, 0) >= 0 {
			return nil, fmt.Errorf("the path %.100q is too long or has a NUL byte", s.text)
		}
		copy(buf[s.at:], s.text)
	}
	for _, l := range []struct {
		list   []string
		at, to int
	}{{a.Argv, heldArgv, heldEnv}, {a.Env, heldEnv, heldStrings}} {
		if len(l.list) >= (l.to-l.at)/addressSize {
			return nil, fmt.Errorf("%d arguments or variables, fewer than %d are possible", len(l.list), (l.to-l.at)/addressSize)
		}
		for i, s := range l.list {
			binary.NativeEndian.PutUint64(buf[l.at+i*addressSize:], uint64(at)+uint64(len(buf)))
			buf = append(append(buf, s...), 0)
		}
	}
	if len(buf) > heldSize {
		return nil, fmt.Errorf("arguments and variables take %d bytes, at most %d are possible", len(buf)-heldStrings, heldSize-heldStrings)
	}
	return buf, nil
}

// freeToMove lets this thread, which the caller has locked, enter other mount namespaces, and returns its own.
func freeToMove() (int, error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return -1, fmt.Errorf("stop sharing the working directory: %w", err)
	}
	home, err := unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open the mount namespace: %w", err)
	}
	return home, nil
}

// assignLocked carries an assignment out and answers it. What the daemon waits for comes first: limits are set after the answer, within a
// fraction of a millisecond. s.mu is held.
func (s *spawner) assignLocked(id uint64, a *Assignment) {
	c := s.cells[id]
	err := errors.New("the sandbox has ended")
	if c != nil {
		s.yieldLocked(c, false)
		err = s.handOverLocked(c, a)
	}
	answer := event{Kind: evAssigned, ID: id}
	if err != nil {
		answer.Error = err.Error()
	}
	_ = sendMessage(s.conn, answer)
	if c == nil {
		return
	}
	if err == nil {
		c.share.limits = a.Limits
		if err = s.env.cgroups.setLimits(c.group, a.Limits); err == nil {
			err = s.watchMemory(c, a.Limits)
		}
	}
	if err != nil {
		c.kill()
		return
	}
	s.yieldLocked(c, a.Limits.Yields)
}

func (s *spawner) handOverLocked(c *spawned, a *Assignment) error {
	p := c.parked
	if p == nil || s.home < 0 {
		return ErrNoAttach
	}
	c.parked = nil
	defer p.close()
	if err := s.attach(p, a); err != nil {
		return err
	}
	if p.hold < 0 {
		return nil
	}
	buf, err := encodeHeld(p.at, a)
	if err != nil {
		return err
	}
	if _, err := unix.Write(p.hold, buf); err != nil {
		return fmt.Errorf("pass the program on: %w", err)
	}
	return nil
}

// attach takes folders from the host and puts them into the cell's mount namespace, which this thread enters for that.
func (s *spawner) attach(p *parked, a *Assignment) (err error) {
	trees := make([]int, 0, len(a.Mounts))
	defer func() { closeAll(trees) }()
	targets := make([]string, 0, len(a.Mounts))
	for _, m := range a.Mounts {
		fd, err := takeTree(m)
		if errors.Is(err, unix.ENOENT) && m.Optional {
			continue
		}
		if err != nil {
			return err
		}
		trees, targets = append(trees, fd), append(targets, m.Target)
	}
	if err := unix.Setns(p.mounts, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the sandbox's mounts: %w", err)
	}
	defer func() {
		if back := unix.Setns(s.home, unix.CLONE_NEWNS); back != nil {
			// A spawner in a cell's file system is of no use to anyone: the daemon starts another one.
			err = errors.Join(err, fmt.Errorf("leave the sandbox's mounts: %w", back), s.conn.Close())
		}
	}()
	for i, fd := range trees {
		if err := unix.MoveMount(fd, "", unix.AT_FDCWD, targets[i], unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("attach mount %s: %w", targets[i], err)
		}
	}
	if a.Limits.TmpMB == p.tmpMB {
		return nil
	}
	size := fmt.Sprintf("size=%dm,nr_inodes=%d", a.Limits.TmpMB, a.Limits.TmpMB*tmpInodesPerMB)
	if err := unix.Mount("", "/tmp", "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, size); err != nil {
		return fmt.Errorf("resize /tmp: %w", err)
	}
	return nil
}

// takeTree takes a folder of the host, restricted as every mount of a cell is.
func takeTree(m Mount) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, m.Source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, fmt.Errorf("take mount %s: %w", m.Source, err)
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("restrict mount %s: %w", m.Source, err)
	}
	return fd, nil
}
