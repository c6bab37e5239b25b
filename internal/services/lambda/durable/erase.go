package durable

import (
	"context"
	"errors"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// erase deletes the rows of an execution, and returns the blobs that nobody holds any more.
func (e *Engine) erase(ctx context.Context, x *execution) (garbage []blob.ID, err error) {
	err = e.deps.Store.Update(ctx, func(tx store.Txn) error {
		garbage = nil
		for p, err := range tx.Range(x.blobsKey().Span()) {
			if err != nil {
				return err
			}
			id := blob.ID(key.Decode(p.Key).Skip(x.blobsKey()).Str())
			tx.Delete(x.holderKey(id))
			if held, err := isHeld(tx, id); err != nil {
				return err
			} else if !held {
				garbage = append(garbage, id)
			}
		}
		name, err := tx.Get(x.nameKey())
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if string(name) == x.ARN() {
			tx.Delete(x.nameKey())
		}
		tx.Delete(x.listedKey(x.Start))
		tx.Delete(x.executionKey())
		for _, k := range []key.Key{x.operationsKey(), x.indexKey(), x.historyKey(), x.dueKey(), x.blobsKey()} {
			tx.DeleteRange(k, k.End())
		}
		return nil
	})
	return garbage, err
}
