package sqs

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	// maxInFlight is how many messages of a queue may be in flight
	// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
	maxInFlight = 120_000
	// moveBudget bounds the bytes of dead letters that one transaction moves.
	moveBudget = 2 << 20
)

// request is what a receiver asks for.
type request struct {
	max        int
	visibility int64 // seconds
	attempt    string
	system     []string
	names      nameFilter
}

// received is a message that goes to a receiver.
type received struct {
	id      id
	state   state
	content []byte
}

func (s *Service) receiveMessage(ctx context.Context, in *api.ReceiveMessageInput) (*api.ReceiveMessageOutput, error) {
	q, err := s.view(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	r, wait, err := newRequest(q, in)
	if err != nil {
		return nil, err
	}
	if err := s.checkKey(ctx, q, keycheck.Read); err != nil {
		return nil, err
	}
	codes, err := s.codes(ctx)
	if err != nil {
		return nil, err
	}
	got, err := s.await(ctx, q, r, wait)
	if err == nil {
		q.live.countReceived(s.clock.Now(), len(got))
	}
	if err != nil || len(got) == 0 {
		return &api.ReceiveMessageOutput{}, err
	}
	out := &api.ReceiveMessageOutput{Messages: make([]api.Message, 0, len(got))}
	for i := range got {
		m, err := q.shown(codes, r, &got[i])
		if err != nil {
			return nil, err
		}
		out.Messages = append(out.Messages, m)
	}
	return out, nil
}

func newRequest(q *queue, in *api.ReceiveMessageInput) (*request, time.Duration, error) {
	r := &request{max: 1, visibility: q.visibility, names: newNameFilter(in.MessageAttributeNames)}
	wait := q.wait
	if n := in.MaxNumberOfMessages; n != nil {
		if *n < 1 || *n > maxBatch {
			return nil, 0, invalid(*n, "MaxNumberOfMessages", "Must be between 1 and %d, if provided.", maxBatch)
		}
		r.max = int(*n)
	}
	if n := in.WaitTimeSeconds; n != nil {
		if *n < 0 || *n > maxWait {
			return nil, 0, invalid(*n, "WaitTimeSeconds", "Must be >= 0 and <= %d, if provided.", maxWait)
		}
		wait = int64(*n)
	}
	if n := in.VisibilityTimeout; n != nil {
		if *n < 0 || *n > maxVisibility {
			return nil, 0, invalid(*n, "VisibilityTimeout", "Must be >= 0 and <= %d, if provided.", maxVisibility)
		}
		r.visibility = int64(*n)
	}
	if a := in.ReceiveRequestAttemptId; a != nil {
		if !q.fifo {
			return nil, 0, invalid(*a, "ReceiveRequestAttemptId", "The request include parameter that is not valid for this queue type.")
		}
		if !groupPattern.MatchString(*a) {
			return nil, 0, invalid(*a, "ReceiveRequestAttemptId", "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to %d in length.", maxGroupID)
		}
		r.attempt = *a
	}
	for _, name := range slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames) {
		if name != "All" && !slices.Contains(systemAttributes, name) {
			return nil, 0, service.Errorf(codeAttributeName, "Unknown Attribute %s.", name)
		}
		r.system = append(r.system, name)
	}
	return r, time.Duration(wait) * time.Second, nil
}

