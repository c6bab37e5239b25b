package dynamodb

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	streams "lambent.dev/lambent/internal/awsapi/dynamodbstreams"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
)

// onFS is a harness whose store lies on fs.
func onFS(t *testing.T, fs vfs.FS) *harness {
	t.Helper()
	now := newClock()
	st, err := pebble.Open("db", pebble.Options{FS: fs, Clock: now})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	return harnessOn(t, st, now)
}

const ledger = `{"TableName":"accounts","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"n","AttributeType":"N"},{"AttributeName":"kind","AttributeType":"S"}],` +
	`"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"},` +
	`"GlobalSecondaryIndexes":[{"IndexName":"byBalance","KeySchema":[{"AttributeName":"kind","KeyType":"HASH"},{"AttributeName":"n","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]}`

// balances are what the two items of a writer say, -1 for one that is not there.
type balances struct{ a, b int }

// ledgerStep is a write and what is there after it.
type ledgerStep struct {
	operation, input string
	after            balances
}

// ledgerSteps returns what a writer does with its two items: puts, updates, deletions, and transactions on both.
func ledgerSteps(writer, n int) []ledgerStep {
	rnd := rand.New(rand.NewPCG(uint64(writer), 7))
	at := balances{-1, -1}
	var steps []ledgerStep
	for i := range n {
		s := ledgerStep{}
		switch rnd.IntN(4) {
		case 0:
			s.operation, s.input = "PutItem", fmt.Sprintf(`{"TableName":"accounts","Item":{"id":{"S":"a-%d"},"kind":{"S":"x"},"n":{"N":"%d"}}}`, writer, i)
			at.a = i
		case 1:
			s.operation, s.input = "UpdateItem", ledgerUpdate("a", writer, i)
			at.a = i
		case 2:
			s.operation, s.input = "DeleteItem", fmt.Sprintf(`{"TableName":"accounts","Key":{"id":{"S":"a-%d"}}}`, writer)
			at.a = -1
		default:
			s.operation, s.input = "TransactWriteItems", `{"TransactItems":[{"Update":`+ledgerUpdate("a", writer, i)+`},{"Update":`+ledgerUpdate("b", writer, i)+`}]}`
			at = balances{i, i}
		}
		s.after = at
		steps = append(steps, s)
	}
	return steps
}

func ledgerUpdate(item string, writer, n int) string {
	return fmt.Sprintf(`{"TableName":"accounts","Key":{"id":{"S":"%s-%d"}},"UpdateExpression":"SET n = :n, kind = :k","ExpressionAttributeValues":{":n":{"N":"%d"},":k":{"S":"x"}}}`, item, writer, n)
}

// progress is how far a writer got.
type progress struct {
	mu             sync.Mutex // guards the fields below
	started, acked int
}

func (p *progress) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started++
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked++
}

func (p *progress) state() (started, acked int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started, p.acked
}

// TestPowerLossKeepsWhatWasAcknowledged takes copies of the file system as a power loss would leave it while items are written, and checks on each:
// acknowledged writes are there, others as a whole or not at all, indexes agree with their table, and the stream tells exactly how the table came about.
func TestPowerLossKeepsWhatWasAcknowledged(t *testing.T) {
	fs := vfs.NewCrashableMem()
	h := onFS(t, fs)
	h.must(t, "CreateTable", ledger)
	const writers, steps, burst = 4, 120, 8
	all := make([][]ledgerStep, writers)
	made := make([]progress, writers)
	turns := make(chan struct{}, writers*burst)
	var wg sync.WaitGroup
	for w := range writers {
		all[w] = ledgerSteps(w, steps)
		wg.Go(func() {
			for _, s := range all[w] {
				<-turns
				made[w].begin()
				if _, err := h.call(s.operation, s.input); err != nil {
					t.Errorf("%s %s: %v", s.operation, s.input, err)
				}
				made[w].end()
			}
		})
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for loss := range steps / burst {
		for range writers * burst {
			turns <- struct{}{} // a burst of writes is in flight while the power fails
		}
		var acked, started [writers]int
		for w := range writers {
			_, acked[w] = made[w].state()
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
		for w := range writers {
			started[w], _ = made[w].state()
		}
		t.Run(fmt.Sprintf("loss-%d", loss), func(t *testing.T) {
			after := onFS(t, clone)
			items := after.allItems(t)
			for w := range writers {
				checkSurvivor(t, items, w, all[w], acked[w], started[w])
			}
			after.checkIndexes(t, "accounts")
			after.checkReplay(t, items)
		})
	}
	close(turns)
	wg.Wait()
}

// checkSurvivor checks the items of a writer after a power loss that came when at least acked and at most started of its steps were done.
func checkSurvivor(t *testing.T, items map[string]string, writer int, steps []ledgerStep, acked, started int) {
	t.Helper()
	possible := []balances{}
	if acked == 0 {
		possible = append(possible, balances{-1, -1})
	}
	for i := max(acked-1, 0); i < started; i++ {
		possible = append(possible, steps[i].after)
	}
	for _, p := range possible {
		if items[fmt.Sprintf("a-%d", writer)] == p.text() && items[fmt.Sprintf("b-%d", writer)] == (balances{a: p.b}).text() {
			return
		}
	}
	t.Errorf("writer %d has a = %q and b = %q, want one of %v (steps %d to %d)", writer, items[fmt.Sprintf("a-%d", writer)], items[fmt.Sprintf("b-%d", writer)], possible, acked, started)
}

// text returns the first balance as an item has it, nothing for no item.
func (b balances) text() string {
	if b.a < 0 {
		return ""
	}
	return strconv.Itoa(b.a)
}

// allItems returns the balances of the table's items.
func (h *harness) allItems(t *testing.T) map[string]string {
	t.Helper()
	items := map[string]string{}
	err := h.impl.store.View(h.ctx, func(r store.Reader) error {
		table, err := h.impl.itemTable(r, placeOf(h.ctx), "accounts")
		if err != nil {
			return err
		}
		for pair, err := range r.Range(table.items.Span()) {
			if err != nil {
				return err
			}
			item := attr.Map(pair.Value)
			items[item.Get("id").Text()] = item.Get("n").Number().String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// checkReplay plays the table's stream from its beginning: each old image is what was there, and what is there in the end are the table's items.
func (h *harness) checkReplay(t *testing.T, items map[string]string) {
	t.Helper()
	arn := lookup(t, h.must(t, "DescribeTable", `{"TableName":"accounts"}`), "Table.LatestStreamArn")
	played := map[string]string{}
	for _, rec := range h.streamRecords(t, arn, *h.stream(t, arn).Shards[0].ShardId) {
		id := rec.Dynamodb.Keys.Get("id").Text()
		if old := balanceIn(rec.Dynamodb.OldImage); old != played[id] {
			t.Errorf("record %s of %s has the old balance %q, and %q was there", *rec.Dynamodb.SequenceNumber, id, old, played[id])
		}
		if played[id] = balanceIn(rec.Dynamodb.NewImage); rec.EventName == streams.OperationTypeRemove {
			delete(played, id)
		}
	}
	if len(played) != len(items) {
		t.Errorf("the stream leads to %d items, the table has %d", len(played), len(items))
	}
	for id, n := range items {
		if played[id] != n {
			t.Errorf("%s has %q, by the stream %q", id, n, played[id])
		}
	}
}

func balanceIn(image attr.Map) string {
	if image == nil {
		return ""
	}
	return image.Get("n").Number().String()
}
