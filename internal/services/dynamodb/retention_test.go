package dynamodb

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	streams "lambent.dev/lambent/internal/awsapi/dynamodbstreams"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	retentionTime = 72 * time.Hour
	// retentionStep does not divide a day, so that no record is ever exactly as old as a stream keeps it.
	retentionStep = 37 * time.Minute
)

// retention is a table with a time to live and a stream beside a model of both.
type retention struct {
	*harness
	arn   string
	items map[string]int64 // when each item is due in Unix seconds, 0 for never
	// changes are all that the stream was ever told, as "time event key", with a mark at those that the time to live made.
	changes []string
	shards  map[string]string // every shard that was ever seen, with its parent
}

// TestThreeDaysOfTTLAndStreamRetention writes items with and without a time to live for three days, and compares table and stream with the model at every step.
func TestThreeDaysOfTTLAndStreamRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &retention{harness: newHarness(t), items: map[string]int64{}, shards: map[string]string{}}
		r.arn, _ = r.feed(t)
		r.must(t, "UpdateTimeToLive", `{"TableName":"feed","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"until"}}`)
		synctest.Wait()
		r.put(t, "mistake", r.clock.Now().Add(-6*365*24*time.Hour).Unix()) // too long ago to be meant
		r.items["mistake"] = 0
		rnd := rand.New(rand.NewPCG(5, 72))
		for end := r.clock.Now().Add(retentionTime); r.clock.Now().Before(end); {
			first := r.stream(t, r.arn).Shards[0]
			stale := r.horizon(t, r.arn, *first.ShardId)
			r.clock.Advance(retentionStep)
			synctest.Wait()
			r.expire()
			r.mustExpire(t, stale)
			r.write(t, rnd)
			r.checkTable(t)
			r.checkStream(t)
		}
		if n := len(r.shards); n < 15 || n > 19 {
			t.Errorf("%d shards in three days, want one about every four hours", n)
		}
		if kept := len(r.stream(t, r.arn).Shards); kept >= len(r.shards) {
			t.Errorf("all %d shards are kept", kept)
		}
	})
}

// note adds a change to the model.
func (r *retention) note(event, key, mark string) {
	r.changes = append(r.changes, strings.TrimSpace(r.clock.Now().Format(time.RFC3339)+" "+event+" "+key+" "+mark))
}

func (r *retention) put(t *testing.T, key string, until int64) {
	t.Helper()
	old, there := r.items[key]
	attribute := ""
	if until != 0 {
		attribute = fmt.Sprintf(`,"until":{"N":"%d"}`, until)
	}
	r.must(t, "PutItem", `{"TableName":"feed","Item":{"pk":{"S":"`+key+`"}`+attribute+`}}`)
	r.items[key] = until
	switch {
	case !there:
		r.note("INSERT", key, "")
	case old != until:
		r.note("MODIFY", key, "")
	}
}

// write puts, moves and deletes some items.
func (r *retention) write(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	for range 5 {
		key := fmt.Sprintf("item-%d", rnd.IntN(60))
		switch _, there := r.items[key]; {
		case there && rnd.IntN(4) == 0:
			r.must(t, "DeleteItem", `{"TableName":"feed","Key":{"pk":{"S":"`+key+`"}}}`)
			delete(r.items, key)
			r.note("REMOVE", key, "")
		case rnd.IntN(6) == 0:
			r.put(t, key, 0)
		default:
			r.put(t, key, r.clock.Now().Unix()+1+rnd.Int64N(30*3600))
		}
	}
}

// expire is the model's time to live.
func (r *retention) expire() {
	for key, until := range r.items {
		if until != 0 && until <= r.clock.Now().Unix() {
			delete(r.items, key)
			r.note("REMOVE", key, "expired")
		}
	}
}

