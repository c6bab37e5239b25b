package sns

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// attributeRole is the attribute that names the role with which a delivery stream is written to.
const attributeRole = "SubscriptionRoleArn"

// The protocols of subscriptions.
const (
	protocolSQS         = "sqs"
	protocolLambda      = "lambda"
	protocolHTTP        = "http"
	protocolHTTPS       = "https"
	protocolEmail       = "email"
	protocolEmailJSON   = "email-json"
	protocolSMS         = "sms"
	protocolApplication = "application"
	protocolFirehose    = "firehose"
)

var protocols = []string{
	protocolSQS, protocolLambda, protocolHTTP, protocolHTTPS, protocolEmail, protocolEmailJSON, protocolSMS, protocolApplication, protocolFirehose,
}

// subscription is the record of a subscription.
type subscription struct {
	ID, Topic, Owner   string
	Protocol, Endpoint string
	// Principal is the ARN of who subscribed.
	Principal string
	// Attributes are those that were set.
	Attributes map[string]string `json:",omitempty"`
	Confirmed  bool
	// Authenticated says that who confirmed the subscription had credentials, Locked that only its owner may end it.
	Authenticated, Locked bool `json:",omitempty"`
	// Token confirms the subscription.
	Token string `json:",omitempty"`
	// ReplayStatus tells how far a replay is.
	ReplayStatus string `json:",omitempty"`
}

// subscriber is a subscription with its filter compiled.
type subscriber struct {
	subscription

	filter *pattern.Pattern
	dead   string // ARN of the dead-letter queue
}

func (x *subscription) raw() bool    { return x.Attributes["RawMessageDelivery"] == "true" }
func (x *subscription) role() string { return x.Attributes[attributeRole] }
func (x *subscription) body() bool   { return x.Attributes["FilterPolicyScope"] == "MessageBody" }

func newSubscriber(x subscription) (*subscriber, error) {
	s := &subscriber{subscription: x}
	if text := x.Attributes["FilterPolicy"]; text != "" && text != "{}" {
		p, err := pattern.Compile(text, pattern.SNS)
		if err != nil {
			return nil, err
		}
		s.filter = p
	}
	if text := x.Attributes["RedrivePolicy"]; text != "" {
		target, err := deadLetterTarget(text)
		if err != nil {
			return nil, err
		}
		s.dead = target
	}
	return s, nil
}

func deadLetterTarget(text string) (string, error) {
	var doc struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return "", invalid("RedrivePolicy: %s", jsonProblem(text))
	}
	a, err := arn.Parse(doc.Target)
	if err != nil || a.Service != "sqs" || a.Account == "" {
		return "", invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
	}
	return doc.Target, nil
}

// jsonProblem words a syntax error as SNS's parser does, whose error the pattern language shares.
func jsonProblem(text string) string {
	var e *pattern.Error
	if _, err := pattern.Compile(text, pattern.SNS); !errors.As(err, &e) {
		return "failed to parse JSON."
	}
	reason := "failed to parse JSON. " + strings.TrimPrefix(e.Reason, "failed to parse JSON. ")
	if i := strings.LastIndex(e.Place, "; line:"); i >= 0 {
		reason += "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)" + e.Place[i:]
	}
	return reason
}

