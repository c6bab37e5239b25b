package sandbox

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/sandbox/program"
)

// landlockABI returns the version of Landlock in this kernel, or 0.
func landlockABI() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

const (
	landlockRead  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	landlockExec  = landlockRead | unix.LANDLOCK_ACCESS_FS_EXECUTE
	landlockWrite = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	landlockDevices = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// landlockRule allows access to what lies at path; the path is skipped when it does not exist.
type landlockRule struct {
	path   string
	access uint64
}

// landlockHandled returns what a rule set of this ABI controls: everything it knows of files, and no signals
// or abstract sockets to the outside.
func landlockHandled(abi int) (fs, scoped uint64) {
	fs = 1<<13 - 1
	if abi >= 2 {
		fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 5 {
		fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return fs, scoped
}

// addLandlock restricts the child to the rules. It must come after no_new_privs.
func addLandlock(p *program.Program, abi int, rules []landlockRule) {
	if abi == 0 {
		return
	}
	fs, scoped := landlockHandled(abi)
	attr := make([]byte, 24)
	binary.NativeEndian.PutUint64(attr, fs)
	binary.NativeEndian.PutUint64(attr[16:], scoped)
	size := 8
	switch {
	case abi >= 6:
		size = 24
	case abi >= 4:
		size = 16
	}
	set := p.Get("create the Landlock rule set", unix.SYS_LANDLOCK_CREATE_RULESET, p.Bytes(attr), program.Int(size), program.Int(0))
	for _, r := range rules {
		access := r.access & fs
		rule := make([]byte, 16)
		binary.NativeEndian.PutUint64(rule, access)
		at := p.Bytes(rule)
		fd := p.GetTry("open "+r.path+" for Landlock", unix.SYS_OPENAT, program.AtCwd(), p.String(r.path), program.Int(unix.O_PATH|unix.O_CLOEXEC), program.Int(0))
		p.Store(fd, program.Offset(at, 8))
		p.Try("allow "+r.path, unix.SYS_LANDLOCK_ADD_RULE, program.From(set), program.Int(unix.LANDLOCK_RULE_PATH_BENEATH), at, program.Int(0))
		p.Try("close "+r.path, unix.SYS_CLOSE, program.From(fd))
	}
	p.Call("apply Landlock", unix.SYS_LANDLOCK_RESTRICT_SELF, program.From(set), program.Int(0))
	p.Call("close the rule set", unix.SYS_CLOSE, program.From(set))
}