// await takes messages, waiting for them as long as the receiver wants.
func (s *Service) await(ctx context.Context, q *queue, r *request, wait time.Duration) ([]received, error) {
	got, err := s.take(ctx, q, r)
	if err != nil || len(got) > 0 || wait <= 0 {
		return got, err
	}
	deadline := s.clock.NewTimer(wait)
	defer deadline.Stop()
	w := &waiter{woken: make(chan struct{}, 1)}
	defer q.live.leave(w)
	for {
		if q.live.enter(w) {
			select {
			case <-w.woken:
			case <-deadline.C():
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if got, err = s.take(ctx, q, r); err != nil || len(got) > 0 {
			return got, err
		}
	}
}

// take takes what is visible now.
func (s *Service) take(ctx context.Context, q *queue, r *request) ([]received, error) {
	if q.live.crowded() {
		if q.fifo {
			return nil, nil
		}
		return nil, service.Errorf(codeOverLimit, "The queue has %d messages in flight, which is the limit. Delete messages that were processed, or lower the visibility timeout.", maxInFlight).WithStatus(403)
	}
	if r.attempt != "" {
		if got, err := s.repeat(ctx, q, r); err != nil || got != nil {
			return got, err
		}
	}
	for {
		t := &taking{request: r, live: q.live, groups: q.fifo}
		if err := t.fill(ctx, q); err != nil {
			return nil, storeError(err)
		}
		if len(t.claimed) == 0 {
			return nil, s.stillThere(ctx, q)
		}
		err := s.update(ctx, func(w *work) error { return t.run(w, q) })
		if err != nil {
			q.live.add(t.claimed...)
			return nil, err
		}
		q.live.add(t.unused...)
		if len(t.got) == 0 {
			continue
		}
		if ctx.Err() != nil {
			return nil, s.giveBack(ctx, q, t.got)
		}
		return t.got, nil
	}
}

// stillThere tells a receiver that found nothing whether its queue was deleted.
func (s *Service) stillThere(ctx context.Context, q *queue) error {
	q.live.mu.Lock()
	ended := q.live.ended
	q.live.mu.Unlock()
	if !ended {
		return nil
	}
	_, err := s.viewNamed(ctx, q.place, q.Name)
	if err == nil {
		return noQueue() // made again since: the receiver's queue is gone
	}
	return err
}

// taking is one attempt to receive: the entries that it claimed, and what it got for them.
type taking struct {
	*request

	live    *live
	groups  bool // the entries are groups
	claimed []entry
	got     []received
	// unused are entries that were claimed and stay ready.
	unused []entry
	moved  int // bytes
}

// fill claims entries to begin with, reading from the store when memory has none.
func (t *taking) fill(ctx context.Context, q *queue) error {
	for {
		if t.claimed = t.live.claim(t.lacking()); len(t.claimed) > 0 || t.live.exhausted() {
			return nil
		}
		if err := q.load(ctx); err != nil {
			return err
		}
	}
}

// run takes the claimed entries in a transaction.
func (t *taking) run(w *work, known *queue) error {
	t.got, t.unused, t.moved = t.got[:0], nil, 0
	q, err := w.s.get(w.tx, known.place, known.Name)
	if err != nil {
		return err
	}
	if q.ID != known.ID {
		return noQueue()
	}
	dead, err := w.deadLetters(q)
	if err != nil {
		return err
	}
	if !q.fifo {
		t.prefetch(w, q)
	}
	err = t.each(func(e entry) error {
		if q.fifo {
			return t.runGroup(w, q, dead, e)
		}
		return t.runMessage(w, q, dead, e)
	})
	if err != nil || t.attempt == "" || len(t.got) == 0 {
		return err
	}
	w.rememberAttempt(q, t)
	return nil
}

// each calls fn with the claimed entries in order until there are enough messages. It claims more where entries turned out to be from an earlier
// time, and leaves unused what it did not come to.
func (t *taking) each(fn func(e entry) error) error {
	i := 0
	for ; len(t.got) < t.max && t.moved < moveBudget; i++ {
		if i == len(t.claimed) {
			more := t.live.claim(t.lacking())
			if len(more) == 0 {
				return nil
			}
			t.claimed = append(t.claimed, more...)
		}
		if err := fn(t.claimed[i]); err != nil {
			return err
		}
	}
	t.unused = append(t.unused, t.claimed[i:]...)
	return nil
}

// lacking returns how many entries to claim next. A group may hold all that is wanted.
func (t *taking) lacking() int {
	if t.groups {
		return 1
	}
	return t.max - len(t.got)
}

// prefetch reads the states and contents of the claimed messages at once.
func (t *taking) prefetch(w *work, q *queue) {
	keys := make([][]byte, 0, 2*len(t.claimed))
	for _, e := range t.claimed {
		keys = append(keys, q.bodyKey(idAt([]byte(e.key)), 0))
	}
	for _, e := range t.claimed {
		keys = append(keys, q.stateKey(idAt([]byte(e.key))))
	}
	w.tx.Prefetch(keys...)
}

func (t *taking) runMessage(w *work, q, dead *queue, e entry) error {
	id := idAt([]byte(e.key))
	st, ok, err := q.state(w.tx, id)
	if err != nil || !ok || st.where != visible {
		return err // taken by someone else since
	}
	return t.one(w, q, dead, id, &st)
}

func (t *taking) runGroup(w *work, q, dead *queue, e entry) error {
	name := e.group
	g, ok, err := q.group(w.tx, name)
	if err != nil || !ok || g.ready == 0 || g.ready != e.sequence() {
		return err // the entry is from an earlier time
	}
	span := q.groupMessages(name).Span()
	span.Lo = q.groupMessage(name, g.head)
	for p, err := range w.tx.Range(span) {
		if err != nil {
			return err
		}
		if len(t.got) == t.max || t.moved >= moveBudget {
			break
		}
		id := idAt(p.Key)
		st, ok, err := q.state(w.tx, id)
		if err != nil {
			return err
		}
		if !ok || st.where != visible {
			break // what is behind a hidden message waits for it
		}
		if err := t.one(w, q, dead, id, &st); err != nil {
			return err
		}
	}
	return w.refresh(q, name)
}

// one receives a visible message, or sends it to where it belongs instead.
func (t *taking) one(w *work, q, dead *queue, id id, st *state) error {
	if id.enqueued()+q.retention*1000 <= w.now {
		w.remove(q, id, *st)
		return nil
	}
	if dead != nil && st.received >= uint64(q.redrive.maxReceives) {
		n, err := w.bury(q, dead, id, *st)
		t.moved += n
		return err
	}
	content, err := q.readContent(w.tx, id, st.parts)
	if err != nil {
		return err
	}
	st.received++
	if st.first == 0 {
		st.first = w.now
	}
	if t.visibility == 0 {
		// It is received and visible again at once.
		w.tx.Set(q.stateKey(id), st.encode())
		if !q.fifo {
			w.announce(q, id, st.group)
		}
	} else {
		w.hide(q, id, st, w.now+t.visibility*1000)
	}
	t.got = append(t.got, received{id: id, state: *st, content: content})
	return nil
}

// giveBack makes messages visible again, as if they had not been received, when their receiver is gone.
func (s *Service) giveBack(ctx context.Context, known *queue, got []received) error {
	cause := ctx.Err()
	err := s.update(context.WithoutCancel(ctx), func(w *work) error {
		q, err := s.get(w.tx, known.place, known.Name)
		if err != nil {
			return err
		}
		groups := newGroups(q)
		for _, m := range got {
			st, ok, err := q.state(w.tx, m.id)
			if err != nil {
				return err
			}
			if !ok || st.where != inFlight || st.received != m.state.received {
				continue
			}
			if st.received--; st.received == 0 {
				st.first = 0
			}
			w.show(q, m.id, &st)
			groups.add(st.group)
		}
		return groups.refresh(w)
	})
	return errors.Join(cause, err)
}

// groups are the FIFO groups that a transaction changed.
type groups struct {
	q     *queue
	names []string
}

func newGroups(q *queue) *groups { return &groups{q: q} }

func (g *groups) add(name string) {
	if g.q.fifo && !slices.Contains(g.names, name) {
		g.names = append(g.names, name)
	}
}

func (g *groups) refresh(w *work) error {
	for _, name := range g.names {
		if err := w.refresh(g.q, name); err != nil {
			return err
		}
	}
	return nil
}

// rememberAttempt keeps what a receive request attempt was answered.
func (w *work) rememberAttempt(q *queue, t *taking) {
	expires := w.now + dedupWindow
	value := binary.BigEndian.AppendUint64(nil, uint64(expires))
	for _, m := range t.got {
		value = append(value, m.id[:]...)
		value = binary.BigEndian.AppendUint64(value, m.state.received)
	}
	w.keep(q, q.attemptKey(t.attempt), value, expires)
}

// repeat answers a receive request attempt that was answered before: with the same messages and handles, whose visibility begins anew, when none of
// them was deleted, received again or changed. It returns nil when there is nothing to repeat.
func (s *Service) repeat(ctx context.Context, known *queue, r *request) (got []received, err error) {
	err = s.update(ctx, func(w *work) error {
		got = nil
		q, err := s.get(w.tx, known.place, known.Name)
		if err != nil {
			return err
		}
		b, err := w.tx.Get(q.attemptKey(r.attempt))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(b) < 8 || int64(binary.BigEndian.Uint64(b)) <= w.now {
			return nil
		}
		const size = len(id{}) + 8
		var found []received
		for b = b[8:]; len(b) >= size; b = b[size:] {
			m := received{id: idAt(b[:len(id{})])}
			var ok bool
			if m.state, ok, err = q.state(w.tx, m.id); err != nil {
				return err
			}
			if !ok || m.state.where != inFlight || m.state.received != binary.BigEndian.Uint64(b[len(id{}):]) {
				return nil
			}
			if m.content, err = q.readContent(w.tx, m.id, m.state.parts); err != nil {
				return err
			}
			found = append(found, m)
		}
		for i := range found {
			m := &found[i]
			w.hide(q, m.id, &m.state, w.now+r.visibility*1000)
		}
		got = found
		return nil
	})
	return got, err
}

// systemAttributes are the names of the system attributes of a message.
var systemAttributes = []string{
	"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "SequenceNumber", "MessageDeduplicationId", "MessageGroupId",
	traceHeader, "DeadLetterQueueSourceArn",
}

// shown returns a message as its receiver sees it.
func (q *queue) shown(codes *codes, r *request, m *received) (api.Message, error) {
	c, err := decodeContent(m.content)
	if err != nil {
		return api.Message{}, err
	}
	out := api.Message{
		MessageId: new(m.id.String()), ReceiptHandle: new(q.handle(codes, m.id, m.state.received)), MD5OfBody: new(hex.EncodeToString(c.digest[:])), Body: &c.body,
	}
	q.showSystem(&out, r.system, m, c)
	var chosen []attribute
	for _, a := range c.attributes {
		if !r.names.matches(a.name) {
			continue
		}
		chosen = append(chosen, a)
		if out.MessageAttributes == nil {
			out.MessageAttributes = map[string]api.MessageAttributeValue{}
		}
		v := api.MessageAttributeValue{DataType: a.kind}
		if a.binary() {
			v.BinaryValue = []byte(a.value)
		} else {
			v.StringValue = new(a.value)
		}
		out.MessageAttributes[a.name] = v
	}
	out.MD5OfMessageAttributes = digestAttributes(chosen)
	return out, nil
}

func (q *queue) showSystem(out *api.Message, wanted []string, m *received, c *content) {
	if len(wanted) == 0 {
		return
	}
	all := slices.Contains(wanted, "All")
	set := func(name, value string) {
		if value != "" && (all || slices.Contains(wanted, name)) {
			if out.Attributes == nil {
				out.Attributes = make(map[string]string, len(systemAttributes))
			}
			out.Attributes[name] = value
		}
	}
	set("SenderId", c.sender)
	set("SentTimestamp", strconv.FormatInt(c.sent, 10))
	set("ApproximateReceiveCount", strconv.FormatUint(m.state.received, 10))
	set("ApproximateFirstReceiveTimestamp", strconv.FormatInt(m.state.first, 10))
	set("MessageGroupId", m.state.group)
	set(traceHeader, c.trace)
	set("DeadLetterQueueSourceArn", m.state.source)
	if q.fifo {
		set("SequenceNumber", sequenceNumber(m.id))
		set("MessageDeduplicationId", c.dedup)
	}
}

// nameFilter says which message attributes a receiver wants.
type nameFilter struct {
	all      bool
	names    []string
	prefixes []string
}

func newNameFilter(wanted []string) nameFilter {
	var f nameFilter
	for _, name := range wanted {
		if name == "All" || name == "*" || name == ".*" {
			f.all = true
		} else if prefix, ok := strings.CutSuffix(name, ".*"); ok {
			f.prefixes = append(f.prefixes, prefix)
		} else {
			f.names = append(f.names, name)
		}
	}
	return f
}

func (f *nameFilter) matches(name string) bool {
	return f.all || slices.Contains(f.names, name) || slices.ContainsFunc(f.prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
