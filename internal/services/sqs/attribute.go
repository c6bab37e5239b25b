package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Limits and defaults of a queue's settings (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
const (
	maxVisibility     = 43_200 // seconds
	maxDelay          = 900
	maxWait           = 20
	minRetention      = 60
	maxRetention      = 1_209_600
	defaultRetention  = 345_600
	defaultVisibility = 30
	minMessageSize    = 1024 // bytes
	maxMessageSize    = 1 << 20
	maxReceives       = 1000
	maxAllowed        = 10 // source queues of a redrive-allow policy
	// maxPolicySize is the greatest size of a queue policy in bytes.
	maxPolicySize = 8192
)

// settings are the attributes of a queue as the service uses them. Times are in seconds.
type settings struct {
	fifo         bool
	contentDedup bool
	groupDedup   bool // deduplication ids count within their group
	delay        int64
	visibility   int64
	retention    int64
	wait         int64
	maxSize      int64
	policy       string
	key          string // of the key service; empty for none
	keyReuse     int64
	redrive      *redrivePolicy
	allow        allowPolicy
}

type redrivePolicy struct {
	target      string // ARN
	place       place
	name        string
	maxReceives int
}

// allowPolicy says which queues may use a queue for their dead letters.
type allowPolicy struct {
	deny    bool
	byQueue []string // ARNs, when not nil
}

func (a *allowPolicy) allows(source string) bool {
	return !a.deny && (a.byQueue == nil || slices.Contains(a.byQueue, source))
}

type numberAttribute struct {
	min, max, byDefault int64
}

var numberAttributes = map[string]numberAttribute{
	"DelaySeconds":                  {0, maxDelay, 0},
	"MaximumMessageSize":            {minMessageSize, maxMessageSize, maxMessageSize},
	"MessageRetentionPeriod":        {minRetention, maxRetention, defaultRetention},
	"ReceiveMessageWaitTimeSeconds": {0, maxWait, 0},
	"VisibilityTimeout":             {0, maxVisibility, defaultVisibility},
	"KmsDataKeyReusePeriodSeconds":  {60, 86_400, 300},
}

// fifoAttributes are the attributes that only FIFO queues have, with their defaults.
var fifoAttributes = map[string]string{
	"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue",
}

// computedAttributes are those that a queue tells and nobody sets.
var computedAttributes = []string{
	"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp",
	"LastModifiedTimestamp", "QueueArn",
}

// mergeAttributes returns the attributes of a queue's record after a change. An empty value takes an attribute away.
func mergeAttributes(p place, r *queueRecord, changes map[string]string, creating bool) (map[string]string, error) {
	out := maps.Clone(r.Attributes)
	if out == nil {
		out = map[string]string{}
	}
	fifo := strings.HasSuffix(r.Name, fifoSuffix)
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		value := plain(name, changes[name])
		if err := checkAttribute(name, value, fifo, creating); err != nil {
			return nil, err
		}
		if value == "" {
			delete(out, name)
			continue
		}
		out[name] = value
	}
	if changes["KmsMasterKeyId"] != "" {
		if changes["SqsManagedSseEnabled"] == "true" {
			return nil, service.Errorf(codeAttributeName, "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
		}
		out["SqsManagedSseEnabled"] = "false"
	}
	if changes["SqsManagedSseEnabled"] == "true" {
		delete(out, "KmsMasterKeyId")
		delete(out, "KmsDataKeyReusePeriodSeconds")
	}
	if out["FifoThroughputLimit"] == "perMessageGroupId" && out["DeduplicationScope"] != "messageGroup" {
		return nil, attributeValue("The perMessageGroupId value for the FifoThroughputLimit attribute is allowed only when the DeduplicationScope attribute is messageGroup.")
	}
	_, err := parseSettings(p, r.Name, out)
	return out, err
}

