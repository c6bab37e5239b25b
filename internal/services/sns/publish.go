package sns

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of a publish (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html).
const (
	maxMessage    = 256 << 10 // bytes, with its attributes
	maxSubject    = 100       // characters
	maxBatch      = 10
	maxEntryID    = 80
	maxAttribute  = 256 // characters of a name
	maxDedupID    = 128
	dedupWindow   = 5 * 60_000 // milliseconds
	maxSweep      = 8          // expired rows that one publish clears away
	sequenceShift = 20
	firstSequence = 10_000_000_000_000_000_000 // makes sequence numbers of 20 digits
)

func (s *Service) publish(ctx context.Context, in *api.PublishInput) (*api.PublishOutput, error) {
	entry := api.PublishBatchRequestEntry{
		Message: in.Message, Subject: in.Subject, MessageStructure: in.MessageStructure, MessageAttributes: in.MessageAttributes,
		MessageDeduplicationId: in.MessageDeduplicationId, MessageGroupId: in.MessageGroupId,
	}
	if in.PhoneNumber != nil {
		return s.publishToPhone(ctx, *in.PhoneNumber, &entry)
	}
	target := ""
	switch {
	case in.TopicArn != nil:
		target = *in.TopicArn
	case in.TargetArn != nil:
		target = *in.TargetArn
	}
	if a, err := arn.Parse(target); err == nil && strings.HasPrefix(a.Resource, "endpoint/") {
		return s.publishToEndpoint(ctx, target, &entry)
	}
	t, err := s.viewTopic(ctx, target)
	if err != nil {
		return nil, err
	}
	m, err := s.compose(ctx, t, &entry)
	if err != nil {
		return nil, err
	}
	if err := s.checkKey(ctx, t); err != nil {
		return nil, err
	}
	if err := s.send(ctx, t, []*message{m}); err != nil {
		return nil, err
	}
	out := &api.PublishOutput{MessageId: &m.ID}
	if t.fifo() {
		out.SequenceNumber = &m.Sequence
	}
	return out, nil
}

func (s *Service) publishBatch(ctx context.Context, in *api.PublishBatchInput) (*api.PublishBatchOutput, error) {
	t, err := s.viewTopic(ctx, in.TopicArn)
	if err != nil {
		return nil, err
	}
	if err := checkEntries(in.PublishBatchRequestEntries); err != nil {
		return nil, err
	}
	if err := s.checkKey(ctx, t); err != nil {
		return nil, err
	}
	out := &api.PublishBatchOutput{Successful: []api.PublishBatchResultEntry{}, Failed: []api.BatchResultErrorEntry{}}
	var all []*message
	for i := range in.PublishBatchRequestEntries {
		e := &in.PublishBatchRequestEntries[i]
		m, err := s.compose(ctx, t, e)
		if err != nil {
			return nil, err // one bad entry fails the batch
		}
		all = append(all, m)
		out.Successful = append(out.Successful, api.PublishBatchResultEntry{Id: &e.Id, MessageId: &m.ID})
		if t.fifo() {
			out.Successful[len(out.Successful)-1].SequenceNumber = &m.Sequence
		}
	}
	return out, s.send(ctx, t, all)
}

var entryID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func batchError(code, format string, args ...any) error {
	return service.Errorf(code, format, args...).WithStatus(400)
}

