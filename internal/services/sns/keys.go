package sns

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region that own a topic.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) root(kind string) key.Key { return key.New("sns", kind, p.account, p.region) }

func (p place) topics() key.Key                       { return p.root("t") }
func (p place) topic(name string) key.Key             { return p.topics().Str(name) }
func (p place) allSubscriptions() key.Key             { return p.root("s") }
func (p place) subscriptions(topic string) key.Key    { return p.allSubscriptions().Str(topic) }
func (p place) subscription(topic, id string) key.Key { return p.subscriptions(topic).Str(id) }
func (p place) endpoints(topic string) key.Key        { return p.root("e").Str(topic) }
func (p place) endpoint(topic, protocol, to string) key.Key {
	return p.endpoints(topic).Str(protocol).Str(digest(to))
}
func (p place) dedups(topic string) key.Key           { return p.root("d").Str(topic) }
func (p place) dedup(topic, scope, id string) key.Key { return p.dedups(topic).Str(scope).Str(id) }
func (p place) archive(topic string) key.Key          { return p.root("a").Str(topic) }
func (p place) outbox() key.Key                       { return p.root("o") }
func (p place) apps() key.Key                         { return p.root("p").Str("app") }
func (p place) app(id string) key.Key                 { return p.apps().Str(id) }
func (p place) appEndpoints(app string) key.Key       { return p.root("p").Str("end").Str(app) }
func (p place) appEndpoint(app, id string) key.Key    { return p.appEndpoints(app).Str(id) }
func (p place) sandbox() key.Key                      { return p.root("p").Str("box") }
func (p place) sandboxNumber(number string) key.Key   { return p.sandbox().Str(number) }
func (p place) smsSettings() key.Key                  { return p.root("p").Str("sms") }
func (p place) arn(resource string) string {
	return "arn:aws:sns:" + p.region + ":" + p.account + ":" + resource
}

func signingKey() key.Key { return key.New("sns", "signing-key") }

// parseARN takes an ARN apart; parameter names it in errors.
func parseARN(text, parameter string) (place, string, error) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) < 6 {
		return place{}, "", invalid("%s Reason: An ARN must have at least 6 elements, not %d", parameter, len(parts))
	}
	if parts[0] != "arn" || parts[2] != "sns" || parts[5] == "" {
		return place{}, "", invalid("%s", parameter)
	}
	return place{parts[4], parts[3]}, parts[5], nil
}

// topicOf takes the ARN of a topic apart.
func topicOf(ctx context.Context, arn string) (place, string, error) {
	p, name, err := parseARN(arn, "TopicArn")
	if err != nil {
		return p, name, err
	}
	if strings.Contains(name, ":") || p.region != service.RequestFrom(ctx).Region {
		return p, name, invalid("TopicArn")
	}
	return p, name, nil
}

// subscriptionOf takes the ARN of a subscription apart.
func subscriptionOf(arn string) (p place, topic, id string, err error) {
	if arn == "" {
		return p, "", "", invalid("SubscriptionArn Reason: no value for required parameter")
	}
	p, rest, err := parseARN(arn, "SubscriptionArn")
	if err != nil {
		return p, "", "", err
	}
	topic, id, ok := strings.Cut(rest, ":")
	if !ok {
		return p, "", "", invalid("SubscriptionId")
	}
	if !uuidPattern.MatchString(id) {
		return p, "", "", invalid("SubscriptionId")
	}
	return p, topic, id, nil
}