func (h *harness) stream(t *testing.T, arn string) *streams.StreamDescription {
	t.Helper()
	out, err := h.impl.describeStream(h.ctx, &streams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	return out.StreamDescription
}

// horizon returns an iterator at the beginning of a shard.
func (h *harness) horizon(t *testing.T, arn, shard string) string {
	t.Helper()
	out, err := h.impl.getShardIterator(h.ctx, &streams.GetShardIteratorInput{StreamArn: arn, ShardId: shard, ShardIteratorType: streams.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ShardIterator
}

// mustExpire checks that an iterator of the step before is not taken any more.
func (r *retention) mustExpire(t *testing.T, iterator string) {
	t.Helper()
	_, err := r.impl.getRecords(r.ctx, &streams.GetRecordsInput{ShardIterator: iterator})
	if code := service.Code(err); code != "ExpiredIteratorException" {
		t.Errorf("an iterator of %s ago: %v", retentionStep, err)
	}
}

func (r *retention) checkTable(t *testing.T) {
	t.Helper()
	found := map[string]bool{}
	err := r.impl.store.View(r.ctx, func(rd store.Reader) error {
		table, err := r.impl.itemTable(rd, placeOf(r.ctx), "feed")
		if err != nil {
			return err
		}
		for pair, err := range rd.Range(table.items.Span()) {
			if err != nil {
				return err
			}
			key := attr.Map(pair.Value).Get("pk").Text()
			found[key] = true
			if _, there := r.items[key]; !there {
				t.Errorf("%s: %s is there still", r.clock.Now(), key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range r.items {
		if !found[key] {
			t.Errorf("%s: %s is gone before its time", r.clock.Now(), key)
		}
	}
}

// checkStream reads the whole stream: it has what the model has of the last 24 hours, each once, in shards that follow one another.
func (r *retention) checkStream(t *testing.T) {
	t.Helper()
	var got []string
	var last stamp
	parent := ""
	for i, sh := range r.stream(t, r.arn).Shards {
		of := ""
		if sh.ParentShardId != nil {
			of = *sh.ParentShardId
		}
		if known, seen := r.shards[*sh.ShardId]; seen && known != of || i > 0 && of != parent {
			t.Errorf("shard %s has the parent %q, want %q", *sh.ShardId, of, parent)
		}
		if _, seen := r.shards[of]; of != "" && !seen {
			t.Errorf("shard %s has the parent %s, which never was", *sh.ShardId, of)
		}
		r.shards[*sh.ShardId], parent = of, *sh.ShardId
		for _, rec := range r.streamRecords(t, r.arn, *sh.ShardId) {
			at, ok := parseSequence(*rec.Dynamodb.SequenceNumber)
			if !ok || string(at[:]) <= string(last[:]) {
				t.Errorf("sequence number %s comes after %s", *rec.Dynamodb.SequenceNumber, last.sequence())
			}
			last = at
			got = append(got, describeRecord(rec))
		}
	}
	oldest := r.clock.Now().Add(-streamKeep).Format(time.RFC3339)
	want := slices.DeleteFunc(slices.Clone(r.changes), func(c string) bool { return c < oldest })
	slices.Sort(want) // items that expire in one sweep have no order that the model knows
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("%s: the stream has\n%s\nwant\n%s", r.clock.Now(), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// streamRecords reads a shard to its end, which for an open one is an empty page.
func (h *harness) streamRecords(t *testing.T, arn, shard string) (all []streams.Record) {
	t.Helper()
	for it := ptr(h.horizon(t, arn, shard)); it != nil; {
		out, err := h.impl.getRecords(h.ctx, &streams.GetRecordsInput{ShardIterator: *it, Limit: ptr(int32(7))})
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, out.Records...); len(out.Records) == 0 {
			return all
		}
		it = out.NextShardIterator
	}
	return all
}

func describeRecord(rec streams.Record) string {
	mark := ""
	if u := rec.UserIdentity; u != nil && *u.Type == "Service" && *u.PrincipalId == "dynamodb.amazonaws.com" {
		mark = "expired"
	}
	key := rec.Dynamodb.Keys.Get("pk").Text()
	return strings.TrimSpace(rec.Dynamodb.ApproximateCreationDateTime.UTC().Format(time.RFC3339) + " " + rec.EventName + " " + key + " " + mark)
}
