package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/sandbox/program"
)

// spawnerName is the spawner's argv[0], by which it is recognised and listed.
const spawnerName = "lambent-spawner"

// spawnerFD is the spawner's end of the connection to the daemon.
const spawnerFD = 3

// MaybeChild takes the process over when it has been started as a spawner, and does not return then. Programs that use
// this package, test binaries included, call it before anything else.
func MaybeChild() {
	if len(os.Args) == 0 || os.Args[0] != spawnerName {
		return
	}
	if err := runSpawner(); err != nil {
		fmt.Fprintln(os.Stderr, spawnerName+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// spawner is the process that clones.
type spawner struct {
	conn *net.UnixConn
	env  *spawnEnv
	null int
	// born wakes what looks after cells when there is one.
	born chan struct{}
	// home is the spawner's own mount namespace, to come back to; -1 when it cannot leave it.
	home int

	mu    sync.Mutex // guards the fields below, and is held over a clone and its announcement
	cells map[uint64]*spawned
	slots uint32 // counts up to give each cell a uid of its own
}

// spawned is a live cell as its spawner knows it.
type spawned struct {
	id    uint64
	pid   int
	group *cellCgroup
	tmp   string
	watch *memoryWatch
	share share
	// overMemory tells that the watch has ended the cell.
	overMemory bool
	// parked is what a cell needs for its assignment; nil for others and after it.
	parked *parked
}

func runSpawner() error {
	debug.SetGCPercent(50)
	runtime.LockOSThread()
	conn, err := unixConn(spawnerFD)
	if err != nil {
		return err
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/null: %w", err)
	}
	env, err := newSpawnEnv()
	if err != nil {
		return err
	}
	s := &spawner{conn: conn, env: env, null: null, born: make(chan struct{}, 1), home: -1, cells: map[uint64]*spawned{}}
	if env.root {
		// Where a container's filter refuses this, cells cannot be parked, and there are no namespaces to enter either.
		if s.home, err = freeToMove(); err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
			return err
		}
	}
	// Processes that outlive their cell's init in process mode come to the spawner, which ends them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGCHLD)
	go func() {
		for range signals {
			s.reap()
		}
	}()
	go s.balance()
	greeting := env.hello()
	greeting.Moves = s.home >= 0
	if err := sendMessage(conn, event{Kind: evHello, Hello: greeting}); err != nil {
		return err
	}
	return s.serve()
}

// serve handles requests until the daemon is gone, then ends every cell.
func (s *spawner) serve() error {
	buf := make([]byte, maxMessage)
	var failure error
	for {
		n, fds, err := receive(s.conn, buf)
		if err != nil {
			break // io.EOF, or a connection that is of no more use
		}
		var r request
		if err := json.Unmarshal(buf[:n], &r); err != nil {
			closeAll(fds)
			failure = fmt.Errorf("decode request: %w", err)
			break
		}
		s.handle(r, fds)
		closeAll(fds)
	}
	s.killAll()
	s.env.cgroups.close()
	return failure
}

func (s *spawner) handle(r request, fds []int) {
	switch r.Op {
	case opSpawn:
		if err := s.spawn(r.ID, r.Spec, fds); err != nil {
			_ = sendMessage(s.conn, event{Kind: evFailed, ID: r.ID, Error: err.Error()})
		}
	case opAssign:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.assignLocked(r.ID, r.Assign)
	case opKill:
		s.mu.Lock()
		defer s.mu.Unlock()
		if c := s.cells[r.ID]; c != nil {
			c.kill()
		}
	case opSignal:
		s.mu.Lock()
		defer s.mu.Unlock()
		if c := s.cells[r.ID]; c != nil {
			_ = unix.Kill(c.pid, unix.Signal(r.Signal))
		}
	}
}

func (c *spawned) kill() {
	if !c.group.kill() {
		_ = unix.Kill(c.pid, unix.SIGKILL)
	}
}

// spawn clones a cell and announces it.
func (s *spawner) spawn(id uint64, spec *cellSpec, fds []int) error {
	want := 3
	if spec.Socket {
		want++
	}
	if len(fds) != want {
		return fmt.Errorf("spawn request carries %d descriptors, want %d", len(fds), want)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &spawned{id: id, share: share{limits: spec.Limits, at: monotonic()}}
	group, err := s.env.cgroups.create(strconv.FormatUint(id, 10), spec.Limits)
	if err != nil {
		return err
	}
	c.group = group
	gate, err := s.clone(c, spec, fds)
	if err != nil {
		group.remove()
		_ = removeTmp(c.tmp)
		c.parked.close()
		return err
	}
	defer func() { _ = unix.Close(gate) }()
	s.cells[id] = c
	s.yieldLocked(c, spec.Parked || spec.Limits.Yields) // what is made ahead of need takes no time from what is needed
	select {
	case s.born <- struct{}{}:
	default:
	}
	if c.parked == nil {
		if err := s.watchMemory(c, spec.Limits); err != nil {
			c.kill()
			return err
		}
	}
	peak, _ := group.memoryFiles()
	if err := sendMessage(s.conn, event{Kind: evSpawned, ID: id, PID: c.pid, PeakFile: peak, FreezeFile: group.freezeFile()}); err != nil {
		return err
	}
	// Only now does the daemon know the cell, and can end it should this process be killed.
	if _, err := unix.Write(gate, []byte{1}); err != nil {
		return fmt.Errorf("open the gate: %w", err)
	}
	return nil
}

// watchMemory holds a cell to its memory.
func (s *spawner) watchMemory(c *spawned, l Limits) error {
	var err error
	if c.watch, err = s.env.cgroups.newMemoryWatch(c.group); err != nil {
		return err
	}
	if c.watch != nil {
		go c.watch.run(int64(l.MemoryMB)<<20, func() { s.endForMemory(c) })
	}
	return nil
}

func removeTmp(dir string) error {
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}

// clone builds the program of the cell, starts it and gives it its identity.
func (s *spawner) clone(c *spawned, spec *cellSpec, fds []int) (open int, err error) {
	var gate [2]int
	if err := unix.Pipe2(gate[:], unix.O_CLOEXEC); err != nil {
		return -1, fmt.Errorf("make pipe: %w", err)
	}
	defer func() {
		_ = unix.Close(gate[0])
		if err != nil {
			_ = unix.Close(gate[1]) // which ends a child that waits
		}
	}()
	// The payload's descriptors become 0 to 3: the sources must lie above.
	high := make([]int, 0, len(fds)+2)
	defer func() { closeAll(high) }()
	for _, fd := range append([]int{gate[0], s.null}, fds...) {
		h, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 16)
		if err != nil {
			return -1, fmt.Errorf("move descriptor: %w", err)
		}
		high = append(high, h)
	}
	cell := cellFDs{gate: gate[1], sync: high[0], stdin: high[1], status: high[2], stdout: high[3], stderr: high[4], socket: -1}
	if spec.Socket {
		cell.socket = high[5]
	}
	uid := s.nextUID()
	if !spec.Namespaces {
		tmp, err := os.MkdirTemp("", "lambent-cell-*")
		if err != nil {
			return -1, fmt.Errorf("make temporary folder: %w", err)
		}
		c.tmp = tmp
		spec.onHost(tmp)
	} else if spec.Runsc != "" {
		if c.tmp, err = os.MkdirTemp("", "lambent-cell-*"); err != nil {
			return -1, fmt.Errorf("make temporary folder: %w", err)
		}
	}
	b := &builder{Program: program.New(cell.status), env: s.env, spec: spec, fds: cell, group: c.group, uid: uid}
	defer func() { closeAll(b.opened) }()
	if spec.Parked {
		c.parked = &parked{mounts: -1, hold: -1, tmpMB: spec.Limits.TmpMB}
		if err := c.parked.prepare(b); err != nil {
			return -1, err
		}
	}
	if err := b.build(c.tmp); err != nil {
		return -1, err
	}
	flags, cgroup, err := c.flags(spec)
	if err != nil {
		return -1, err
	}
	if cgroup >= 0 {
		defer func() { _ = unix.Close(cgroup) }()
	}
	if c.pid, err = b.Start(flags, cgroup); err != nil {
		return -1, err
	}
	if c.parked != nil {
		if c.parked.mounts, err = unix.Open(fmt.Sprintf("/proc/%d/ns/mnt", c.pid), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return -1, fmt.Errorf("open the cell's mount namespace: %w", err)
		}
	}
	if spec.Users {
		if err := s.mapUser(c.pid, uid); err != nil {
			return -1, err
		}
	}
	return gate[1], nil
}

func (c *spawned) flags(spec *cellSpec) (uint64, int, error) {
	var flags uint64
	if spec.Namespaces {
		flags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	}
	if spec.Users {
		flags |= unix.CLONE_NEWUSER
	}
	if c.group.v2 == "" {
		return flags, -1, nil
	}
	fd, err := unix.Open(c.group.v2, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, -1, fmt.Errorf("open cgroup: %w", err)
	}
	return flags | unix.CLONE_INTO_CGROUP, fd, nil
}

// nextUID gives every cell a uid of its own when the spawner may choose: neither signals nor files nor counted limits of two
// cells ever meet.
func (s *spawner) nextUID() int {
	if !s.env.root {
		return os.Geteuid()
	}
	s.slots++
	return s.env.uidBase + int(s.slots%uidCount)
}

// endForMemory ends a cell that has used up its memory.
func (s *spawner) endForMemory(c *spawned) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cells[c.id] == c {
		c.overMemory = true
		c.kill()
	}
}

// mapUser gives the cell's one user its identity outside. Without privileges that can only be the caller's own, and the kernel asks for
// setgroups to be denied first, see user_namespaces(7).
func (s *spawner) mapUser(pid, uid int) error {
	gid := uid
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if !s.env.root {
		gid = os.Getegid()
		if err := os.WriteFile(filepath.Join(proc, "setgroups"), []byte("deny"), 0); err != nil {
			return fmt.Errorf("deny setgroups: %w", err)
		}
	}
	for file, line := range map[string]string{"uid_map": fmt.Sprintf("%d %d 1", UID, uid), "gid_map": fmt.Sprintf("%d %d 1", GID, gid)} {
		if err := os.WriteFile(filepath.Join(proc, file), []byte(line), 0); err != nil {
			return fmt.Errorf("write %s: %w", file, err)
		}
	}
	return nil
}

// reap collects the dead and tells the daemon about cells that ended.
func (s *spawner) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for _, c := range s.cells {
			if c.pid == pid {
				s.endLocked(c)
				break
			}
		}
	}
}

