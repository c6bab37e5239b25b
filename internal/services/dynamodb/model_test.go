package dynamodb

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/pebble"
)

// modelItem is an item of the model; modelTable is what a table holds by the rules that a person would write down.
type modelItem struct {
	pk  string
	sk  int
	n   int
	tag string // "" for none
}

type modelTable map[string]modelItem // by key

func modelKey(pk string, sk int) string { return fmt.Sprintf("%s/%03d", pk, sk) }

func (it modelItem) json() string {
	out := fmt.Sprintf(`{"n":{"N":"%d"},"pk":{"S":"%s"},"sk":{"N":"%d"}`, it.n, it.pk, it.sk)
	if it.tag != "" {
		out += fmt.Sprintf(`,"tag":{"S":"%s"}`, it.tag)
	}
	return out + "}"
}

// change is one random write: its JSON as an action of a transaction, and what it does to the model.
type change struct {
	key    string
	kind   string // Put, Update or Delete
	action string
	holds  func(old modelItem, there bool) bool
	apply  func(m modelTable)
}

func drawChange(t *rapid.T) change {
	pk, sk := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "pk"), rapid.IntRange(0, 5).Draw(t, "sk")
	it := modelItem{pk, sk, rapid.IntRange(-3, 3).Draw(t, "n"), rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "tag")}
	c := change{key: modelKey(pk, sk), holds: func(modelItem, bool) bool { return true }}
	values, condition := []string{}, ""
	switch rapid.IntRange(0, 2).Draw(t, "condition") {
	case 1:
		condition = `,"ConditionExpression":"attribute_not_exists(pk)"`
		c.holds = func(_ modelItem, there bool) bool { return !there }
	case 2:
		condition = `,"ConditionExpression":"n >= :least"`
		values = append(values, `":least":{"N":"0"}`)
		c.holds = func(old modelItem, there bool) bool { return there && old.n >= 0 }
	}
	key := fmt.Sprintf(`"Key":{"pk":{"S":"%s"},"sk":{"N":"%d"}}`, pk, sk)
	var body string
	switch c.kind = rapid.SampledFrom([]string{"Put", "Update", "Delete"}).Draw(t, "kind"); c.kind {
	case "Put":
		body = `"Item":` + it.json()
		c.apply = func(m modelTable) { m[c.key] = it }
	case "Delete":
		body = key
		c.apply = func(m modelTable) { delete(m, c.key) }
	default:
		body = key + `,"UpdateExpression":"ADD n :n REMOVE tag"`
		if it.tag != "" {
			body = key + `,"UpdateExpression":"ADD n :n SET tag = :tag"`
			values = append(values, `":tag":{"S":"`+it.tag+`"}`)
		}
		values = append(values, fmt.Sprintf(`":n":{"N":"%d"}`, it.n))
		c.apply = func(m modelTable) {
			old := m[c.key]
			m[c.key] = modelItem{pk, sk, old.n + it.n, it.tag}
		}
	}
	c.action = `{"TableName":"model",` + body + condition
	if len(values) > 0 {
		c.action += `,"ExpressionAttributeValues":{` + strings.Join(values, ",") + `}`
	}
	c.action += "}"
	return c
}

// world is DynamoDB beside its model.
type world struct {
	h     *harness
	model modelTable
	fs    vfs.FS // of the store on disk; nil for the one in memory
}

func (w *world) open(t *rapid.T) {
	st := mem.New()
	if w.fs != nil {
		var err error
		if st, err = pebble.Open("data", pebble.Options{FS: w.fs, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
	}
	h := &harness{clock: clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))}
	h.impl = New(service.Deps{Store: st, Door: h, Clock: h.clock, Random: new(countingReader), Log: slog.New(slog.DiscardHandler)}, &h.data)
	h.service, h.streams = h.impl.Tables(), h.impl.Streams()
	h.ctx = service.WithRequest(t.Context(), &service.Request{ID: "model", Account: "000000000000", Region: "us-east-1"})
	w.h = h
}

// call makes a call that must work, or must fail with a code.
func (w *world) call(t *rapid.T, operation, input, code string) string {
	t.Helper()
	out, err := w.h.call(operation, input)
	if got := service.Code(err); got != code {
		t.Fatalf("%s %s: %v, want %q", operation, input, err, code)
	}
	return out
}