func checkEntries(entries []api.PublishBatchRequestEntry) error {
	switch {
	case len(entries) == 0:
		return batchError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
	case len(entries) > maxBatch:
		return batchError("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
	}
	seen := map[string]bool{}
	size := 0
	for i := range entries {
		e := &entries[i]
		switch {
		case len(e.Id) > maxEntryID:
			return batchError("InvalidBatchEntryId", "The Id of a batch entry in the batch request is too long: %s", e.Id)
		case !entryID.MatchString(e.Id):
			return batchError("InvalidBatchEntryId", "The Id of a batch entry in the batch request contains an impermissible character: %s", e.Id)
		case seen[e.Id]:
			return batchError("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
		}
		seen[e.Id] = true
		size += sizeOf(e)
	}
	if size > maxMessage {
		return batchError("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
	}
	return nil
}

// sizeOf returns what counts against the limit, in bytes.
func sizeOf(e *api.PublishBatchRequestEntry) int {
	n := len(e.Message)
	for name, a := range e.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.BinaryValue)
		if a.StringValue != nil {
			n += len(*a.StringValue)
		}
	}
	return n
}

// compose checks a message and takes it apart.
func (s *Service) compose(ctx context.Context, t *topic, e *api.PublishBatchRequestEntry) (*message, error) {
	if e.Message == "" {
		return nil, invalid("Empty message")
	}
	if sizeOf(e) > maxMessage {
		return nil, invalid("Message too long")
	}
	if err := checkSubject(e.Subject); err != nil {
		return nil, err
	}
	if err := checkAttributes(e.MessageAttributes); err != nil {
		return nil, err
	}
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	m := &message{ID: id, Subject: e.Subject, Body: e.Message, Timestamp: s.deps.Clock.Now().UTC().Format(timestampFormat), Trace: service.RequestFrom(ctx).Trace}
	for name, a := range e.MessageAttributes {
		if m.Attributes == nil {
			m.Attributes = map[string]port.QueueAttribute{}
		}
		x := port.QueueAttribute{Type: a.DataType, Binary: a.BinaryValue}
		if a.StringValue != nil {
			x.Text = *a.StringValue
		}
		m.Attributes[name] = x
	}
	if e.MessageStructure != nil && *e.MessageStructure == "json" {
		if err := m.structure(t != nil); err != nil {
			return nil, err
		}
	}
	if t == nil {
		return m, nil
	}
	m.TopicARN = t.arn
	return m, m.order(t, e)
}

func checkSubject(subject *string) error {
	if subject == nil {
		return nil
	}
	if *subject == "" {
		return invalid("Subject")
	}
	for _, c := range *subject {
		if c < ' ' {
			return invalid("Subject")
		}
	}
	if len([]rune(*subject)) > maxSubject {
		return invalid("Subject")
	}
	return nil
}

// structure takes a message with a body for each protocol apart. One for a topic must have a default.
func (m *message) structure(topic bool) error {
	var doc map[string]any
	if json.Unmarshal([]byte(m.Body), &doc) != nil || doc == nil {
		return invalid("Message Structure - JSON message body failed to parse")
	}
	for protocol, v := range doc {
		if text, ok := v.(string); ok {
			if m.ByProtocol == nil {
				m.ByProtocol = map[string]string{}
			}
			m.ByProtocol[protocol] = text
		}
	}
	text, ok := m.ByProtocol["default"]
	if !ok && (topic || len(m.ByProtocol) == 0) {
		return invalid("Message Structure - No default entry in JSON message body")
	}
	m.Body = text
	delete(m.ByProtocol, "default")
	return nil
}

var groupPattern = regexp.MustCompile(`^[a-zA-Z0-9!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + "`" + `{|}~]{1,128}$`)

// order takes the ids that FIFO topics ask for.
func (m *message) order(t *topic, e *api.PublishBatchRequestEntry) error {
	for _, v := range []struct {
		name  string
		value *string
	}{{"MessageGroupId", e.MessageGroupId}, {"MessageDeduplicationId", e.MessageDeduplicationId}} {
		if v.value != nil && !groupPattern.MatchString(*v.value) {
			return invalid("%s Reason: it has 1 to %d alphanumeric and punctuation characters", v.name, maxDedupID)
		}
	}
	if e.MessageGroupId != nil {
		m.Group = *e.MessageGroupId
	}
	if !t.fifo() {
		if e.MessageDeduplicationId != nil {
			return invalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
		}
		return nil
	}
	if m.Group == "" {
		return invalid("The MessageGroupId parameter is required for FIFO topics")
	}
	switch {
	case e.MessageDeduplicationId != nil:
		m.Deduplication = *e.MessageDeduplicationId
	case t.Attributes["ContentBasedDeduplication"] == "true":
		sum := sha256.Sum256([]byte(e.Message))
		m.Deduplication = hex.EncodeToString(sum[:])
	default:
		return invalid("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	return nil
}

func checkAttributes(all map[string]api.MessageAttributeValue) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := checkAttributeName(name); err != nil {
			return err
		}
		if err := checkAttribute(name, all[name]); err != nil {
			return err
		}
	}
	return nil
}

func checkAttributeName(name string) error {
	if len(name) > maxAttribute {
		return badValue("Length of message attribute name must be less than %d bytes.", maxAttribute)
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return badValue("Invalid non-alphanumeric character '#x%X' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.", c)
		}
	}
	switch {
	case strings.HasPrefix(name, "."):
		return badValue("Invalid message attribute name starting with character '.' was found.")
	case strings.HasSuffix(name, "."):
		return badValue("Invalid message attribute name ending with character '.' was found.")
	case strings.Contains(name, ".."):
		return badValue("Message attribute name can not have successive '.' character.")
	}
	return nil
}

func checkAttribute(name string, a api.MessageAttributeValue) error {
	kind, label, labelled := strings.Cut(a.DataType, ".")
	if kind != "String" && kind != "Number" && kind != "Binary" || labelled && label == "" {
		return badValue("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	}
	text, binary := a.StringValue != nil && *a.StringValue != "", len(a.BinaryValue) > 0
	switch {
	case kind == "Binary" && text:
		return badValue("The message attribute '%s' with type '%s' must use field 'Binary'.", name, a.DataType)
	case kind != "Binary" && binary:
		return badValue("The message attribute '%s' with type '%s' must use field 'String'.", name, a.DataType)
	case !text && !binary:
		return badValue("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, a.DataType)
	case kind == "Number":
		if !json.Valid([]byte(strings.TrimPrefix(*a.StringValue, "+"))) {
			return badValue("Could not cast message attribute '%s' value to number.", name)
		}
	case kind == "String" && label == "Array":
		var list []any
		if json.Unmarshal([]byte(*a.StringValue), &list) != nil {
			return badValue("Message attribute '%s' value is not valid JSON array.", name)
		}
	}
	return nil
}

// errChanged says that a topic changed between the decisions and the transaction.
var errChanged = errors.New("topic changed")

// maxTries bounds how often a publish begins again because the topic changed.
const maxTries = 20

// send publishes messages in one transaction.
func (s *Service) send(ctx context.Context, t *topic, all []*message) error {
	for range maxTries {
		plans, err := s.plan(ctx, t, all)
		if err != nil {
			return err
		}
		err = s.options.Queues.Send(ctx, func(tx store.Txn, send func(string, *port.QueueMessage) error) error {
			b, err := tx.Get(t.place.topic(t.Name))
			if errors.Is(err, store.ErrNotFound) {
				return notFound("Topic")
			}
			if err != nil {
				return err
			}
			if string(b) != string(t.record) {
				return errChanged
			}
			for _, p := range plans {
				p.done, p.repeats = 0, nil // the closure may have run before
				if err := s.commit(ctx, tx, send, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			for _, p := range plans {
				if p.repeats != nil {
					p.m.ID, p.m.Sequence = p.repeats.ID, p.repeats.Sequence
				}
				s.tellAll(ctx, p)
			}
			return nil
		}
		if !errors.Is(err, errChanged) {
			return storeError(err)
		}
		if t, err = s.viewTopic(ctx, t.arn); err != nil {
			return err
		}
	}
	return storeError(fmt.Errorf("%w: the subscriptions of %s change all the time", store.ErrConflict, t.arn))
}

// commit writes one message of a publish: what a FIFO topic keeps of it, and its deliveries.
func (s *Service) commit(ctx context.Context, tx store.Txn, send sender, p *plan) error {
	if p.t.fifo() {
		before, err := s.enter(tx, p.t, p.m.message)
		if p.repeats = before; err != nil || before != nil {
			return err
		}
		// The closure may have run before, with another sequence number, which the signatures do not cover.
		signed := p.m.byText
		p.m = s.seal(p.t, p.m.message)
		p.m.byText = signed
	}
	return s.deliver(ctx, tx, send, p)
}

// fifoRow is what a FIFO topic keeps of a deduplication id.
type fifoRow struct {
	Expires      int64
	ID, Sequence string
}

// enter gives a message of a FIFO topic its sequence number, or returns what is kept of the message that it repeats.
func (s *Service) enter(tx store.Txn, t *topic, m *message) (*fifoRow, error) {
	scope := "t"
	if t.Attributes["FifoThroughputScope"] == "MessageGroup" {
		scope = "g" + m.Group
	}
	k := t.place.dedup(t.Name, scope, m.Deduplication)
	now := s.nowMS()
	row, ok, err := record.Get[fifoRow](tx, k)
	if err != nil {
		return nil, err
	}
	if ok && row.Expires > now {
		return &row, nil
	}
	sequence, err := s.nextSequence(tx, t, uint64(now))
	if err != nil {
		return nil, err
	}
	m.Sequence = fmt.Sprintf("%020d", sequence+firstSequence)
	row = fifoRow{now + dedupWindow, m.ID, m.Sequence}
	if err := record.Set(tx, k, row); err != nil {
		return nil, err
	}
	if err := record.Set(tx, t.place.dedups(t.Name).Str("x").Uint(sequence), []byte(k)); err != nil {
		return nil, err
	}
	return nil, s.keep(tx, t, sequence, m, now)
}

// nextSequence returns the next sequence number of a FIFO topic: the time, and a counter.
func (s *Service) nextSequence(tx store.Txn, t *topic, now uint64) (uint64, error) {
	k := t.place.dedups(t.Name).Str("n")
	last, _, err := record.Get[uint64](tx, k)
	if err != nil {
		return 0, err
	}
	next := max(last+1, now<<sequenceShift)
	if err := record.Set(tx, k, next); err != nil {
		return 0, err
	}
	return next, s.sweepDedups(tx, t, now)
}

// sweepDedups clears away a few deduplication ids whose time is over.
func (s *Service) sweepDedups(tx store.Txn, t *topic, now uint64) error {
	prefix := t.place.dedups(t.Name).Str("x")
	if now < dedupWindow {
		return nil
	}
	span := store.Span{Lo: prefix, Hi: prefix.Uint((now - dedupWindow) << sequenceShift), Limit: maxSweep}
	for row, err := range record.Range[[]byte](tx, span) {
		if err != nil {
			return err
		}
		old, ok, err := record.Get[fifoRow](tx, row.Value)
		if err != nil {
			return err
		}
		if ok && old.Expires <= int64(now) {
			tx.Delete(row.Value)
		}
		tx.Delete(row.Key)
	}
	return nil
}
