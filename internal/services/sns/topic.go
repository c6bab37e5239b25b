package sns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const fifoSuffix = ".fifo"

// topicRecord is the record of a topic.
type topicRecord struct {
	Name, Owner string
	// Attributes are those that were set.
	Attributes map[string]string `json:",omitempty"`
	Tags       map[string]string `json:",omitempty"`
	// Created is Unix milliseconds.
	Created int64
	// Subscriptions counts the changes of the topic's subscriptions.
	Subscriptions uint64 `json:",omitempty"`
	// Confirmed, Pending and Deleted count subscriptions.
	Confirmed, Pending, Deleted int64
	// DataProtection is the data protection policy.
	DataProtection string `json:",omitempty"`
}

func (r *topicRecord) fifo() bool { return strings.HasSuffix(r.Name, fifoSuffix) }

// topic is a topic with its subscriptions, as of one version of its record. It is immutable.
type topic struct {
	topicRecord

	place  place
	arn    string
	record []byte
	all    []*subscriber
	byID   map[string]*subscriber
	// open are the places in all of the confirmed subscriptions without a filter; the others are found by what their filters say.
	open         []int
	byAttributes pattern.Set[int]
	byBody       pattern.Set[int]
}

// topicCache keeps topics by the bytes of their records.
type topicCache struct {
	mu    sync.RWMutex // guards the field below
	byKey map[string]*topic
}

const maxCachedTopics = 4096

// topic returns a topic with its subscriptions, or nil.
func (s *Service) topic(r store.Reader, p place, name string) (*topic, error) {
	k := p.topic(name)
	b, err := r.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &s.topics
	c.mu.RLock()
	known := c.byKey[string(k)]
	c.mu.RUnlock()
	if known != nil && bytes.Equal(known.record, b) {
		return known, nil
	}
	t, err := readTopic(r, p, b)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil || len(c.byKey) >= maxCachedTopics {
		c.byKey = map[string]*topic{}
	}
	c.byKey[string(k)] = t
	return t, nil
}

func readTopic(r store.Reader, p place, b []byte) (*topic, error) {
	t := &topic{place: p, record: bytes.Clone(b), byID: map[string]*subscriber{}}
	if err := json.Unmarshal(b, &t.topicRecord); err != nil {
		return nil, fmt.Errorf("read topic record: %w", err)
	}
	t.arn = p.arn(t.Name)
	for row, err := range record.Range[subscription](r, p.subscriptions(t.Name).Span()) {
		if err != nil {
			return nil, err
		}
		sub, err := newSubscriber(row.Value)
		if err != nil {
			return nil, err
		}
		i := len(t.all)
		t.all = append(t.all, sub)
		t.byID[sub.ID] = sub
		switch {
		case !sub.Confirmed:
		case sub.filter == nil:
			t.open = append(t.open, i)
		case sub.body():
			t.byBody.Add(i, sub.filter)
		default:
			t.byAttributes.Add(i, sub.filter)
		}
	}
	return t, nil
}

// viewTopic returns a topic, or the error that there is none.
func (s *Service) viewTopic(ctx context.Context, arn string) (*topic, error) {
	p, name, err := topicOf(ctx, arn)
	if err != nil {
		return nil, err
	}
	var t *topic
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		t, err = s.topic(r, p, name)
		return err
	})
	if err == nil && t == nil {
		err = notFound("Topic")
	}
	return t, storeError(err)
}

