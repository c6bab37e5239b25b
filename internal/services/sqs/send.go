package sqs

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"lambent.dev/lambent/internal/auth/keycheck"
	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

const (
	maxAttributes    = 10
	maxAttributeName = 256 // characters
	maxAttributeType = 256
	maxGroupID       = 128
	maxBatch         = 10
	maxBatchBytes    = 1 << 20
	maxEntryID       = 80
	traceHeader      = "AWSTraceHeader"
)

// outgoing is a message that is sent, checked as far as it can be without the queue's state.
type outgoing struct {
	uuid    [16]byte
	content content
	group   string
	delay   *int32
	// system is the digest of the system attributes.
	attributesDigest, systemDigest *string
	size                           int64
}

// sent is what a sender is told.
type sent struct {
	id       id
	sequence *string
}

func (s *Service) sendMessage(ctx context.Context, in *api.SendMessageInput) (*api.SendMessageOutput, error) {
	q, err := s.view(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	m, err := s.compose(ctx, q, &api.SendMessageBatchRequestEntry{
		MessageBody: in.MessageBody, DelaySeconds: in.DelaySeconds, MessageAttributes: in.MessageAttributes,
		MessageSystemAttributes: in.MessageSystemAttributes, MessageDeduplicationId: in.MessageDeduplicationId, MessageGroupId: in.MessageGroupId,
	})
	if err != nil {
		return nil, err
	}
	if m.size > q.maxSize {
		return nil, tooLong(q.maxSize)
	}
	if q.fifo && in.MessageGroupId == nil {
		return nil, missing("MessageGroupId")
	}
	if err := m.checkDedup(q); err != nil {
		return nil, err
	}
	out, err := s.deliver(ctx, q, []*outgoing{m})
	if err != nil {
		return nil, err
	}
	return &api.SendMessageOutput{
		MD5OfMessageBody: new(hex.EncodeToString(m.content.digest[:])), MD5OfMessageAttributes: m.attributesDigest,
		MD5OfMessageSystemAttributes: m.systemDigest, MessageId: new(out[0].id.String()), SequenceNumber: out[0].sequence,
	}, nil
}

func (s *Service) sendMessageBatch(ctx context.Context, in *api.SendMessageBatchInput) (*api.SendMessageBatchOutput, error) {
	if err := checkBatch(in.Entries, func(e *api.SendMessageBatchRequestEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	q, err := s.view(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	out := &api.SendMessageBatchOutput{}
	var good []*outgoing
	var ids []string
	total := int64(0)
	for i := range in.Entries {
		e := &in.Entries[i]
		m, err := s.compose(ctx, q, e)
		if err != nil {
			var known *service.Error
			if e.MessageBody == "" || !errors.As(err, &known) {
				return nil, err
			}
			out.Failed = append(out.Failed, failedEntry(e.Id, known))
			continue
		}
		if q.fifo && e.MessageGroupId == nil {
			return nil, service.Errorf(codeValue, "The request must contain the parameter MessageGroupId.")
		}
		if err := m.checkDedup(q); err != nil {
			return nil, err
		}
		total += m.size
		if m.size > q.maxSize {
			known := service.Errorf(codeValue, "One or more parameters cannot be validated. Reason: Message must be shorter than %d bytes.", q.maxSize)
			out.Failed = append(out.Failed, failedEntry(e.Id, known))
			continue
		}
		good, ids = append(good, m), append(ids, e.Id)
	}
	if total > maxBatchBytes {
		return nil, service.Errorf(codeBatchTooLong, "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBatchBytes, total)
	}
	if len(good) == 0 {
		return out, nil
	}
	done, err := s.deliver(ctx, q, good)
	if err != nil {
		return nil, err
	}
	for i, m := range good {
		out.Successful = append(out.Successful, api.SendMessageBatchResultEntry{
			Id: ids[i], MessageId: done[i].id.String(), MD5OfMessageBody: hex.EncodeToString(m.content.digest[:]),
			MD5OfMessageAttributes: m.attributesDigest, MD5OfMessageSystemAttributes: m.systemDigest, SequenceNumber: done[i].sequence,
		})
	}
	return out, nil
}

// failedEntry is the result of an entry of a batch that failed.
func failedEntry(id string, e *service.Error) api.BatchResultErrorEntry {
	return api.BatchResultErrorEntry{Id: id, SenderFault: e.Status < 500, Code: queryCode(e.Code), Message: new(e.Message)}
}

// queryCode is the code of an unmodelled error as results of entries have it.
func queryCode(code string) string {
	if code == codeMissing {
		return "MissingParameter"
	}
	return strings.TrimSuffix(code, "Exception")
}

// checkBatch checks what all batches have in common.
func checkBatch[E any](entries []E, id func(e *E) string) error {
	if len(entries) == 0 {
		return service.Errorf(codeEmptyBatch, "There should be at least one %s in the request.", entryName[E]())
	}
	if len(entries) > maxBatch {
		return service.Errorf(codeTooManyEntries, "Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(entries))
	}
	seen := make(map[string]bool, len(entries))
	for i := range entries {
		name := id(&entries[i])
		if len(name) > maxEntryID || !plainName(name) {
			return service.Errorf(codeEntryID, "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[name] {
			return service.Errorf(codeEntryIDsNotEqual, "Id %s repeated.", name)
		}
		seen[name] = true
	}
	return nil
}

// entryName is the name of a batch's entries in the API.
func entryName[E any]() string {
	name := fmt.Sprintf("%T", *new(E))
	return name[strings.LastIndexByte(name, '.')+1:]
}

// compose checks a message and takes it apart.
func (s *Service) compose(ctx context.Context, q *queue, e *api.SendMessageBatchRequestEntry) (*outgoing, error) {
	if e.MessageBody == "" {
		return nil, missing("MessageBody")
	}
	if err := checkText(e.MessageBody); err != nil {
		return nil, err
	}
	if err := checkMessageAttributes(e.MessageAttributes); err != nil {
		return nil, err
	}
	if err := checkDelay(q, e.DelaySeconds); err != nil {
		return nil, err
	}
	if err := checkIDs(e); err != nil {
		return nil, err
	}
	r := service.RequestFrom(ctx)
	m := &outgoing{delay: e.DelaySeconds, content: content{body: e.MessageBody, digest: md5.Sum([]byte(e.MessageBody)), attributes: attributesOf(e.MessageAttributes)}}
	if err := s.identify(m); err != nil {
		return nil, err
	}
	m.attributesDigest = digestAttributes(m.content.attributes)
	if err := m.addSystem(r, e.MessageSystemAttributes); err != nil {
		return nil, err
	}
	m.content.sender = r.Principal.UserID
	if e.MessageGroupId != nil {
		m.group = *e.MessageGroupId
	}
	m.content.dedup = dedupID(q, e)
	m.size = m.measure()
	return m, nil
}

// identify gives a message its UUID.
func (s *Service) identify(m *outgoing) error {
	if _, err := io.ReadFull(s.random, m.uuid[:]); err != nil {
		return err
	}
	m.uuid[6], m.uuid[8] = m.uuid[6]&0x0f|0x40, m.uuid[8]&0x3f|0x80
	return nil
}

// addSystem takes the system attributes: the trace header, which may come in the head of the request too.
func (m *outgoing) addSystem(r *service.Request, system map[string]api.MessageSystemAttributeValue) error {
	for name, v := range system {
		if name != traceHeader {
			return service.Errorf(codeValue, "Message system attribute name '%s' is invalid.", name)
		}
		if v.StringValue == nil || !strings.HasPrefix(v.DataType, "String") {
			return service.Errorf(codeValue, "Message (system) attribute '%s' must contain a non-empty value of type 'String'.", name)
		}
		m.content.trace = *v.StringValue
		m.systemDigest = digestAttributes([]attribute{{name, v.DataType, *v.StringValue}})
	}
	if m.content.trace == "" {
		m.content.trace = r.Trace
	}
	return nil
}

// measure returns what counts against the limits, in bytes.
func (m *outgoing) measure() int64 {
	n := len(m.content.body)
	for _, a := range m.content.attributes {
		n += len(a.name) + len(a.kind) + len(a.value)
	}
	return int64(n)
}

// dedupID returns the deduplication id of a message: the one that was given, or the digest of the body.
func dedupID(q *queue, e *api.SendMessageBatchRequestEntry) string {
	switch {
	case e.MessageDeduplicationId != nil:
		return *e.MessageDeduplicationId
	case q.fifo && q.contentDedup:
		sum := sha256.Sum256([]byte(e.MessageBody))
		return hex.EncodeToString(sum[:])
	}
	return ""
}

func (m *outgoing) checkDedup(q *queue) error {
	if q.fifo && m.content.dedup == "" {
		return service.Errorf(codeValue, "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	return nil
}

func checkDelay(q *queue, delay *int32) error {
	switch {
	case delay == nil:
		return nil
	case *delay < 0 || *delay > maxDelay:
		return invalid(*delay, "DelaySeconds", "DelaySeconds must be >= 0 and <= %d.", maxDelay)
	case q.fifo && *delay != 0:
		return invalid(*delay, "DelaySeconds", "The request include parameter that is not valid for this queue type.")
	}
	return nil
}

var groupPattern = regexp.MustCompile(`^[a-zA-Z0-9!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + "`" + `{|}~]{1,128}$`)

func checkIDs(e *api.SendMessageBatchRequestEntry) error {
	for _, v := range []struct {
		name  string
		value *string
	}{{"MessageGroupId", e.MessageGroupId}, {"MessageDeduplicationId", e.MessageDeduplicationId}} {
		if v.value != nil && !groupPattern.MatchString(*v.value) {
			return invalid(*v.value, v.name, "%s can only include alphanumeric and punctuation characters. 1 to %d in length.", v.name, maxGroupID)
		}
	}
	return nil
}

// checkText tells whether a text has only the characters that XML can carry.
func checkText(s string) error {
	for len(s) > 0 && (s[0] >= ' ' && s[0] < utf8.RuneSelf || s[0] == '\t' || s[0] == '\n' || s[0] == '\r') {
		s = s[1:] // most are of nothing else
	}
	for i, c := range s {
		ok := c == '\t' || c == '\n' || c == '\r' || c >= ' ' && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd || c >= 0x10000
		if c == utf8.RuneError {
			_, size := utf8.DecodeRuneInString(s[i:])
			ok = size > 1
		}
		if !ok {
			return service.Errorf(codeContents, "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
		}
	}
	return nil
}

// attributeName takes letters of every script, as SQS does.
var attributeName = regexp.MustCompile(`^[\p{L}\p{N}_\-]+(\.[\p{L}\p{N}_\-]+)*$`)

func checkMessageAttributes(all map[string]api.MessageAttributeValue) error {
	if len(all) > maxAttributes {
		return service.Errorf(codeValue, "Number of message attributes [%d] exceeds the allowed maximum [%d].", len(all), maxAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := checkMessageAttribute(name, all[name]); err != nil {
			return err
		}
	}
	return nil
}

func checkMessageAttribute(name string, v api.MessageAttributeValue) error {
	lower := strings.ToLower(name)
	switch {
	case !attributeName.MatchString(name) || len(name) > maxAttributeName || strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return service.Errorf(codeValue, "Message (user) attribute name '%s' is invalid: it has 1 to %d of the characters A-Z, a-z, 0-9, underscore, hyphen and period, does not begin or end with a period or have two in a row, and does not begin with AWS. or Amazon.", name, maxAttributeName)
	case v.DataType == "":
		return service.Errorf(codeValue, "The message attribute '%s' must contain non-empty message attribute type.", name)
	case len(v.DataType) > maxAttributeType:
		return service.Errorf(codeValue, "The type of message (user) attribute '%s' is longer than %d bytes.", name, maxAttributeType)
	case len(v.StringListValues)+len(v.BinaryListValues) > 0:
		return service.Errorf(codeValue, "Message attribute list values in SendMessage operation are not supported.")
	}
	kind, _, _ := strings.Cut(v.DataType, ".")
	switch kind {
	case "String", "Number":
		if v.StringValue == nil || *v.StringValue == "" {
			return service.Errorf(codeValue, "Message (user) attribute '%s' must contain a non-empty value of type 'String'.", name)
		}
		if kind == "Number" && !number.MatchString(*v.StringValue) {
			return service.Errorf(codeValue, "Can't cast the value of message (user) attribute '%s' to a number.", name)
		}
		if checkText(*v.StringValue) != nil {
			return service.Errorf(codeValue, "Message (user) attribute '%s' has a value with characters that are not allowed. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF", name)
		}
		return nil
	case "Binary":
		if len(v.BinaryValue) == 0 {
			return service.Errorf(codeValue, "Message (user) attribute '%s' must contain a non-empty value of type 'Binary'.", name)
		}
		return nil
	}
	return service.Errorf(codeValue, "The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name)
}

var number = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)

// deliver stores messages in their order.
func (s *Service) deliver(ctx context.Context, q *queue, all []*outgoing) ([]sent, error) {
	if err := s.checkKey(ctx, q, keycheck.Write); err != nil {
		return nil, err
	}
	var out []sent
	err := s.update(ctx, func(w *work) error {
		q, err := s.get(w.tx, q.place, q.Name)
		if err != nil {
			return err
		}
		out = make([]sent, 0, len(all))
		for _, m := range all {
			d, err := w.send(q, m)
			if err != nil {
				return err
			}
			out = append(out, d)
		}
		return nil
	})
	return out, err
}

// send adds a message to a queue in a transaction, unless it was sent already.
func (w *work) send(q *queue, m *outgoing) (sent, error) {
	if q.fifo {
		if d, ok, err := w.duplicate(q, m); err != nil || ok {
			w.tx.OnCommit(func() { q.live.countRepeated(w.s.clock.Now()) })
			return d, err
		}
	}
	sequence, err := w.sequence(q, m.group)
	if err != nil {
		return sent{}, err
	}
	id := newID(sequence, m.uuid)
	st := state{group: m.group}
	delay := q.delay
	if m.delay != nil && !q.fifo {
		delay = int64(*m.delay)
	}
	if delay > 0 {
		st.where, st.due = delayed, w.now+delay*1000
	}
	c := m.content
	c.sent = w.now
	if err := w.put(q, id, st, c.encode()); err != nil {
		return sent{}, err
	}
	if q.fifo {
		w.remember(q, m, id)
	}
	w.tx.OnCommit(func() { q.live.countSent(w.s.clock.Now(), m.size) })
	return told(q, id), nil
}

func told(q *queue, id id) sent {
	d := sent{id: id}
	if q.fifo {
		d.sequence = new(sequenceNumber(id))
	}
	return d
}

// sequenceNumber is a sequence number as clients see it: 20 digits.
func sequenceNumber(id id) string { return fmt.Sprintf("%020d", id.sequence()|1<<63) }
