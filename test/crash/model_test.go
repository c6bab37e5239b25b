package crash

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// keys is how many rows, and how many objects, each client owns.
const keys = 40

// value is what the model knows of one key: the last acknowledged value, and those sent since whose answer is not known.
type value struct {
	acked []byte
	sent  [][]byte
}

func (v *value) may(got []byte) bool {
	if v.acked != nil && bytes.Equal(v.acked, got) {
		return true
	}
	for _, s := range v.sent {
		if bytes.Equal(s, got) {
			return true
		}
	}
	return false
}

// settle takes what was found after a restart as the value; nothing that was sent before can arrive any more.
func (v *value) settle(got []byte) { v.acked, v.sent = got, nil }

// model is what the platform owes.
type model struct {
	items, objects map[string]*value
	// told holds the "key etag" of every object that is known to have been stored: its event is owed. perhaps holds
	// those whose event is allowed: they were sent, and their fate was not known when the process died.
	told, perhaps map[string]bool
	// ackedCount and sentCount bound the counter.
	ackedCount, sentCount atomic.Int64
	acknowledged          atomic.Int64
	mu                    sync.Mutex
}

func newModel() *model {
	return &model{items: map[string]*value{}, objects: map[string]*value{}, told: map[string]bool{}, perhaps: map[string]bool{}}
}

func etag(body []byte) string {
	sum := md5.Sum(body)
	return hex.EncodeToString(sum[:])
}

// joinedETag is the ETag of an object that was uploaded as one part.
func joinedETag(body []byte) string {
	part := md5.Sum(body)
	return etag(part[:]) + "-1"
}

func of(m *model, all map[string]*value, key string) *value {
	m.mu.Lock()
	defer m.mu.Unlock()
	if all[key] == nil {
		all[key] = &value{}
	}
	return all[key]
}

// write makes one write of a key and keeps the model. The key's only writer calls it.
func (m *model) write(ctx context.Context, all map[string]*value, key string, body []byte, put func(context.Context, string, []byte) error) error {
	v := of(m, all, key)
	v.sent = append(v.sent, body)
	if err := put(ctx, key, body); err != nil {
		return err
	}
	v.settle(body)
	m.acknowledged.Add(1)
	return nil
}

// writer is one client's life: random writes until the context ends or the process dies. It fails on any answer that
// is an error, for the platform has no reason to give one.
func (m *model) writer(ctx context.Context, c *client, id int, random *rand.Rand) error {
	for ctx.Err() == nil {
		key := fmt.Sprintf("c%d-%02d", id, random.IntN(keys))
		err := m.step(ctx, c, key, random)
		if r := (*refusal)(nil); errors.As(err, &r) {
			return fmt.Errorf("write %s: %w", key, err)
		}
		if err != nil {
			return nil
		}
	}
	return nil
}

func (m *model) step(ctx context.Context, c *client, key string, random *rand.Rand) error {
	switch random.IntN(6) {
	case 0, 1:
		return m.write(ctx, m.items, key, noise(random, 20, 2000), c.putItem)
	case 2:
		m.sentCount.Add(1)
		err := c.increment(ctx)
		if err == nil {
			m.ackedCount.Add(1)
			m.acknowledged.Add(1)
		}
		return err
	case 3:
		return m.store(ctx, key, noise(random, 20, 4000), etag, c.putObject)
	case 4:
		return m.store(ctx, key, noise(random, 20, 200<<10), joinedETag, c.putJoined)
	default:
		return m.store(ctx, key, noise(random, 33<<10, 200<<10), etag, c.putObject)
	}
}

func (m *model) store(ctx context.Context, key string, body []byte, tag func([]byte) string, put func(context.Context, string, []byte) error) error {
	event := key + " " + tag(body)
	m.note(m.perhaps, event)
	err := m.write(ctx, m.objects, key, body, put)
	if err == nil {
		m.note(m.told, event)
	}
	return err
}

func (m *model) note(set map[string]bool, event string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	set[event] = true
}

// noise returns between low and high random bytes.
func noise(random *rand.Rand, low, high int) []byte {
	b := make([]byte, low+random.IntN(high-low))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}
