package crash

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// writers is how many clients write at once.
const writers = 4

// eventLimit is how long the function may take to catch up after a restart.
const eventLimit = 60 * time.Second

// The flags are those of doc.go.
var (
	kills = flag.Int("kills", 3, "how many times the process is killed")
	long  = flag.Bool("long", false, "kill it 50 times")
	seed  = flag.Uint64("seed", 0, "seed of the calls; 0 takes one from the clock")
)

func TestKillLosesNothingAcknowledged(t *testing.T) {
	rounds, start := *kills, *seed
	if *long {
		rounds = 50
	}
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	p := newPlatform(t, t.TempDir())
	p.deploy(t, "template.yaml")
	m := newModel()
	for round := range rounds {
		random := rand.New(rand.NewPCG(start, uint64(round)))
		m.untilKilled(t, p, start, uint64(round), time.Duration(300+random.IntN(1200))*time.Millisecond)
		began := time.Now()
		p.start(t)
		started := time.Since(began)
		m.check(t, newClient(p.address))
		t.Logf("round %d: up again after %d ms, checked after %d ms", round, started.Milliseconds(), time.Since(began).Milliseconds())
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, start)
		}
	}
	began := time.Now()
	m.checkEvents(t, newClient(p.address))
	t.Logf("events complete after %d ms", time.Since(began).Milliseconds())
	t.Logf("seed %d: %d kills, %d acknowledged writes, %d events, counter %d", start, rounds, m.acknowledged.Load(), len(m.told), m.ackedCount.Load())
}

// untilKilled lets the writers write, and kills the process under them.
func (m *model) untilKilled(t *testing.T, p *platform, seed, round uint64, after time.Duration) {
	t.Helper()
	c := newClient(p.address)
	defer c.http.CloseIdleConnections()
	var all sync.WaitGroup
	for id := range writers {
		random := rand.New(rand.NewPCG(seed, round<<8|uint64(id+1)))
		all.Go(func() {
			if err := m.writer(t.Context(), c, id, random); err != nil {
				t.Error(err)
			}
		})
	}
	<-time.After(after)
	p.kill()
	all.Wait()
}

// check compares everything with the model, and takes what it found as settled.
func (m *model) check(t *testing.T, c *client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m.checkItems(ctx, t, c)
	m.checkObjects(ctx, t, c)
	n, err := c.counter(ctx)
	if err != nil {
		t.Error(err)
	}
	if got, low, high := int64(n), m.ackedCount.Load(), m.sentCount.Load(); got < low || got > high {
		t.Errorf("the counter is %d, want from %d (acknowledged) to %d (sent)", got, low, high)
	}
	m.ackedCount.Store(int64(n))
	m.sentCount.Store(int64(n))
}

func (m *model) checkItems(ctx context.Context, t *testing.T, c *client) {
	t.Helper()
	rows, err := c.rows(ctx, "items")
	if err != nil {
		t.Error(err)
		return
	}
	for id, v := range m.items {
		row, ok := rows[id]
		delete(rows, id)
		switch {
		case !ok && v.acked != nil:
			t.Errorf("row %s was acknowledged and is gone", id)
		case !ok:
			v.settle(nil)
		case row.V == nil || !v.may(row.V.B):
			t.Errorf("row %s is neither the last acknowledged value nor one sent since", id)
		default:
			v.settle(row.V.B)
		}
	}
	delete(rows, "counter")
	for id := range rows {
		t.Errorf("row %s was never written", id)
	}
}

func (m *model) checkObjects(ctx context.Context, t *testing.T, c *client) {
	t.Helper()
	listed, err := c.objects(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	for key, v := range m.objects {
		tag, ok := listed[key]
		delete(listed, key)
		if !ok {
			if v.acked != nil {
				t.Errorf("object %s was acknowledged and is gone", key)
			}
			v.settle(nil)
			continue
		}
		body, err := c.getObject(ctx, key)
		switch {
		case err != nil:
			t.Errorf("object %s is listed and cannot be read: %v", key, err)
		case tag != etag(body) && tag != joinedETag(body):
			t.Errorf("object %s has %d bytes with checksum %s, and the list says %s", key, len(body), etag(body), tag)
		case !v.may(body):
			t.Errorf("object %s is neither the last acknowledged value nor one sent since", key)
		default:
			v.settle(body)
			m.told[key+" "+tag] = true
		}
	}
	for key := range listed {
		t.Errorf("object %s was never written", key)
	}
	// What was sent and is not there is settled too: no event of it may come.
	m.perhaps = map[string]bool{}
}

// checkEvents waits until the function was told of every object, and then looks for what it should not have been told.
func (m *model) checkEvents(t *testing.T, c *client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventLimit)
	defer cancel()
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		rows, err := c.rows(ctx, "seen")
		if err != nil {
			t.Fatal(err)
		}
		missing := 0
		var one string
		for event := range m.told {
			if _, ok := rows[event]; !ok {
				missing, one = missing+1, event
			}
		}
		if missing == 0 {
			for event := range rows {
				if !m.told[event] && !m.perhaps[event] {
					t.Errorf("the function was told of %q, which was never stored", event)
				}
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d of %d events did not reach the function, such as %q", missing, len(m.told), one)
		case <-poll.C:
		}
	}
}