func checkAttribute(name, value string, fifo, creating bool) error {
	if n, ok := numberAttributes[name]; ok {
		v, err := strconv.ParseInt(value, 10, 64)
		if value != "" && (err != nil || v < n.min || v > n.max) {
			return attributeValue("Invalid value for the parameter %s.", name)
		}
		return nil
	}
	if slices.Contains(computedAttributes, name) {
		return service.Errorf(codeAttributeName, "Unknown Attribute %s.", name)
	}
	switch name {
	case "FifoQueue":
		switch {
		case !fifo:
			return service.Errorf(codeAttributeName, "Unknown Attribute FifoQueue.")
		case !creating && value != "true":
			return attributeValue("Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
		}
	case "ContentBasedDeduplication":
		if !fifo {
			return service.Errorf(codeAttributeName, "Unknown Attribute %s.", name)
		}
		return oneOf(name, value, "true", "false")
	case "DeduplicationScope", "FifoThroughputLimit":
		if !fifo {
			return service.Errorf(codeAttributeName, "You can specify the %s only when FifoQueue is set to true.", name)
		}
		if name == "DeduplicationScope" {
			return oneOf(name, value, "queue", "messageGroup")
		}
		return oneOf(name, value, "perQueue", "perMessageGroupId")
	case "SqsManagedSseEnabled":
		return oneOf(name, value, "true", "false")
	case "Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId":
	default:
		return service.Errorf(codeAttributeName, "Unknown Attribute %s.", name)
	}
	return nil
}

// plain returns the value of an attribute as it is kept: booleans are taken in any case.
func plain(name, value string) string {
	switch name {
	case "FifoQueue", "ContentBasedDeduplication", "SqsManagedSseEnabled":
		return strings.ToLower(value)
	}
	return value
}

func oneOf(name, value string, allowed ...string) error {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return attributeValue("Invalid value for the parameter %s.", name)
}

// parseSettings reads the attributes of a record.
func parseSettings(p place, name string, attributes map[string]string) (settings, error) {
	number := func(name string) int64 {
		if v, err := strconv.ParseInt(attributes[name], 10, 64); err == nil {
			return v
		}
		return numberAttributes[name].byDefault
	}
	st := settings{
		fifo:         strings.HasSuffix(name, fifoSuffix),
		contentDedup: attributes["ContentBasedDeduplication"] == "true",
		groupDedup:   attributes["DeduplicationScope"] == "messageGroup",
		delay:        number("DelaySeconds"),
		visibility:   number("VisibilityTimeout"),
		retention:    number("MessageRetentionPeriod"),
		wait:         number("ReceiveMessageWaitTimeSeconds"),
		maxSize:      number("MaximumMessageSize"),
		policy:       attributes["Policy"],
		key:          attributes["KmsMasterKeyId"],
		keyReuse:     number("KmsDataKeyReusePeriodSeconds"),
	}
	if err := checkPolicy(st.policy); err != nil {
		return st, err
	}
	var err error
	if st.redrive, err = parseRedrive(p, attributes["RedrivePolicy"]); err != nil {
		return st, err
	}
	st.allow, err = parseAllow(attributes["RedriveAllowPolicy"])
	return st, err
}

func checkPolicy(document string) error {
	if document == "" {
		return nil
	}
	if len(document) > maxPolicySize {
		return attributeValue("Invalid value for the parameter Policy. Reason: it has %d bytes, the limit is %d.", len(document), maxPolicySize)
	}
	if _, err := iam.Parse(document, iam.ResourceBased); err != nil {
		return attributeValue("Invalid value for the parameter Policy. Reason: %s", err)
	}
	return nil
}

func parseRedrive(p place, text string) (*redrivePolicy, error) {
	if text == "" {
		return nil, nil
	}
	bad := func(reason string) (*redrivePolicy, error) {
		return nil, invalid(text, "RedrivePolicy", "%s", reason)
	}
	var doc struct {
		Target string `json:"deadLetterTargetArn"`
		Max    any    `json:"maxReceiveCount"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return bad("Redrive policy is not a valid JSON map.")
	}
	switch {
	case doc.Target == "":
		return bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
	case doc.Max == nil:
		return bad("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
	}
	n, err := strconv.Atoi(fmt.Sprint(doc.Max))
	if err != nil || n < 1 || n > maxReceives {
		return bad("Invalid value for maxReceiveCount: " + fmt.Sprint(doc.Max) + ", valid values are from 1 to 1000 both inclusive.")
	}
	target, name, ok := resolveARN(doc.Target)
	switch {
	case !ok:
		return bad("Invalid value for deadLetterTargetArn.")
	case target != p:
		return bad("Dead letter target owner should be same as the source.")
	}
	return &redrivePolicy{target: doc.Target, place: target, name: name, maxReceives: n}, nil
}

func parseAllow(text string) (allowPolicy, error) {
	var out allowPolicy
	if text == "" {
		return out, nil
	}
	var doc struct {
		Permission string   `json:"redrivePermission"`
		Sources    []string `json:"sourceQueueArns"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return out, attributeValue("Invalid value for the parameter RedriveAllowPolicy.")
	}
	switch {
	case doc.Permission == "byQueue" && len(doc.Sources) > 0 && len(doc.Sources) <= maxAllowed:
		out.byQueue = doc.Sources
	case doc.Permission == "denyAll" && doc.Sources == nil:
		out.deny = true
	case doc.Permission == "allowAll" && doc.Sources == nil:
	default:
		return out, attributeValue("Invalid value for the parameter RedriveAllowPolicy. Reason: redrivePermission is allowAll, denyAll, or byQueue with 1 to %d sourceQueueArns.", maxAllowed)
	}
	return out, nil
}

// checkRedrive tells whether the dead-letter queue that a record names can be one for it.
func (s *Service) checkRedrive(r store.Reader, p place, q *queueRecord) error {
	text := q.Attributes["RedrivePolicy"]
	policy, err := parseRedrive(p, text)
	if err != nil || policy == nil {
		return err
	}
	target, err := s.find(r, policy.place, policy.name)
	if err != nil {
		return err
	}
	switch {
	case target == nil:
		return invalid(text, "RedrivePolicy", "Dead letter target does not exist.")
	case target.fifo != strings.HasSuffix(q.Name, fifoSuffix):
		return invalid(text, "RedrivePolicy", "Dead-letter queue must be same type of queue as the source.")
	case !target.allow.allows(p.arn(q.Name)):
		return invalid(text, "RedrivePolicy", "Queue does not have permission to use the dead letter queue: the redrive allow policy of %s excludes it.", policy.target)
	}
	return nil
}

// attribute returns an attribute that is not computed, with its default, and whether the queue has it.
func (q *queue) attribute(name string) (string, bool) {
	if name == "KmsDataKeyReusePeriodSeconds" && q.Attributes["KmsMasterKeyId"] == "" {
		return "", false
	}
	if v, ok := q.Attributes[name]; ok {
		return v, true
	}
	if v, ok := fifoAttributes[name]; ok {
		return v, q.fifo
	}
	if name == "SqsManagedSseEnabled" {
		return "true", true
	}
	if n, ok := numberAttributes[name]; ok {
		return strconv.FormatInt(n.byDefault, 10), true
	}
	return "", false
}

// settable are the names of the attributes that a queue may have.
var settable = []string{
	"ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue", "FifoThroughputLimit", "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId",
	"MaximumMessageSize", "MessageRetentionPeriod", "Policy", "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled",
	"VisibilityTimeout",
}

func (s *Service) getQueueAttributes(ctx context.Context, in *api.GetQueueAttributesInput) (*api.GetQueueAttributesOutput, error) {
	p, name, err := resolve(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, n := range in.AttributeNames {
		switch {
		case n == "All":
			for _, n := range slices.Concat(settable, computedAttributes) {
				wanted[n] = true
			}
		case slices.Contains(settable, n), slices.Contains(computedAttributes, n):
			wanted[n] = true
		default:
			return nil, service.Errorf(codeAttributeName, "Unknown Attribute %s.", n)
		}
	}
	var q *queue
	var n counts
	err = s.store.View(ctx, func(r store.Reader) error {
		if q, err = s.get(r, p, name); err != nil {
			return err
		}
		n, err = q.count(r, s.nowMS())
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	all := map[string]string{
		"ApproximateNumberOfMessages":           strconv.FormatInt(n.visible, 10),
		"ApproximateNumberOfMessagesDelayed":    strconv.FormatInt(n.delayed, 10),
		"ApproximateNumberOfMessagesNotVisible": strconv.FormatInt(n.inFlight, 10),
		"CreatedTimestamp":                      strconv.FormatInt(q.Created, 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.Modified, 10),
		"QueueArn":                              q.arn,
	}
	out := map[string]string{}
	for name := range wanted {
		if v, ok := all[name]; ok {
			out[name] = v
		} else if v, ok := q.attribute(name); ok {
			out[name] = v
		}
	}
	if len(out) == 0 {
		out = nil
	}
	return &api.GetQueueAttributesOutput{Attributes: out}, nil
}

func (s *Service) setQueueAttributes(ctx context.Context, in *api.SetQueueAttributesInput) (*api.SetQueueAttributesOutput, error) {
	p, name, err := resolve(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, p, name, func(tx store.Txn, q *queue, r *queueRecord) error {
		if r.Attributes, err = mergeAttributes(p, r, in.Attributes, false); err != nil {
			return err
		}
		r.Modified = s.clock.Now().Unix()
		tx.OnCommit(func() { s.agenda.touch(q) })
		if in.Attributes["RedrivePolicy"] == "" {
			return nil
		}
		return s.checkRedrive(tx, p, r)
	})
	return &api.SetQueueAttributesOutput{}, err
}
