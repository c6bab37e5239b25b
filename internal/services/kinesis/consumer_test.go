package kinesis

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
)

const streamARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"

// register makes a consumer and returns its ARN.
func (h *harness) register(t testing.TB, name string) string {
	t.Helper()
	return do[api.RegisterStreamConsumerOutput](t, h, "RegisterStreamConsumer", &api.RegisterStreamConsumerInput{StreamARN: streamARN, ConsumerName: name}).Consumer.ConsumerARN
}

// pushed is a subscription whose events are collected.
type pushed struct {
	events chan *api.SubscribeToShardEvent
	ended  chan error
	cancel context.CancelFunc
}

func (h *harness) subscribe(t testing.TB, consumer, shard string, at api.StartingPosition) *pushed {
	t.Helper()
	out := do[api.SubscribeToShardOutput](t, h, "SubscribeToShard", &api.SubscribeToShardInput{ConsumerARN: consumer, ShardId: shard, StartingPosition: &at})
	p := &pushed{events: make(chan *api.SubscribeToShardEvent, 100), ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(h.ctx)
	p.cancel = cancel
	t.Cleanup(cancel)
	go func() {
		p.ended <- out.EventStream(ctx, func(e *api.SubscribeToShardEventStream) error {
			p.events <- e.SubscribeToShardEvent
			return nil
		})
	}()
	return p
}

func (p *pushed) next(t testing.TB) *api.SubscribeToShardEvent {
	t.Helper()
	synctest.Wait()
	select {
	case e := <-p.events:
		return e
	default:
		t.Fatal("no event")
		return nil
	}
}

func (p *pushed) wantEnd(t testing.TB) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("the subscription ended with %v", err)
		}
	default:
		t.Error("the subscription goes on")
	}
}

func TestRecordsArePushedWhenTheyAreDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, "s", 1)
		h.put(t, "s", "k", "before")
		p := h.subscribe(t, h.register(t, "c"), firstShard, api.StartingPosition{Type: "TRIM_HORIZON"})
		if e := p.next(t); len(e.Records) != 1 || string(e.Records[0].Data) != "before" {
			t.Errorf("first event %+v", e)
		}
		put := h.put(t, "s", "k", "after")
		e := p.next(t)
		if len(e.Records) != 1 || e.ContinuationSequenceNumber != put.SequenceNumber {
			t.Errorf("second event %+v", e)
		}
		// Silence is broken, and the place in the shard stays.
		h.clock.Advance(heartbeat)
		if beat := p.next(t); len(beat.Records) != 0 || number(t, beat.ContinuationSequenceNumber).Cmp(number(t, put.SequenceNumber)) < 0 {
			t.Errorf("heartbeat %+v", beat)
		}
		do[api.SplitShardOutput](t, h, "SplitShard", `{"StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "1000"}`)
		if last := p.next(t); last.ContinuationSequenceNumber != "" || len(last.ChildShards) != 2 {
			t.Errorf("last event %+v", last)
		}
		p.wantEnd(t)
	})
}

func TestConsumerGoesOnBehindTheContinuation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, "s", 1)
		consumer := h.register(t, "c")
		p := h.subscribe(t, consumer, firstShard, api.StartingPosition{Type: "LATEST"})
		at := p.next(t).ContinuationSequenceNumber
		h.clock.Advance(takeoverAfter)
		h.put(t, "s", "k", "one")
		again := h.subscribe(t, consumer, firstShard, api.StartingPosition{Type: "AFTER_SEQUENCE_NUMBER", SequenceNumber: &at})
		if e := again.next(t); len(e.Records) != 1 {
			t.Errorf("event %+v", e)
		}
		p.wantEnd(t)
	})
}

func TestSubscriptionIsTakenOverAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, "s", 1)
		consumer := h.register(t, "c")
		latest := api.StartingPosition{Type: "LATEST"}
		first := h.subscribe(t, consumer, firstShard, latest)
		h.clock.Advance(takeoverAfter - time.Millisecond)
		h.refused(t, codeInUse, "SubscribeToShard", &api.SubscribeToShardInput{ConsumerARN: consumer, ShardId: firstShard, StartingPosition: &latest})
		h.clock.Advance(time.Millisecond)
		second := h.subscribe(t, consumer, firstShard, latest)
		first.wantEnd(t)
		h.clock.Advance(subscriptionLife)
		second.wantEnd(t)
		third := h.subscribe(t, consumer, firstShard, latest)
		do[api.DeregisterStreamConsumerOutput](t, h, "DeregisterStreamConsumer", &api.DeregisterStreamConsumerInput{ConsumerARN: &consumer})
		third.wantEnd(t)
		h.refused(t, codeNotFound, "SubscribeToShard", &api.SubscribeToShardInput{ConsumerARN: consumer, ShardId: firstShard, StartingPosition: &latest})
	})
}

func TestDeletedStreamEndsItsSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, "s", 1)
		p := h.subscribe(t, h.register(t, "c"), firstShard, api.StartingPosition{Type: "LATEST"})
		p.next(t)
		do[api.DeleteStreamOutput](t, h, "DeleteStream", `{"StreamName": "s", "EnforceConsumerDeletion": true}`)
		h.clock.Advance(heartbeat)
		synctest.Wait()
		if err := <-p.ended; service.Code(err) != codeNotFound {
			t.Errorf("the subscription ended with %v", err)
		}
	})
}

func TestConsumersAreListedAndLimited(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	for i := range maxConsumers {
		h.register(t, "c"+strconv.Itoa(10+i))
	}
	h.refused(t, codeLimit, "RegisterStreamConsumer", `{"StreamARN": "`+streamARN+`", "ConsumerName": "one-more"}`)
	h.refused(t, codeInUse, "RegisterStreamConsumer", `{"StreamARN": "`+streamARN+`", "ConsumerName": "c10"}`)
	var names []string
	in := &api.ListStreamConsumersInput{StreamARN: streamARN, MaxResults: new(int32(8))}
	for {
		page := do[api.ListStreamConsumersOutput](t, h, "ListStreamConsumers", in)
		for _, c := range page.Consumers {
			names = append(names, c.ConsumerName)
		}
		if in.NextToken = page.NextToken; page.NextToken == nil {
			break
		}
	}
	if len(names) != maxConsumers || names[19] != "c29" {
		t.Errorf("listed %v", names)
	}
	d := do[api.DescribeStreamConsumerOutput](t, h, "DescribeStreamConsumer", `{"StreamARN": "`+streamARN+`", "ConsumerName": "c10"}`).ConsumerDescription
	if want := streamARN + "/consumer/c10:" + strconv.FormatInt(h.clock.Now().Unix(), 10); d.ConsumerARN != want || d.ConsumerStatus != "ACTIVE" {
		t.Errorf("described %+v", d)
	}
	h.refused(t, codeInvalid, "DescribeStreamConsumer", `{"StreamARN": "`+streamARN+`"}`)
	h.refused(t, codeNotFound, "DescribeStreamConsumer", `{"StreamARN": "`+streamARN+`", "ConsumerName": "none"}`)
	if n := *do[api.DescribeStreamSummaryOutput](t, h, "DescribeStreamSummary", `{"StreamName": "s"}`).StreamDescriptionSummary.ConsumerCount; n != maxConsumers {
		t.Errorf("%d consumers counted", n)
	}
}
