package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
)

const (
	// roomAge and roomBytes are how long and for how many written bytes a measurement of the room is trusted.
	roomAge   = time.Second
	roomBytes = 4 << 20
	// lastPart of the ballast is room for updates that make room, when nothing else is left.
	lastPart = 4
)

// room keeps enough of the disk free for what has been accepted.
type room struct {
	fs      vfs.FS
	dir     string
	clk     clock.Clock
	log     *slog.Logger
	reserve uint64
	ballast uint64

	mu       sync.Mutex // guards the fields below
	measured time.Time
	avail    uint64
	spent    uint64 // bytes written since measured
	known    bool   // the file system tells its room
	spare    bool   // the ballast file is there
	full     bool   // the disk was found full since the ballast was last made
}

func newRoom(o Options, dir string) *room {
	r := &room{fs: o.FS, dir: dir, clk: o.Clock, log: o.Log, reserve: o.Reserve, ballast: min(o.Reserve/4, 16<<20)}
	r.measure()
	r.makeBallast()
	return r
}

// measure asks the file system. r.mu is held or r is not shared yet.
func (r *room) measure() {
	u, err := r.fs.GetDiskUsage(r.dir)
	r.known = err == nil && u.TotalBytes > 0
	r.avail, r.spent, r.measured = u.AvailBytes, 0, r.clk.Now()
}

// makeBallast takes room for the ballast file when there is enough. r.mu is held or r is not shared yet.
func (r *room) makeBallast() {
	if !r.known || r.avail < r.reserve+r.ballast {
		return
	}
	name := r.fs.PathJoin(r.dir, ballastFile)
	f, err := r.fs.Create(name, writeCategory)
	if err != nil {
		return
	}
	if err := errors.Join(f.Preallocate(0, int64(r.ballast)), f.Close()); err != nil {
		_ = r.fs.Remove(name)
		return
	}
	r.spare, r.full = true, false
}

// admit returns store.ErrFull when a batch of n bytes must not be accepted. One that makes room may use half of the reserve, and when that is not there,
// a part of what the ballast leaves.
func (r *room) admit(n int, makesRoom bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spent > roomBytes || r.clk.Now().Sub(r.measured) > roomAge {
		r.measure()
		if r.full || !r.spare {
			r.makeBallast()
		}
	}
	if !r.known {
		return nil
	}
	keep, refused := r.reserve, r.full
	if makesRoom {
		keep, refused = r.reserve/2, false
		if r.avail < keep+r.spent+uint64(n) {
			keep = r.lastRoom()
		}
	}
	if refused || r.avail < keep+r.spent+uint64(n) {
		return fmt.Errorf("%w: %s has %d MiB left and %d MiB are kept in reserve; free some room",
			store.ErrFull, r.dir, r.avail>>20, keep>>20)
	}
	return nil
}

// lastRoom gives up the ballast, and returns how much of it must stay for flushes of what is taken into the rest. r.mu is held.
func (r *room) lastRoom() uint64 {
	if r.spare {
		r.giveUp()
		r.measure()
	}
	return r.ballast - r.ballast/lastPart
}

// wrote counts n bytes that went to the log.
func (r *room) wrote(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spent += uint64(n)
}

// diskFull gives up the ballast, so that a write that met a full disk can be repeated, and reports whether there was one.
func (r *room) diskFull() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.full = true
	if !r.spare {
		return false
	}
	r.giveUp()
	return true
}

// giveUp removes the ballast, until there is room for a new one. r.mu is held.
func (r *room) giveUp() {
	r.spare, r.full = false, true
	if err := r.fs.Remove(r.fs.PathJoin(r.dir, ballastFile)); err != nil && !isNotExist(err) {
		r.log.Error("cannot remove ballast", slog.String("error", err.Error()))
		return
	}
	r.log.Warn("disk full, ballast given up", slog.String("dir", r.dir))
}
