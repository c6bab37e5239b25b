package server

import (
	"context"
	"log/slog"
	"sync"

	"lambent.dev/lambent/internal/blob"
)

// maxHeld is how many deletions are remembered while bodies are held; the sweep finds the rest.
const maxHeld = 1 << 20

// heldBodies is a store of bodies in which nothing is deleted for a while.
type heldBodies struct {
	blob.Store

	log *slog.Logger

	mu      sync.Mutex // guards the fields below
	held    bool
	waiting []blob.ID
}

// Delete implements blob.Store. While bodies are held it is put off; a crash leaves it to the sweep.
func (h *heldBodies) Delete(ctx context.Context, id blob.ID) error {
	h.mu.Lock()
	if h.held {
		if len(h.waiting) < maxHeld {
			h.waiting = append(h.waiting, id)
		}
		h.mu.Unlock()
		return nil
	}
	h.mu.Unlock()
	return h.Store.Delete(ctx, id)
}

// Sweep implements blob.Store. While bodies are held it deletes nothing.
func (h *heldBodies) Sweep(ctx context.Context, live func(blob.ID) (bool, error)) error {
	return h.Store.Sweep(ctx, func(id blob.ID) (bool, error) {
		h.mu.Lock()
		held := h.held
		h.mu.Unlock()
		if held {
			return true, nil
		}
		return live(id)
	})
}

func (h *heldBodies) hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = true
}

// release ends what hold began, and makes up for the deletions.
func (h *heldBodies) release(ctx context.Context) {
	h.mu.Lock()
	waiting := h.waiting
	h.held, h.waiting = false, nil
	h.mu.Unlock()
	for _, id := range waiting {
		if err := h.Store.Delete(ctx, id); err != nil {
			h.log.WarnContext(ctx, "body stays until the next sweep", slog.String("blob", string(id)), slog.Any("error", err))
		}
	}
}
