package server

import (
	"strings"
	"testing"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/record"
)

func TestADataFolderOfAnotherFormatIsRefused(t *testing.T) {
	for name, rows := range map[string]struct {
		format  int // 0 for no row
		other   bool
		refusal string
	}{
		"empty":           {},
		"ours":            {format: dataFormat, other: true},
		"newer":           {format: dataFormat + 1, other: true, refusal: "a newer Lambent"},
		"newer and empty": {format: dataFormat + 1, refusal: "a newer Lambent"},
		"without number":  {other: true, refusal: "an older Lambent"},
	} {
		t.Run(name, func(t *testing.T) {
			kv := mem.New()
			defer kv.Close()
			if err := kv.Update(t.Context(), func(tx store.Txn) error {
				if rows.other {
					tx.Set([]byte("row"), []byte("value"))
				}
				if rows.format == 0 {
					return nil
				}
				return record.Set(tx, formatKey(), format{Number: rows.format})
			}); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a refusal stays one, and an empty folder is ours from then on
				err := checkFormat(t.Context(), kv, "folder")
				if (err == nil) != (rows.refusal == "") || err != nil && !strings.Contains(err.Error(), rows.refusal) {
					t.Fatalf("got %v, want a refusal with %q", err, rows.refusal)
				}
			}
		})
	}
}