// setSubscriptionAttribute checks and sets an attribute of a subscription; context is what errors have in front.
func setSubscriptionAttribute(r *topicRecord, x *subscription, name, value, context string) error {
	switch name {
	case "RawMessageDelivery":
		if lower := strings.ToLower(value); lower != "true" && lower != "false" {
			return invalid("%sRawMessageDelivery: Invalid value [%s]. Must be true or false.", context, value)
		}
		value = strings.ToLower(value)
	case "FilterPolicyScope":
		if value != "MessageAttributes" && value != "MessageBody" {
			return invalid("%sFilterPolicyScope: Invalid value [%s]. Please use either MessageBody or MessageAttributes", context, value)
		}
	case "FilterPolicy", attributeRole:
	case "DeliveryPolicy":
		if err := checkDelivery(value, context); err != nil {
			return err
		}
	case "RedrivePolicy":
		if value == "" {
			break
		}
		target, err := deadLetterTarget(value)
		if err != nil {
			return err
		}
		if r.fifo() && strings.HasSuffix(x.Endpoint, fifoSuffix) && !strings.HasSuffix(target, fifoSuffix) {
			return invalid("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
		}
	case "ReplayPolicy":
		if !r.fifo() {
			return invalid("%sReplayPolicy: Replay is only supported for subscriptions to FIFO topics", context)
		}
	default:
		return invalid("AttributeName")
	}
	if x.Attributes == nil {
		x.Attributes = map[string]string{}
	}
	if value == "" {
		delete(x.Attributes, name)
	} else {
		x.Attributes[name] = value
	}
	return nil
}

// setAll sets attributes, and checks the filter policy with the scope that it has then.
func setAll(r *topicRecord, x *subscription, changes map[string]string, context string) error {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if err := setSubscriptionAttribute(r, x, name, changes[name], context); err != nil {
			return err
		}
	}
	if x.Attributes["FilterPolicy"] == "" {
		return nil
	}
	if x.Attributes["FilterPolicyScope"] == "" {
		x.Attributes["FilterPolicyScope"] = "MessageAttributes"
	}
	return checkFilter(x.Attributes["FilterPolicy"], x.body(), context)
}

var phoneNumber = regexp.MustCompile(`^\+[0-9](-?[0-9]){0,19}$`)