// changeTopic runs fn on a copy of a topic's record and stores it.
func (s *Service) changeTopic(ctx context.Context, arn string, fn func(tx store.Txn, r *topicRecord) error) error {
	p, name, err := topicOf(ctx, arn)
	if err != nil {
		return err
	}
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, ok, err := record.Get[topicRecord](tx, p.topic(name))
		if err != nil {
			return err
		}
		if !ok {
			return notFound("Topic")
		}
		if err := fn(tx, &r); err != nil {
			return err
		}
		return record.Set(tx, p.topic(name), r)
	}))
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,256}$`)

func (s *Service) createTopic(ctx context.Context, in *api.CreateTopicInput) (*api.CreateTopicOutput, error) {
	p := placeOf(ctx)
	stem, isFIFO := strings.CutSuffix(in.Name, fifoSuffix)
	if !topicName.MatchString(stem) || len(in.Name) > 256 || isFIFO != strings.EqualFold(in.Attributes["FifoTopic"], "true") {
		return nil, invalid("Topic Name")
	}
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.checkFeedbackRoles(ctx, in.Attributes); err != nil {
		return nil, err
	}
	r := topicRecord{Name: in.Name, Owner: p.account, Tags: tags, Created: s.nowMS(), Attributes: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		if err := setTopicAttribute(&r, name, in.Attributes[name], "Attributes Reason: "); err != nil {
			return nil, err
		}
	}
	if in.DataProtectionPolicy != nil {
		r.DataProtection = *in.DataProtectionPolicy
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		old, ok, err := record.Get[topicRecord](tx, p.topic(in.Name))
		if err != nil {
			return err
		}
		if ok {
			return sameTopic(&old, p, in.Attributes, tags)
		}
		return record.Set(tx, p.topic(in.Name), r)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &api.CreateTopicOutput{TopicArn: new(p.arn(in.Name))}, nil
}

// sameTopic tells whether asking for a topic that is there is no change.
func sameTopic(r *topicRecord, p place, attributes, tags map[string]string) error {
	have := r.shown(p)
	for name, value := range attributes {
		old, ok := have[name]
		if !ok && strings.EqualFold(value, "false") {
			continue
		}
		if !ok || !sameJSON(old, value) {
			return invalid("Attributes Reason: Topic already exists with different attributes")
		}
	}
	for k, v := range tags {
		if old, ok := r.Tags[k]; !ok || old != v {
			return invalid("Tags Reason: Topic already exists with different tags")
		}
	}
	return nil
}

func sameJSON(a, b string) bool {
	if a == b {
		return true
	}
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	xb, _ := json.Marshal(x) // what was read can be written
	yb, _ := json.Marshal(y)
	return bytes.Equal(xb, yb)
}

// feedbackAttribute matches the attributes of delivery status logging (status.go).
var feedbackAttribute = regexp.MustCompile(`^(HTTP|Lambda|SQS|Firehose|Application)(SuccessFeedbackRoleArn|FailureFeedbackRoleArn|SuccessFeedbackSampleRate)$`)

// setTopicAttribute checks and sets an attribute; context is what errors have in front.
func setTopicAttribute(r *topicRecord, name, value, context string) error {
	switch name {
	case "DisplayName", "KmsMasterKeyId", "TracingConfig":
	case "Policy":
		if value == "" {
			delete(r.Attributes, name)
			return nil
		}
		if _, err := iam.Parse(value, iam.ResourceBased); err != nil {
			return invalid("%sPolicy Reason: %s", context, err)
		}
	case "DeliveryPolicy":
		return setDeliveryPolicy(r, value, context)
	case "SignatureVersion":
		if value != "1" && value != "2" {
			return invalid("%sSignatureVersion", context)
		}
	case "FifoTopic":
		if !strings.EqualFold(value, strconv.FormatBool(r.fifo())) {
			return invalid("AttributeName")
		}
		if !r.fifo() {
			return nil // a standard topic is one without the attribute
		}
		value = "true"
	case "ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy":
		if !r.fifo() {
			return invalid("%s%s", context, name)
		}
		if name == "ArchivePolicy" {
			if err := checkArchivePolicy(value, context); err != nil {
				return err
			}
		}
		if name == "ContentBasedDeduplication" {
			value = strings.ToLower(value)
		}
	default:
		if !feedbackAttribute.MatchString(name) {
			return invalid("AttributeName")
		}
		if err := checkFeedback(name, value, context); err != nil {
			return err
		}
	}
	if value == "" {
		delete(r.Attributes, name)
		return nil
	}
	if r.Attributes == nil {
		r.Attributes = map[string]string{}
	}
	r.Attributes[name] = value
	return nil
}

// checkFeedback checks an attribute of delivery status logging.
func checkFeedback(name, value, context string) error {
	if value == "" {
		return nil
	}
	if strings.HasSuffix(name, "SampleRate") {
		if n, err := strconv.Atoi(value); err != nil || n < 0 || n > 100 {
			return invalid("%s%s: must be a number between 0 and 100", context, name)
		}
		return nil
	}
	if a, err := arn.Parse(value); err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return invalid("%s%s: must be the ARN of a role", context, name)
	}
	return nil
}

// defaultPolicy is the policy of a topic without one, as AWS writes it.
func defaultPolicy(p place, name string) string {
	return `{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},` +
		`"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],` +
		`"Resource":"` + p.arn(name) + `","Condition":{"StringEquals":{"AWS:SourceOwner":"` + p.account + `"}}}]}`
}

