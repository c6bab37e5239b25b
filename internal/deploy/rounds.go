package deploy

import (
	"context"
	"errors"
	"sync"
)

// errHeld tells that a resource cannot be deleted yet, because something else needs it.
var errHeld = errors.Join(errStep, errors.New("held"))

// deletions is what came of the deletions of a round.
type deletions struct {
	mu sync.Mutex // guards the fields below
	// last makes a refusal final.
	last bool
	// done and refused tell whether anything was deleted, and whether anything is to be tried again.
	done, refused bool
	// held are the resources that were refused in any round, by logical and physical id.
	held map[[2]string]bool
}

// begin starts a round with nothing done and nothing refused yet.
func (d *deletions) begin(last bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last, d.done, d.refused = last, false, false
	if d.held == nil {
		d.held = map[[2]string]bool{}
	}
}

func (d *deletions) succeeded() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = true
}

// hold notes a refusal; false means that it is final.
func (d *deletions) hold(e Event) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last {
		return false
	}
	d.held[[2]string{e.LogicalID, e.PhysicalID}], d.refused = true, true
	return true
}

// isHeld tells whether an earlier round was refused the resource, which has its event then.
func (d *deletions) isHeld(e Event) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held[[2]string{e.LogicalID, e.PhysicalID}]
}

// outcome tells whether the round deleted anything, and whether it refused anything.
func (d *deletions) outcome() (done, refused bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done, d.refused
}

// rounds calls remove for rows, and rows with garbage, dependents first. A template need not say of everything that one resource needs another: a route names a model by its name. What is
// refused for such a reason is tried again after the others, for as long as a round deletes anything, and then once more with the refusal as its outcome. Every round but the last two
// deletes something, so that there are at most two more of them than resources. A run that is resumed begins with the rows that are left.
func (r *Run) rounds(ctx context.Context, rows map[string]bool, remove func(ctx context.Context, id string) error) error {
	last := false
	for {
		r.deletions.begin(last)
		err := parallel(ctx, r.order(rows, true), true, remove)
		done, refused := r.deletions.outcome()
		if !refused || err != nil && !errors.Is(err, errStep) {
			return err
		}
		last = !done
	}
}
