package sqs

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	maxQueueName = 80 // characters, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
	maxTags      = 50
	fifoSuffix   = ".fifo"
	// purgeInterval is how long a queue that was purged refuses to be purged again, in milliseconds.
	purgeInterval = 60_000
)

// queueRecord is the record of a queue.
type queueRecord struct {
	ID   uint64
	Name string
	// Created and Modified are Unix seconds, Purged is Unix milliseconds.
	Created, Modified int64
	Purged            int64 `json:",omitempty"`
	// Version grows with each change of the record, and begins with the time of creation, so that it is greater than that of an earlier queue of the name.
	Version uint64
	// Attributes are those that were set, by their AWS names; what is absent has its default.
	Attributes map[string]string `json:",omitempty"`
	Tags       map[string]string `json:",omitempty"`
}

// queue is a queue with its settings taken apart. It is immutable but for live.
type queue struct {
	queueRecord
	settings

	place place
	arn   string
	data  key.Key
	live  *live
}

func (s *Service) newQueue(p place, r *queueRecord) (*queue, error) {
	q := &queue{queueRecord: *r, place: p, arn: p.arn(r.Name), data: p.data(r.ID)}
	var err error
	if q.settings, err = parseSettings(p, r.Name, r.Attributes); err != nil {
		return nil, fmt.Errorf("read the settings of queue %s: %w", q.arn, err)
	}
	return q, nil
}

// queueCache keeps parsed queues by the bytes of their records, and the memory of each queue by its id.
type queueCache struct {
	mu sync.RWMutex // guards the fields below
	// byKey holds the last version seen of each queue.
	byKey map[string]cachedQueue
	// byID holds the memory of each queue that was seen.
	byID map[uint64]*live
}

type cachedQueue struct {
	record []byte
	queue  *queue
	// least is the version from which on the queue may be used without a look into the store.
	least uint64
}

// known returns the queue when what memory has is not older than the last change.
func (c *queueCache) known(recordKey []byte) *queue {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if have := c.byKey[string(recordKey)]; have.queue != nil && have.queue.Version >= have.least {
		return have.queue
	}
	return nil
}

// changed notes that the record of the queue has a new version.
func (c *queueCache) changed(recordKey []byte, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.byKey[string(recordKey)]; ok {
		have.least = max(have.least, version)
		c.byKey[string(recordKey)] = have
	}
}

func (c *queueCache) forget(recordKey []byte, id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byID, id)
	if q := c.byKey[string(recordKey)].queue; q != nil && q.ID == id {
		delete(c.byKey, string(recordKey))
	}
}

// parsed returns the queue of a record.
func (s *Service) parsed(p place, recordKey, recordBytes []byte) (*queue, error) {
	c := &s.queues
	c.mu.RLock()
	cached, ok := c.byKey[string(recordKey)]
	c.mu.RUnlock()
	if ok && bytes.Equal(cached.record, recordBytes) {
		return cached.queue, nil
	}
	r := &queueRecord{}
	if err := json.Unmarshal(recordBytes, r); err != nil {
		return nil, fmt.Errorf("read queue record %q: %w", recordKey, err)
	}
	q, err := s.newQueue(p, r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey, c.byID = map[string]cachedQueue{}, map[uint64]*live{}
	}
	if q.live = c.byID[q.ID]; q.live == nil {
		q.live = newLive(s, s.newMeters(p, q.Name))
		c.byID[q.ID] = q.live
	}
	if old := c.byKey[string(recordKey)]; old.queue == nil || q.Version >= old.queue.Version {
		c.byKey[string(recordKey)] = cachedQueue{bytes.Clone(recordBytes), q, old.least}
	}
	return q, nil
}

// find returns a queue, or nil when there is none of that name.
func (s *Service) find(r store.Reader, p place, name string) (*queue, error) {
	k := p.queue(name)
	b, err := r.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.parsed(p, k, b)
}

// get returns a queue, or the error that there is none.
func (s *Service) get(r store.Reader, p place, name string) (*queue, error) {
	q, err := s.find(r, p, name)
	if err == nil && q == nil {
		err = noQueue()
	}
	return q, err
}

// view returns the queue that a call is for as it was seen last; its transaction will look at the record again.
func (s *Service) view(ctx context.Context, url string) (*queue, error) {
	p, name, err := resolve(ctx, url)
	if err != nil {
		return nil, err
	}
	if q := s.queues.known(p.queue(name)); q != nil {
		return q, nil
	}
	return s.viewNamed(ctx, p, name)
}