func (r *topicRecord) policy(p place) string {
	if doc := r.Attributes["Policy"]; doc != "" {
		return doc
	}
	return defaultPolicy(p, r.Name)
}

// shown returns the attributes of a topic as GetTopicAttributes tells them.
func (r *topicRecord) shown(p place) map[string]string {
	out := map[string]string{
		"TopicArn": p.arn(r.Name), "Owner": r.Owner, "Policy": r.policy(p), "DisplayName": "", "EffectiveDeliveryPolicy": r.effectiveDelivery(),
		"SubscriptionsConfirmed": strconv.FormatInt(r.Confirmed, 10), "SubscriptionsPending": strconv.FormatInt(r.Pending, 10),
		"SubscriptionsDeleted": strconv.FormatInt(r.Deleted, 10),
	}
	if r.fifo() {
		out["ContentBasedDeduplication"] = "false"
		out["FifoTopic"] = "true"
	}
	maps.Copy(out, r.Attributes)
	return out
}

func (s *Service) getTopicAttributes(ctx context.Context, in *api.GetTopicAttributesInput) (*api.GetTopicAttributesOutput, error) {
	t, err := s.viewTopic(ctx, in.TopicArn)
	if err != nil {
		return nil, err
	}
	out := t.shown(t.place)
	if t.Attributes["ArchivePolicy"] != "" {
		if at, ok, err := s.beginningOfArchive(ctx, t); err != nil {
			return nil, err
		} else if ok {
			out["BeginningArchiveTime"] = at
		}
	}
	return &api.GetTopicAttributesOutput{Attributes: out}, nil
}

func (s *Service) setTopicAttributes(ctx context.Context, in *api.SetTopicAttributesInput) (*api.SetTopicAttributesOutput, error) {
	value := ""
	if in.AttributeValue != nil {
		value = *in.AttributeValue
	}
	if err := s.checkFeedbackRoles(ctx, map[string]string{in.AttributeName: value}); err != nil {
		return nil, err
	}
	err := s.changeTopic(ctx, in.TopicArn, func(_ store.Txn, r *topicRecord) error {
		if in.AttributeName == "FifoTopic" {
			return invalid("AttributeName")
		}
		return setTopicAttribute(r, in.AttributeName, value, "")
	})
	return &api.SetTopicAttributesOutput{}, err
}

// deleteTopic deletes a topic with its subscriptions. A topic that is not there is no error.
func (s *Service) deleteTopic(ctx context.Context, in *api.DeleteTopicInput) (*api.DeleteTopicOutput, error) {
	p, name, err := topicOf(ctx, in.TopicArn)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if ok, err := record.Has(tx, p.topic(name)); err != nil || !ok {
			return err
		}
		tx.Delete(p.topic(name))
		for _, k := range []key.Key{p.subscriptions(name), p.endpoints(name), p.dedups(name), p.archive(name)} {
			span := k.Span()
			tx.DeleteRange(span.Lo, span.Hi)
		}
		return nil
	})
	return &api.DeleteTopicOutput{}, storeError(err)
}

func (s *Service) listTopics(ctx context.Context, in *api.ListTopicsInput) (*api.ListTopicsOutput, error) {
	p := placeOf(ctx)
	out := &api.ListTopicsOutput{Topics: []api.Topic{}}
	next, err := s.list(ctx, p.topics(), in.NextToken, func(_ store.Reader, name string, _ store.Pair) error {
		out.Topics = append(out.Topics, api.Topic{TopicArn: new(p.arn(name))})
		return nil
	})
	out.NextToken = next
	return out, err
}
