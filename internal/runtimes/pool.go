package runtimes

import (
	"time"

	"lambent.dev/lambent/internal/lib/demand"
)

// The rules of pools.
const (
	maxPools     = 64
	poolLife     = time.Hour
	retryParking = 30 * time.Second
	// leastParked and mostParked bound the cells of a pool that is in use.
	leastParked, mostParked = 2, 32
	// reserve is for how many boots' time demand is covered.
	reserve = 4
	// guess is what a cell is taken to need before one has been measured, in bytes.
	guess = 16 << 20
)

// pool holds the parked cells of one kind. The launcher's mutex guards it.
type pool struct {
	kind  kind
	like  Spec // what cells are started with
	cells []*parkedCell
	asked demand.Average
	asks  int // how often
	took  time.Duration
	bytes int64     // of the cell parked last
	retry time.Time // not to be filled before, after a failure
}

// ownAfter is after how many starts cells are kept for one function alone.
const ownAfter = 2

// target is how many cells should be parked.
func (p *pool) target(now time.Time) int {
	if p.kind.own != "" {
		if p.asks < ownAfter {
			return 0
		}
		return min(max(p.asked.During(reserve*p.took, now), 1), mostParked)
	}
	return min(leastParked+p.asked.During(reserve*p.took, now), mostParked)
}

// booted notes what a boot took.
func (p *pool) booted(took time.Duration, bytes int64) {
	if p.took > 0 {
		took = (3*p.took + took) / 4
	}
	p.took, p.bytes = took, bytes
}

// size is what another cell is expected to need, in bytes.
func (p *pool) size() int64 {
	if p.bytes == 0 {
		return guess
	}
	return p.bytes
}

// prune forgets cells that have ended.
func (p *pool) prune() {
	live := p.cells[:0]
	for _, c := range p.cells {
		if c.alive() {
			live = append(live, c)
		}
	}
	clear(p.cells[len(live):])
	p.cells = live
}