// checkEndpoint checks an endpoint as its protocol asks for.
func checkEndpoint(r *topicRecord, protocol, endpoint string) error {
	if !slices.Contains(protocols, protocol) {
		return invalid("Amazon SNS does not support this protocol string: %s", protocol)
	}
	switch protocol {
	case protocolSQS, protocolLambda, protocolFirehose, protocolApplication:
		a, err := arn.Parse(endpoint)
		want := map[string]string{protocolSQS: "sqs", protocolLambda: "lambda", protocolFirehose: "firehose", protocolApplication: "sns"}[protocol]
		if protocol == protocolSQS && (err != nil || a.Service != want || a.Account == "") {
			return invalid("SQS endpoint ARN")
		}
		if err != nil || a.Service != want {
			return invalid("%s endpoint ARN", strings.ToUpper(protocol[:1])+protocol[1:])
		}
		if protocol == protocolSQS && strings.HasSuffix(endpoint, fifoSuffix) && !r.fifo() {
			return invalid("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
		}
	case protocolHTTP, protocolHTTPS:
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != protocol || u.Host == "" {
			return invalid("Endpoint must match the specified protocol")
		}
	case protocolEmail, protocolEmailJSON:
		if !strings.Contains(endpoint, "@") {
			return invalid("Email address")
		}
	case protocolSMS:
		if !phoneNumber.MatchString(strings.NewReplacer("/", "-", ".", "-").Replace(endpoint)) {
			return &service.Error{Code: codeInvalid, Status: 400, Message: "Invalid SMS endpoint: " + endpoint}
		}
	}
	if r.fifo() && protocol != protocolSQS {
		return invalid("Invalid protocol type: %s. Only sqs can be subscribed to FIFO topics", protocol)
	}
	return nil
}

// asked says that an endpoint must confirm its subscription.
func asked(protocol string) bool {
	return slices.Contains([]string{protocolHTTP, protocolHTTPS, protocolEmail, protocolEmailJSON}, protocol)
}

func (s *Service) subscribe(ctx context.Context, in *api.SubscribeInput) (*api.SubscribeOutput, error) {
	p, name, err := topicOf(ctx, in.TopicArn)
	if err != nil {
		return nil, err
	}
	endpoint := ""
	if in.Endpoint != nil {
		endpoint = *in.Endpoint
	}
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	token, err := s.token()
	if err != nil {
		return nil, err
	}
	if err := s.checkRole(ctx, in); err != nil {
		return nil, err
	}
	caller := service.RequestFrom(ctx).Principal
	fresh := subscription{
		ID: id, Topic: name, Owner: service.RequestFrom(ctx).Account, Protocol: in.Protocol, Endpoint: endpoint, Principal: caller.ARN, Confirmed: !asked(in.Protocol),
		Authenticated: !asked(in.Protocol), Token: token,
	}
	var have subscription
	err = s.changeTopic(ctx, in.TopicArn, func(tx store.Txn, r *topicRecord) error {
		if err := checkEndpoint(r, in.Protocol, endpoint); err != nil {
			return err
		}
		have = fresh
		have.Attributes = nil
		if err := setAll(r, &have, in.Attributes, "Attributes Reason: "); err != nil {
			return err
		}
		if old, ok, err := s.subscriptionAt(tx, p, name, in.Protocol, endpoint); err != nil {
			return err
		} else if ok {
			wanted := have.Attributes
			have = old
			return sameSubscription(&old, wanted)
		}
		count(r, &have, 1)
		return s.saveNew(tx, p, r, &have)
	})
	if err != nil {
		return nil, err
	}
	out := &api.SubscribeOutput{SubscriptionArn: new(p.arn(name) + ":" + have.ID)}
	if !have.Confirmed && (in.ReturnSubscriptionArn == nil || !*in.ReturnSubscriptionArn) {
		out.SubscriptionArn = new("pending confirmation")
	}
	return out, nil
}

// checkRole checks the role of a subscription of a delivery stream, and that the caller may pass it.
func (s *Service) checkRole(ctx context.Context, in *api.SubscribeInput) error {
	if in.Protocol != protocolFirehose {
		return nil
	}
	role := in.Attributes[attributeRole]
	if role == "" {
		return invalid("Attributes Reason: SubscriptionRoleArn is required for the protocol firehose")
	}
	if s.options.Roles == nil {
		return nil
	}
	return s.options.Roles.CheckPassRole(ctx, role, "sns.amazonaws.com")
}

// token returns the secret that confirms a subscription.
func (s *Service) token() (string, error) {
	b := make([]byte, 64)
	if _, err := io.ReadFull(s.deps.Random, b); err != nil {
		return "", err
	}
	return hex.EncodeToString(b), nil
}

// subscriptionAt returns the subscription of an endpoint.
func (s *Service) subscriptionAt(r store.Reader, p place, topic, protocol, endpoint string) (subscription, bool, error) {
	id, ok, err := record.Get[string](r, p.endpoint(topic, protocol, endpoint))
	if err != nil || !ok {
		return subscription{}, false, err
	}
	return record.Get[subscription](r, p.subscription(topic, id))
}

// subscriptionDefaults are the values that attributes have when they are not set.
var subscriptionDefaults = map[string]string{"RawMessageDelivery": "false", "FilterPolicyScope": "MessageAttributes"}

// sameSubscription tells whether subscribing again is no change: only attributes that are named count.
func sameSubscription(x *subscription, wanted map[string]string) error {
	for name, value := range wanted {
		have := x.Attributes[name]
		if have == "" {
			have = subscriptionDefaults[name]
		}
		if !sameJSON(have, value) {
			return invalid("Attributes Reason: Subscription already exists with different attributes")
		}
	}
	return nil
}

// count adds n subscriptions like x to the topic's counters.
func count(r *topicRecord, x *subscription, n int64) {
	r.Subscriptions++
	if x.Confirmed {
		r.Confirmed += n
	} else {
		r.Pending += n
	}
}

// saveNew stores a subscription, and asks its endpoint for confirmation.
func (s *Service) saveNew(tx store.Txn, p place, r *topicRecord, x *subscription) error {
	if err := record.Set(tx, p.endpoint(x.Topic, x.Protocol, x.Endpoint), x.ID); err != nil {
		return err
	}
	if err := record.Set(tx, p.subscription(x.Topic, x.ID), x); err != nil {
		return err
	}
	if x.Confirmed {
		return nil
	}
	return s.askToConfirm(tx, p, r, x, typeConfirm)
}

// changeSubscription runs fn on a subscription; it saves it unless fn asks for its removal.
func (s *Service) changeSubscription(ctx context.Context, arn string, fn func(tx store.Txn, r *topicRecord, x *subscription) (remove bool, err error)) error {
	p, name, id, err := subscriptionOf(arn)
	if err != nil {
		return err
	}
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		x, ok, err := record.Get[subscription](tx, p.subscription(name, id))
		if err != nil {
			return err
		}
		if !ok {
			return notFound("Subscription")
		}
		r, ok, err := record.Get[topicRecord](tx, p.topic(name))
		if err != nil {
			return err
		}
		if !ok {
			return notFound("Topic")
		}
		remove, err := fn(tx, &r, &x)
		if err != nil {
			return err
		}
		r.Subscriptions++
		if remove {
			tx.Delete(p.subscription(name, id))
			tx.Delete(p.endpoint(name, x.Protocol, x.Endpoint))
		} else if err := record.Set(tx, p.subscription(name, id), x); err != nil {
			return err
		}
		return record.Set(tx, p.topic(name), r)
	}))
}