// write makes one change in a call of its own.
func (w *world) write(t *rapid.T) {
	c := drawChange(t)
	old, there := w.model[c.key]
	code := ""
	if c.holds(old, there) {
		c.apply(w.model)
	} else {
		code = codeCondition
	}
	w.call(t, c.kind+"Item", c.action, code)
}

// transact makes several changes in a transaction, all or none.
func (w *world) transact(t *rapid.T) {
	all := true
	var actions []string
	changes := map[string]change{}
	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		c := drawChange(t)
		if _, taken := changes[c.key]; taken {
			continue
		}
		changes[c.key] = c
		old, there := w.model[c.key]
		all = all && c.holds(old, there)
		actions = append(actions, `{"`+c.kind+`":`+c.action+`}`)
	}
	code := codeCanceled
	if all {
		code = ""
		for _, c := range changes {
			c.apply(w.model)
		}
	}
	w.call(t, "TransactWriteItems", `{"TransactItems":[`+strings.Join(actions, ",")+`]}`, code)
}

// pages reads a Query or a Scan to its end in pages of random size, and returns the items as the model writes them.
func (w *world) pages(t *rapid.T, operation, input string) (items []string) {
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	start := ""
	for range 100 {
		out := w.call(t, operation, fmt.Sprintf(`{"TableName":"model","Limit":%d%s%s}`, limit, input, start), "")
		var page struct {
			Items            []json.RawMessage
			LastEvaluatedKey json.RawMessage
		}
		if err := json.Unmarshal([]byte(out), &page); err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Items {
			items = append(items, string(it))
		}
		if page.LastEvaluatedKey == nil {
			return items
		}
		start = `,"ExclusiveStartKey":` + string(page.LastEvaluatedKey)
	}
	t.Fatal("paging does not end")
	return nil
}

// want returns the items of the model that are chosen, in an order.
func (w *world) want(choose func(modelItem) bool, order func(a, b modelItem) int) (items []string) {
	var chosen []modelItem
	for it := range maps.Values(w.model) {
		if choose(it) {
			chosen = append(chosen, it)
		}
	}
	slices.SortFunc(chosen, order)
	for _, it := range chosen {
		items = append(items, it.json())
	}
	return items
}

func (w *world) query(t *rapid.T) {
	pk, low, high := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "pk"), rapid.IntRange(0, 5).Draw(t, "low"), rapid.IntRange(0, 5).Draw(t, "high")
	low, high = min(low, high), max(low, high)
	sign, forward := 1, rapid.Bool().Draw(t, "forward")
	if !forward {
		sign = -1
	}
	got := w.pages(t, "Query", fmt.Sprintf(`,"ScanIndexForward":%v,"KeyConditionExpression":"pk = :p AND sk BETWEEN :l AND :h","ExpressionAttributeValues":{":p":{"S":"%s"},":l":{"N":"%d"},":h":{"N":"%d"}}`, forward, pk, low, high))
	want := w.want(func(it modelItem) bool { return it.pk == pk && it.sk >= low && it.sk <= high }, func(a, b modelItem) int { return sign * (a.sk - b.sk) })
	if !slices.Equal(got, want) {
		t.Fatalf("query: %v, want %v", got, want)
	}
}

func (w *world) queryIndex(t *rapid.T) {
	tag, least := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "tag"), rapid.IntRange(-6, 6).Draw(t, "least")
	got := w.pages(t, "Query", fmt.Sprintf(`,"IndexName":"byTag","KeyConditionExpression":"tag = :t AND n >= :n","ExpressionAttributeValues":{":t":{"S":"%s"},":n":{"N":"%d"}}`, tag, least))
	ns := func(items []string) (out []string) { // items of one n come in no order
		for _, it := range items {
			out = append(out, it[:strings.Index(it, "}")])
		}
		return out
	}
	want := w.want(func(it modelItem) bool { return it.tag == tag && it.n >= least }, func(a, b modelItem) int { return a.n - b.n })
	if !slices.Equal(ns(got), ns(want)) {
		t.Fatalf("query of the index: %v, want %v", got, want)
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Fatalf("query of the index: %v, want %v", got, want)
	}
}

