package events

import (
	"context"
	"errors"
	"log/slog"

	"lambent.dev/lambent/internal/store"
)

// settle writes the outcome of a job: it is removed, or put off to its next try.
func (r *runner) settle(ctx context.Context, tx store.Txn, t task, cause error) error {
	if _, err := tx.Get(t.row); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil // cancelled or replaced meanwhile
		}
		return err
	}
	j := t.job
	if cause == nil {
		return r.remove(tx, t)
	}
	var d *done
	if errors.As(cause, &d) {
		if err := d.write(ctx, tx); err != nil {
			return err
		}
		return r.remove(tx, t)
	}
	if r.usedUp(j, cause) {
		r.q.log.WarnContext(ctx, "job given up", slog.String("kind", j.Kind), slog.String("id", j.ID),
			slog.Int("attempts", j.Attempt), slog.String("error", cause.Error()))
		if r.kind.Exhausted != nil {
			if err := r.kind.Exhausted(ctx, tx, j, cause); err != nil {
				return err
			}
		}
		return r.remove(tx, t)
	}
	return r.putOff(tx, t)
}

func (r *runner) usedUp(j Job, cause error) bool {
	return isPermanent(cause) ||
		r.kind.MaxAttempts > 0 && j.Attempt >= r.kind.MaxAttempts ||
		r.kind.MaxAge > 0 && r.q.clk.Now().Sub(j.Enqueued) >= r.kind.MaxAge
}

// remove deletes the rows of a job, and lets its group go on.
func (r *runner) remove(tx store.Txn, t task) error {
	tx.Delete(t.row)
	if t.job.Name != "" {
		tx.Delete(r.nameRow(t))
	}
	if t.job.Group == "" {
		return nil
	}
	if err := r.keys.clearHead(tx, t.job.Group); err != nil {
		return err
	}
	span := r.keys.group(t.job.Group).Span()
	span.Limit = 1
	for p, err := range tx.Range(span) {
		if err != nil {
			return err
		}
		next, err := decode(r.kind.Name, stampOf(p.Key), p.Value)
		if err != nil {
			return err
		}
		r.keys.setHead(tx, t.job.Group, next.NotBefore)
	}
	return nil
}

// putOff moves a job to the time of its next try.
func (r *runner) putOff(tx store.Txn, t task) error {
	j := t.job
	j.NotBefore = r.q.clk.Now().Add(r.kind.Backoff(j.Attempt))
	if j.Group != "" {
		tx.Set(t.row, encode(j))
		if err := r.keys.clearHead(tx, j.Group); err != nil {
			return err
		}
		r.keys.setHead(tx, j.Group, j.NotBefore)
		return nil
	}
	tx.Delete(t.row)
	tx.Set(r.keys.place(j.NotBefore).Raw(stampOf(t.row)), encode(j))
	if j.Name != "" {
		tx.Set(r.nameRow(t), encodeTime(j.NotBefore))
	}
	return nil
}

// nameRow returns the key of the row that finds a named job.
func (r *runner) nameRow(t task) []byte {
	return r.keys.name(t.job.Name).Raw(nameStamp(stampOf(t.row)))
}