// endLocked finishes a cell whose init has been reaped. s.mu is held.
func (s *spawner) endLocked(c *spawned) {
	delete(s.cells, c.id)
	c.watch.close()
	c.parked.close()
	if c.tmp != "" {
		c.group.kill()
		s.killOrphansLocked()
	}
	e := event{Kind: evReaped, ID: c.id}
	peak, oom := c.group.memoryFiles()
	e.PeakBytes, _ = readNumber(peak, "")
	kills, _ := readNumber(oom, "oom_kill")
	e.OOMKills = int(kills)
	if c.overMemory {
		e.OOMKills++
	}
	for range 64 { // a cgroup can stay busy for a moment after its last process is gone
		if c.group.remove() {
			break
		}
		unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) //nolint:errcheck // it cannot fail
	}
	_ = removeTmp(c.tmp)
	_ = sendMessage(s.conn, e)
}

// killOrphansLocked ends the spawner's children that are not the init of a cell: processes that left theirs. s.mu is held.
func (s *spawner) killOrphansLocked() {
	known := map[int]bool{}
	for _, c := range s.cells {
		known[c.pid] = true
	}
	for range 1024 {
		orphans := 0
		files, _ := filepath.Glob("/proc/self/task/*/children")
		for _, file := range files {
			data, _ := os.ReadFile(file)
			for _, f := range strings.Fields(string(data)) {
				if pid, err := strconv.Atoi(f); err == nil && !known[pid] {
					orphans++
					_ = unix.Kill(pid, unix.SIGKILL)
					_, _ = unix.Wait4(pid, nil, 0, nil)
				}
			}
		}
		if orphans == 0 {
			return
		}
	}
}

// killAll ends every cell and waits for the last one.
func (s *spawner) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cells {
		c.kill()
	}
	for _, c := range s.cells {
		_, _ = unix.Wait4(c.pid, nil, 0, nil)
		s.endLocked(c)
	}
}

// readNumber reads a file that holds one number, or the number behind a key. Unreadable files count as 0.
func readNumber(file, key string) (int64, bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if key == "" && len(f) == 1 || len(f) == 2 && f[0] == key {
			n, err := strconv.ParseInt(f[len(f)-1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