func (s *Service) confirmSubscription(ctx context.Context, in *api.ConfirmSubscriptionInput) (*api.ConfirmSubscriptionOutput, error) {
	p, name, err := parseARN(in.TopicArn, "TopicArn")
	if err != nil {
		return nil, err
	}
	if strings.Contains(name, ":") || p.region != service.RequestFrom(ctx).Region && service.RequestFrom(ctx).Principal.Kind != service.Anonymous {
		return nil, invalid("Topic")
	}
	switch b, err := hex.DecodeString(in.Token); {
	case err != nil:
		return nil, &service.Error{Code: codeInvalid, Status: http.StatusBadRequest, Message: "Invalid token"}
	case len(b) != 64:
		return nil, invalid("Token")
	}
	var found *subscription
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		t, err := s.topic(r, p, name)
		if err != nil {
			return err
		}
		if t == nil {
			return notFound("Topic")
		}
		for _, x := range t.all {
			if x.Token == in.Token {
				found = &x.subscription
			}
		}
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	if found == nil {
		return nil, &service.Error{Code: codeInvalid, Status: 400, Message: "Invalid token"}
	}
	arn := p.arn(name) + ":" + found.ID
	err = s.changeSubscription(ctx, arn, func(_ store.Txn, r *topicRecord, x *subscription) (bool, error) {
		if !x.Confirmed {
			r.Pending--
			r.Confirmed++
		}
		x.Confirmed = true
		x.Locked = in.AuthenticateOnUnsubscribe != nil && strings.EqualFold(*in.AuthenticateOnUnsubscribe, "true")
		x.Authenticated = x.Locked && service.RequestFrom(ctx).Principal.Kind != service.Anonymous
		return false, nil
	})
	return &api.ConfirmSubscriptionOutput{SubscriptionArn: &arn}, err
}

// unsubscribe ends a subscription. One that is not there is no error.
func (s *Service) unsubscribe(ctx context.Context, in *api.UnsubscribeInput) (*api.UnsubscribeOutput, error) {
	p, _, _, err := subscriptionOf(in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	anonymous := service.RequestFrom(ctx).Principal.Kind == service.Anonymous
	err = s.changeSubscription(ctx, in.SubscriptionArn, func(tx store.Txn, r *topicRecord, x *subscription) (bool, error) {
		if anonymous && x.Locked {
			return false, service.Errorf(codeAuth, "The subscription was confirmed with AuthenticateOnUnsubscribe: only its owner may end it. Sign the request.").WithStatus(403)
		}
		count(r, x, -1)
		r.Deleted++
		if x.Confirmed && asked(x.Protocol) && (x.Protocol == protocolHTTP || x.Protocol == protocolHTTPS) {
			return true, s.askToConfirm(tx, p, r, x, typeUnsubscribe)
		}
		return true, nil
	})
	if service.Code(err) == codeNotFound {
		err = nil
	}
	return &api.UnsubscribeOutput{}, err
}

func (s *Service) viewSubscription(ctx context.Context, arn string) (p place, x subscription, err error) {
	p, name, id, err := subscriptionOf(arn)
	if err != nil {
		return p, x, err
	}
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		var ok bool
		if x, ok, err = record.Get[subscription](r, p.subscription(name, id)); err == nil && !ok {
			err = notFound("Subscription")
		}
		return err
	})
	return p, x, storeError(err)
}