func (s *Service) viewNamed(ctx context.Context, p place, name string) (q *queue, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		q, err = s.get(r, p, name)
		return err
	})
	return q, storeError(err)
}

// resolve returns where the queue of a URL lies. Only the last two elements of its path count, so that a URL works whatever host it was made for.
func resolve(ctx context.Context, url string) (place, string, error) {
	path := url
	if _, rest, ok := strings.Cut(url, "://"); ok {
		_, path, _ = strings.Cut(rest, "/")
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if n := len(parts); n >= 2 && accountID(parts[n-2]) && parts[n-1] != "" {
		return place{parts[n-2], service.RequestFrom(ctx).Region}, parts[n-1], nil
	}
	if url == "" {
		return place{}, "", missing("QueueUrl")
	}
	if path == url && plainName(strings.TrimSuffix(url, fifoSuffix)) {
		return placeOf(ctx), url, nil // a name alone is taken too
	}
	return place{}, "", service.Errorf(codeAddress, "The address %s is not valid for this endpoint. It ends with the account and the name of the queue: %s.", url, "http://127.0.0.1:4566/000000000000/name").WithStatus(404)
}

// resolveARN returns where the queue of an ARN lies.
func resolveARN(text string) (place, string, bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "sqs" || !accountID(a.Account) || strings.ContainsAny(a.Resource, "/:") {
		return place{}, "", false
	}
	return place{a.Account, a.Region}, a.Resource, true
}

func accountID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// url returns the URL of a queue in the form by which the caller reaches the platform.
func (s *Service) url(ctx context.Context, p place, name string) string {
	base := s.baseURL
	if h := service.RequestFrom(ctx).HTTP; h != nil && h.Host != "" {
		scheme, _, _ := strings.Cut(base, "://")
		base = scheme + "://" + h.Host
	}
	return base + "/" + p.account + "/" + name
}

func checkQueueName(name string, fifo bool) error {
	stem, isFIFO := strings.CutSuffix(name, fifoSuffix)
	switch {
	case fifo && !isFIFO:
		return service.Errorf(codeValue, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	case isFIFO && !fifo, !plainName(stem), len(name) > maxQueueName:
		return service.Errorf(codeValue, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

func (s *Service) createQueue(ctx context.Context, in *api.CreateQueueInput) (*api.CreateQueueOutput, error) {
	p := placeOf(ctx)
	fifo := strings.ToLower(in.Attributes["FifoQueue"])
	switch {
	case fifo != "" && fifo != "true":
		// A standard queue is one without the attribute.
		return nil, service.Errorf(codeAttributeName, "Unknown Attribute FifoQueue.")
	case len(in.Tags) > maxTags:
		return nil, tooManyTags()
	}
	if err := checkQueueName(in.QueueName, fifo == "true"); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	var b [8]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return nil, err
	}
	now := s.clock.Now().Unix()
	r := &queueRecord{ID: binary.BigEndian.Uint64(b[:]), Name: in.QueueName, Created: now, Modified: now, Version: uint64(s.nowMS()), Tags: in.Tags}
	var err error
	if r.Attributes, err = mergeAttributes(p, r, in.Attributes, true); err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		old, err := s.find(tx, p, in.QueueName)
		if err != nil {
			return err
		}
		if old != nil {
			return sameQueue(old, in.Attributes)
		}
		if err := s.checkRedrive(tx, p, r); err != nil {
			return err
		}
		return record.Set(tx, p.queue(r.Name), r)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &api.CreateQueueOutput{QueueUrl: new(s.url(ctx, p, in.QueueName))}, nil
}

// sameQueue tells whether asking for a queue that is there is no change: what is named has the value that the queue has.
func sameQueue(q *queue, wanted map[string]string) error {
	for name, value := range wanted {
		if have, ok := q.attribute(name); !ok || !sameValue(have, plain(name, value)) {
			return service.Errorf(codeExists, "A queue already exists with the same name and a different value for attribute %s", name)
		}
	}
	return nil
}

// sameValue compares values of attributes; documents are compared as JSON.
func sameValue(a, b string) bool {
	if a == b {
		return true
	}
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	xb, _ := json.Marshal(x)
	yb, _ := json.Marshal(y)
	return bytes.Equal(xb, yb)
}

func (s *Service) deleteQueue(ctx context.Context, in *api.DeleteQueueInput) (*api.DeleteQueueOutput, error) {
	p, name, err := resolve(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		q, err := s.get(tx, p, name)
		if err != nil {
			return err
		}
		span := q.data.Span()
		tx.DeleteRange(span.Lo, span.Hi)
		tx.Delete(p.queue(name))
		tasks := p.tasks(name).Span()
		tx.DeleteRange(tasks.Lo, tasks.Hi)
		tx.OnCommit(func() {
			s.queues.forget(p.queue(name), q.ID)
			s.agenda.drop(q)
			q.live.end()
		})
		return nil
	})
	return &api.DeleteQueueOutput{}, storeError(err)
}

func (s *Service) purgeQueue(ctx context.Context, in *api.PurgeQueueInput) (*api.PurgeQueueOutput, error) {
	p, name, err := resolve(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	now := s.nowMS()
	err = s.change(ctx, p, name, func(tx store.Txn, q *queue, r *queueRecord) error {
		if r.Purged != 0 && now-r.Purged < purgeInterval {
			return service.Errorf(codePurging, "Only one PurgeQueue operation on %s is allowed every 60 seconds.", name)
		}
		r.Purged = now
		span := q.data.Span()
		tx.DeleteRange(span.Lo, span.Hi)
		tx.OnCommit(q.live.clear)
		return nil
	})
	return &api.PurgeQueueOutput{}, err
}

// change runs fn on a copy of a queue's record and stores it.
func (s *Service) change(ctx context.Context, p place, name string, fn func(tx store.Txn, q *queue, r *queueRecord) error) error {
	return storeError(s.store.Update(ctx, func(tx store.Txn) error {
		q, err := s.get(tx, p, name)
		if err != nil {
			return err
		}
		r := q.queueRecord
		r.Attributes, r.Tags = maps.Clone(r.Attributes), maps.Clone(r.Tags)
		if err := fn(tx, q, &r); err != nil {
			return err
		}
		r.Version++
		tx.OnCommit(func() { s.queues.changed(p.queue(name), r.Version) })
		return record.Set(tx, p.queue(name), &r)
	}))
}

func (s *Service) getQueueURL(ctx context.Context, in *api.GetQueueUrlInput) (*api.GetQueueUrlOutput, error) {
	p := placeOf(ctx)
	if in.QueueOwnerAWSAccountId != nil {
		p.account = *in.QueueOwnerAWSAccountId
	}
	if _, err := s.viewNamed(ctx, p, in.QueueName); err != nil {
		return nil, err
	}
	return &api.GetQueueUrlOutput{QueueUrl: new(s.url(ctx, p, in.QueueName))}, nil
}

func (s *Service) listQueues(ctx context.Context, in *api.ListQueuesInput) (*api.ListQueuesOutput, error) {
	p := placeOf(ctx)
	page, err := newPage(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	prefix := p.queues()
	span := prefix.Span()
	if in.QueueNamePrefix != nil {
		span = prefix.StrPrefix(*in.QueueNamePrefix).Span()
	}
	out := &api.ListQueuesOutput{}
	err = s.store.View(ctx, func(r store.Reader) error {
		return page.read(r, span, prefix, func(name string, _ store.Pair) (bool, error) {
			out.QueueUrls = append(out.QueueUrls, s.url(ctx, p, name))
			return true, nil
		})
	})
	out.NextToken = page.next
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}

func (s *Service) listDeadLetterSourceQueues(ctx context.Context, in *api.ListDeadLetterSourceQueuesInput) (*api.ListDeadLetterSourceQueuesOutput, error) {
	p, name, err := resolve(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	page, err := newPage(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListDeadLetterSourceQueuesOutput{QueueUrls: []string{}}
	err = s.store.View(ctx, func(r store.Reader) error {
		target, err := s.get(r, p, name)
		if err != nil {
			return err
		}
		prefix := p.queues()
		return page.read(r, prefix.Span(), prefix, func(name string, pair store.Pair) (bool, error) {
			q, err := s.parsed(p, pair.Key, pair.Value)
			if err != nil || q.redrive == nil || q.redrive.target != target.arn {
				return false, err
			}
			out.QueueUrls = append(out.QueueUrls, s.url(ctx, p, name))
			return true, nil
		})
	})
	out.NextToken = page.next
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}
