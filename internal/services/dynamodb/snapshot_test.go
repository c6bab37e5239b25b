package dynamodb

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"lambent.dev/lambent/internal/store"
)

// dump returns the items of a table by their keys.
func (h *harness) dump(t *testing.T, table string) (items []string) {
	t.Helper()
	err := h.impl.store.View(h.ctx, func(r store.Reader) error {
		tb, err := h.impl.itemTable(r, placeOf(h.ctx), table)
		if err != nil {
			return err
		}
		for pair, err := range r.Range(tb.items.Span()) {
			if err != nil {
				return err
			}
			items = append(items, string(pair.Value))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(items)
	return items
}

// Every item of a backup is as it was when the backup began, whatever is written while it is made.
func TestBackupsAreOfOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.must(t, "CreateTable", `{"TableName":"many","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"N"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`)
		put := func(i, v int) {
			h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"many","Item":{"pk":{"N":"%d"},"v":{"N":"%d"}}}`, i, v))
		}
		for i := range 1500 {
			put(i, 0)
		}
		want := h.dump(t, "many")
		out := h.must(t, "CreateBackup", `{"TableName":"many","BackupName":"all"}`)
		arn := lookup(t, out, "BackupDetails.BackupArn")
		for i := range 3000 { // the job runs beside
			switch i % 3 {
			case 0:
				put(i/2, 1)
			case 1:
				put(3000+i, 1)
			default:
				h.must(t, "DeleteItem", fmt.Sprintf(`{"TableName":"many","Key":{"pk":{"N":"%d"}}}`, 1500-i/2))
			}
		}
		synctest.Wait()
		if got := h.must(t, "DescribeBackup", `{"BackupArn":"`+arn+`"}`); !strings.Contains(got, `"AVAILABLE"`) || !strings.Contains(got, `"ItemCount":1500`) {
			t.Fatalf("the backup is %s", got)
		}
		h.must(t, "RestoreTableFromBackup", `{"BackupArn":"`+arn+`","TargetTableName":"restored"}`)
		synctest.Wait()
		if got := h.dump(t, "restored"); !slices.Equal(got, want) {
			t.Errorf("%d items were restored, want %d as they were", len(got), len(want))
		}
	})
}

func FuzzUndoRow(f *testing.F) {
	f.Add(undoRow{part: []byte("part"), old: decode(f, `{"pk":{"S":"a"}}`)}.encode())
	f.Add(undoRow{mark: "id"}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := decodeUndo(b)
		if err != nil {
			return
		}
		if again, err := decodeUndo(u.encode()); err != nil || !slices.Equal(again.part, u.part) || again.mark != u.mark || string(again.old) != string(u.old) || !again.at.Equal(u.at) {
			t.Errorf("row %x reads as %+v and then as %+v, %v", b, u, again, err)
		}
	})
}
