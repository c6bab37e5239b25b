package runtimes

import (
	"math"
	"time"
)

// The rules of pools.
const (
	maxPools     = 64
	poolLife     = time.Hour
	retryParking = 30 * time.Second
	// leastParked and mostParked bound the cells of a pool that is in use.
	leastParked, mostParked = 2, 32
	// demandMemory is the time over which demand is averaged.
	demandMemory = time.Minute
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
	last  time.Time // of demand
	rate  float64   // demand per second, averaged
	took  time.Duration
	bytes int64     // of the cell parked last
	retry time.Time // not to be filled before, after a failure
}

// demanded counts one start.
func (p *pool) demanded(now time.Time) {
	p.rate = p.rateAt(now) + 1/demandMemory.Seconds()
	p.last = now
}

// rateAt is the average of demand, an exponentially weighted one, which falls while nothing is asked for.
func (p *pool) rateAt(now time.Time) float64 {
	return p.rate * math.Exp(-now.Sub(p.last).Seconds()/demandMemory.Seconds())
}

// target is how many cells should be parked.
func (p *pool) target(now time.Time) int {
	covered := p.rateAt(now) * p.took.Seconds() * reserve
	return min(leastParked+int(math.Ceil(covered)), mostParked)
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
