package kinesis

import (
	"context"
	"sync"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
)

const (
	// subscriptionLife is how long a subscription pushes
	// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html).
	subscriptionLife = 5 * time.Minute
	// takeoverAfter is how long a subscription cannot be taken over by another call of its consumer.
	takeoverAfter = 5 * time.Second
	// heartbeat is the time between two events when nothing arrives: clients take a silent connection for a broken one.
	heartbeat = 5 * time.Second
	// pushBytes bounds one event: AWS's are about a megabyte.
	pushBytes = 1 << 20
	// pushRecords bounds the records of one event.
	pushRecords = 1000
)

// subscriptionKey names the one subscription that a consumer has to a shard.
type subscriptionKey struct {
	consumer string // ARN
	shard    uint64
}

// subscription is a running push.
type subscription struct {
	began time.Time
	end   context.CancelFunc
}

// subscriptions are those of this process.
type subscriptions struct {
	mu      sync.Mutex // guards the fields below
	running map[subscriptionKey]*subscription
}

// begin registers a subscription, ending an older one; it reports false when that is too young to be taken over.
func (ss *subscriptions) begin(k subscriptionKey, sub *subscription) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if old := ss.running[k]; old != nil {
		if sub.began.Sub(old.began) < takeoverAfter {
			return false
		}
		old.end()
	}
	if ss.running == nil {
		ss.running = map[subscriptionKey]*subscription{}
	}
	ss.running[k] = sub
	return true
}

// done forgets a subscription that has ended.
func (ss *subscriptions) done(k subscriptionKey, sub *subscription) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.running[k] == sub {
		delete(ss.running, k)
	}
}

// end ends the subscriptions of a consumer; "" means all.
func (ss *subscriptions) end(consumer string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for k, sub := range ss.running {
		if k.consumer == consumer || consumer == "" {
			sub.end()
		}
	}
}

func (s *Service) subscribeToShard(ctx context.Context, in *api.SubscribeToShardInput) (*api.SubscribeToShardOutput, error) {
	st, c, err := s.consumer(ctx, consumerNamed{arn: &in.ConsumerARN, id: in.StreamId})
	if err != nil {
		return nil, err
	}
	at, err := s.locate(ctx, st, in.ShardId, in.StartingPosition)
	if err != nil {
		return nil, err
	}
	run := &push{Service: s, stream: st, cursor: at, subscription: subscription{began: s.clock.Now()}}
	k := subscriptionKey{c.arn(st), at.shard}
	run.ended, run.end = context.WithCancel(context.WithoutCancel(ctx))
	if !s.subscriptions.begin(k, &run.subscription) {
		run.end()
		return nil, service.Errorf(codeInUse, "Another active subscription exists for this consumer: %s, shard %s. A call takes it over when it is %d seconds old.",
			in.ConsumerARN, in.ShardId, int(takeoverAfter.Seconds()))
	}
	return &api.SubscribeToShardOutput{EventStream: func(ctx context.Context, send func(*api.SubscribeToShardEventStream) error) error {
		defer s.subscriptions.done(k, &run.subscription)
		defer run.end()
		if err := s.checkKey(ctx, st, keycheck.Read); err != nil {
			return err
		}
		return run.run(ctx, send)
	}}, nil
}

// push pushes the records of a shard.
type push struct {
	*Service
	stream *stream
	cursor cursor
	subscription
	ended context.Context //nolint:containedctx // ends when the subscription is taken over
}

func (p *push) run(ctx context.Context, send func(*api.SubscribeToShardEventStream) error) error {
	arrived, stop := p.Arrivals(p.stream.arn())
	defer stop()
	life := p.clock.NewTimer(subscriptionLife)
	defer life.Stop()
	for first := true; ; first = false {
		sent, ended, err := p.next(ctx, send, first)
		if err != nil || ended {
			return err
		}
		if sent {
			continue
		}
		if over, err := p.wait(ctx, arrived, life, send); err != nil || over {
			return err
		}
	}
}

// next sends what has arrived. always sends an event even when there is nothing.
func (p *push) next(ctx context.Context, send func(*api.SubscribeToShardEventStream) error, always bool) (sent, ended bool, err error) {
	if p.ended.Err() != nil {
		return false, true, nil
	}
	st, err := p.known(ctx, target{arn: new(p.stream.arn())})
	if err != nil {
		return false, true, err
	}
	if st.ID != p.stream.ID {
		return false, true, noStream(st.place, st.Name)
	}
	before := p.cursor
	found, err := p.read(ctx, st, &p.cursor, pushRecords)
	if err != nil {
		return false, true, err
	}
	if len(found.rows) == 0 && !found.ended && !always {
		return p.cursor != before, false, nil
	}
	for part := range found.parts() {
		if err := p.send(ctx, part, send); err != nil {
			return true, true, err
		}
	}
	return len(found.rows) > 0, found.ended, nil
}

// parts cuts a page into those of events: at least one.
func (pg *page) parts() func(yield func(page) bool) {
	return func(yield func(page) bool) {
		rest := pg.rows
		for {
			n, size := 0, 0
			for n < len(rest) && (n == 0 || size+rest[n].size <= pushBytes) {
				size += rest[n].size
				n++
			}
			part := page{rows: rest[:n], behind: pg.behind}
			if rest = rest[n:]; len(rest) == 0 {
				part.ended, part.children = pg.ended, pg.children
			}
			if !yield(part) || len(rest) == 0 {
				return
			}
		}
	}
}

// send sends one event. A consumer that comes back goes on behind the event's continuation; the last event of a shard has none.
func (p *push) send(ctx context.Context, part page, send func(*api.SubscribeToShardEventStream) error) error {
	e := &api.SubscribeToShardEvent{MillisBehindLatest: part.behind.Milliseconds(), ChildShards: part.children}
	var err error
	if e.Records, err = p.records(ctx, p.stream, p.cursor.shard, part.rows); err != nil {
		return err
	}
	if !part.ended {
		at := before(p.cursor.from)
		if len(part.rows) > 0 {
			at = part.rows[len(part.rows)-1].at
		}
		e.ContinuationSequenceNumber = sequence(p.stream.Created, p.cursor.shard, at)
	}
	return send(&api.SubscribeToShardEventStream{SubscribeToShardEvent: e})
}

// before returns the greatest stamp that is less.
func before(s stamp) stamp {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i]--; s[i] != 0xff {
			break
		}
	}
	return s
}

// wait returns when something may have arrived; it sends an event when nothing does for a while.
func (p *push) wait(ctx context.Context, arrived <-chan struct{}, life clock.Timer, send func(*api.SubscribeToShardEventStream) error) (over bool, err error) {
	beat := p.clock.NewTimer(heartbeat)
	defer beat.Stop()
	select {
	case <-arrived:
		return false, nil
	case <-beat.C():
		return false, p.send(ctx, page{}, send)
	case <-life.C():
	case <-p.ended.Done():
	case <-ctx.Done():
		return true, ctx.Err()
	}
	return true, nil
}