func (s *Service) getSubscriptionAttributes(ctx context.Context, in *api.GetSubscriptionAttributesInput) (*api.GetSubscriptionAttributesOutput, error) {
	p, x, err := s.viewSubscription(ctx, in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	yes := map[bool]string{true: "true", false: "false"}
	out := map[string]string{
		"SubscriptionArn": in.SubscriptionArn, "TopicArn": p.arn(x.Topic), "Owner": x.Owner, "Protocol": x.Protocol, "Endpoint": x.Endpoint,
		"PendingConfirmation": yes[!x.Confirmed], "ConfirmationWasAuthenticated": yes[x.Authenticated], "RawMessageDelivery": "false", "SubscriptionPrincipal": x.Principal,
	}
	maps.Copy(out, x.Attributes)
	if x.Attributes["FilterPolicy"] == "" {
		delete(out, "FilterPolicyScope") // it says nothing then
	}
	if x.ReplayStatus != "" {
		out["ReplayStatus"] = x.ReplayStatus
	}
	return &api.GetSubscriptionAttributesOutput{Attributes: out}, nil
}

func (s *Service) setSubscriptionAttributes(ctx context.Context, in *api.SetSubscriptionAttributesInput) (*api.SetSubscriptionAttributesOutput, error) {
	value := ""
	if in.AttributeValue != nil {
		value = *in.AttributeValue
	}
	p, _, _, err := subscriptionOf(in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	err = s.changeSubscription(ctx, in.SubscriptionArn, func(tx store.Txn, r *topicRecord, x *subscription) (bool, error) {
		if err := setAll(r, x, map[string]string{in.AttributeName: value}, ""); err != nil {
			return false, err
		}
		if in.AttributeName == "ReplayPolicy" && value != "" {
			return false, s.startReplay(tx, p, r, x, value)
		}
		return false, nil
	})
	return &api.SetSubscriptionAttributesOutput{}, err
}

func (x *subscription) listed(p place) api.Subscription {
	id := p.arn(x.Topic) + ":" + x.ID
	if !x.Confirmed {
		id = "PendingConfirmation"
	}
	return api.Subscription{SubscriptionArn: &id, Owner: &x.Owner, Protocol: &x.Protocol, Endpoint: &x.Endpoint, TopicArn: new(p.arn(x.Topic))}
}

func (s *Service) listSubscriptions(ctx context.Context, in *api.ListSubscriptionsInput) (*api.ListSubscriptionsOutput, error) {
	p := placeOf(ctx)
	out := &api.ListSubscriptionsOutput{Subscriptions: []api.Subscription{}}
	var err error
	out.NextToken, err = s.listUnder(ctx, p, p.allSubscriptions(), in.NextToken, &out.Subscriptions)
	return out, err
}

func (s *Service) listSubscriptionsByTopic(ctx context.Context, in *api.ListSubscriptionsByTopicInput) (*api.ListSubscriptionsByTopicOutput, error) {
	t, err := s.viewTopic(ctx, in.TopicArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListSubscriptionsByTopicOutput{Subscriptions: []api.Subscription{}}
	out.NextToken, err = s.listUnder(ctx, t.place, t.place.subscriptions(t.Name), in.NextToken, &out.Subscriptions)
	return out, err
}

func (s *Service) listUnder(ctx context.Context, p place, prefix key.Key, token *string, out *[]api.Subscription) (*string, error) {
	return s.list(ctx, prefix, token, func(_ store.Reader, _ string, pair store.Pair) error {
		var x subscription
		if err := json.Unmarshal(pair.Value, &x); err != nil {
			return err
		}
		*out = append(*out, x.listed(p))
		return nil
	})
}

// source is on whose behalf a topic sends.
func (t *topic) source() port.Source {
	return port.Source{Service: "sns.amazonaws.com", ARN: t.arn, Account: t.place.account}
}