func (w *world) scan(t *rapid.T) {
	segments := rapid.IntRange(1, 3).Draw(t, "segments")
	var got []string
	for i := range segments {
		got = append(got, w.pages(t, "Scan", fmt.Sprintf(`,"Segment":%d,"TotalSegments":%d`, i, segments))...)
	}
	want := w.want(func(modelItem) bool { return true }, func(a, b modelItem) int { return 0 })
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Fatalf("scan: %v, want %v", got, want)
	}
}

// restart closes the store and opens it again.
func (w *world) restart(t *rapid.T) {
	if w.fs == nil {
		return
	}
	if err := w.h.impl.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(t)
}

// replay applies the records of the stream to nothing, which must give the table.
func (w *world) replay(t *rapid.T) {
	var streams struct{ Streams []struct{ StreamArn string } }
	var stream struct {
		StreamDescription struct{ Shards []struct{ ShardId string } }
	}
	var at struct{ ShardIterator string }
	read := func(operation, input string, into any) {
		if err := json.Unmarshal([]byte(w.call(t, operation, input, "")), into); err != nil {
			t.Fatal(err)
		}
	}
	read("ListStreams", `{}`, &streams)
	arn := streams.Streams[0].StreamArn
	read("DescribeStream", `{"StreamArn":"`+arn+`"}`, &stream)
	read("GetShardIterator", `{"StreamArn":"`+arn+`","ShardIteratorType":"TRIM_HORIZON","ShardId":"`+stream.StreamDescription.Shards[0].ShardId+`"}`, &at)
	got := map[string]string{}
	for {
		var page struct {
			NextShardIterator string
			Records           []struct {
				EventName string
				Dynamodb  struct{ Keys, NewImage, OldImage json.RawMessage }
			}
		}
		read("GetRecords", `{"ShardIterator":"`+at.ShardIterator+`","Limit":7}`, &page)
		if len(page.Records) == 0 {
			break
		}
		at.ShardIterator = page.NextShardIterator
		for _, r := range page.Records {
			key := string(r.Dynamodb.Keys)
			if got[key] != string(r.Dynamodb.OldImage) || (got[key] == "") != (r.EventName == "INSERT") || (r.Dynamodb.NewImage == nil) != (r.EventName == "REMOVE") {
				t.Fatalf("%s of %s: old image %s after %s", r.EventName, key, r.Dynamodb.OldImage, got[key])
			}
			if got[key] = string(r.Dynamodb.NewImage); got[key] == "" {
				delete(got, key)
			}
		}
	}
	want := w.want(func(modelItem) bool { return true }, func(a, b modelItem) int { return 0 })
	have := slices.Collect(maps.Values(got))
	slices.Sort(have)
	if slices.Sort(want); !slices.Equal(have, want) {
		t.Fatalf("the stream gives %v, want %v", have, want)
	}
}

// TestTheEngineAgreesWithItsModel runs random operations against the engine on both stores, with restarts, and against a model of maps.
func TestTheEngineAgreesWithItsModel(t *testing.T) {
	for _, onDisk := range []bool{false, true} {
		t.Run(map[bool]string{false: "mem", true: "pebble"}[onDisk], func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := &world{model: modelTable{}}
				if onDisk {
					w.fs = vfs.NewMem()
				}
				w.open(t)
				defer func() { _ = w.h.impl.store.Close() }()
				w.call(t, "CreateTable", `{"TableName":"model","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},{"AttributeName":"tag","AttributeType":"S"},{"AttributeName":"n","AttributeType":"N"}],`+
					`"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"},`+
					`"GlobalSecondaryIndexes":[{"IndexName":"byTag","KeySchema":[{"AttributeName":"tag","KeyType":"HASH"},{"AttributeName":"n","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]}`, "")
				t.Repeat(map[string]func(*rapid.T){"write": w.write, "transact": w.transact, "query": w.query, "index": w.queryIndex, "scan": w.scan, "restart": w.restart, "": func(*rapid.T) {}})
				w.replay(t)
			})
		})
	}
}
