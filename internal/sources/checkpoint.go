package sources

import (
	"context"
	"encoding/json"
	"time"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// checkpoint is how far a shard has been dealt with.
type checkpoint struct {
	// After is the sequence number of the last record before the first that has not been dealt with; empty before the first.
	After string `json:",omitempty"`
	// Done tells that the shard has ended and everything in it has been dealt with.
	Done bool `json:",omitempty"`
	// Skip tells that the shard had ended before the mapping's starting position.
	Skip bool `json:",omitempty"`
	// Window is the state of the tumbling window that is open, if there is one.
	Window *windowState `json:",omitempty"`
}

// windowState is an open tumbling window.
type windowState struct {
	Start time.Time
	State json.RawMessage `json:",omitempty"`
}

func checkpoints(uuid string) key.Key { return key.New("sources.checkpoint").Str(uuid) }

// Forget removes the checkpoints of a mapping.
func Forget(tx store.Txn, uuid string) {
	all := checkpoints(uuid)
	tx.DeleteRange(all, all.End())
}

// checkpoints returns those of the mapping, by shard.
func (w *Worker) checkpoints(ctx context.Context) (map[string]checkpoint, error) {
	out := map[string]checkpoint{}
	all := checkpoints(w.UUID)
	err := w.Store.View(ctx, func(rd store.Reader) error {
		clear(out)
		for row, err := range record.Range[checkpoint](rd, all.Span()) {
			if err != nil {
				return err
			}
			out[key.Decode(row.Key).Skip(all).Str()] = row.Value
		}
		return nil
	})
	return out, err
}

// save writes a shard's checkpoint together with what the batches behind it have left to tell.
func (w *Worker) save(ctx context.Context, shard string, c checkpoint, failed []*Failure) error {
	return w.Store.Update(ctx, func(tx store.Txn) error {
		for _, f := range failed {
			if err := w.Failed(ctx, tx, f); err != nil {
				return err
			}
		}
		return record.Set(tx, checkpoints(w.UUID).Str(shard), c)
	})
}
