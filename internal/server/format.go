package server

import (
	"context"
	"fmt"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// dataFormat is the number of the format of what the store holds. A change after which this program reads rows wrongly that were written before raises it, and says in
// docs/upgrading.md what becomes of older data folders.
const dataFormat = 1

// format is the row that tells in which format a data folder is. It is in the store, so that backups have it.
type format struct {
	Number int `json:"number"`
}

func formatKey() []byte { return key.New("server", "", "", "format") }

// checkFormat refuses a data folder that this program does not read, before anything else is read from it, and marks an empty one as its own.
func checkFormat(ctx context.Context, kv store.Store, dir string) error {
	return kv.Update(ctx, func(tx store.Txn) error {
		found, known, err := record.Get[format](tx, formatKey())
		switch {
		case err != nil:
			return fmt.Errorf("open the data folder %s: %w", dir, err)
		case known && found.Number == dataFormat:
			return nil
		case known && found.Number > dataFormat:
			return fmt.Errorf("the data folder %s was written by a newer Lambent (format %d, this one reads %d): start that version again, or give data-dir another folder", dir, found.Number, dataFormat)
		}
		for _, err := range tx.Range(store.Span{Limit: 1}) {
			if err != nil {
				return err
			}
			return fmt.Errorf("the data folder %s was written by an older Lambent (format %d, this one reads %d). Nothing was changed: start that version again to get out what you need, or give data-dir another folder (docs/upgrading.md)", dir, found.Number, dataFormat)
		}
		return record.Set(tx, formatKey(), format{Number: dataFormat})
	})
}
