package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	notifyKind = "cloudformation.notify"
	// notifyTries is how often a message is tried to be published.
	notifyTries = 5
	maxTopics   = 5
)

// notifyRecord says which topics are told of the events of a stack, with the right of whoever named them.
type notifyRecord struct {
	Topics []string
	As     service.Principal
}

// notice is the payload of the job that publishes an event.
type notice struct {
	Account, Region, Topic, Message string
	As                              service.Principal
}

// checkTopics refuses NotificationARNs that are no topics, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html.
func checkTopics(topics []string) error {
	if len(topics) > maxTopics {
		return invalid("1 validation error detected: Value '%v' at 'notificationARNs' failed to satisfy constraint: Member must have length less than or equal to %d", topics, maxTopics)
	}
	for _, t := range topics {
		if a, err := arn.Parse(t); err != nil || a.Service != "sns" || a.Region == "" || a.Account == "" {
			return invalid("Invalid notification ARN: %s. It must be the ARN of an SNS topic.", t)
		}
	}
	return nil
}

// topics returns the NotificationARNs of a stack.
func (st *stackRecord) topics() []string {
	if st.Notify == nil {
		return []string{}
	}
	return st.Notify.Topics
}

// tell makes the messages about an event part of the transaction that writes it. Those of one stack come to a topic in the order of its events.
func (n *notifyRecord) tell(tx store.Txn, p place, stackID string, e *eventRecord) error {
	if n == nil {
		return nil
	}
	for _, topic := range n.Topics {
		payload, err := json.Marshal(notice{p.account, p.region, topic, message(p, stackID, e), n.As})
		if err != nil {
			return err
		}
		if err := events.Enqueue(tx, events.Job{Kind: notifyKind, Group: stackID + " " + topic, Payload: payload}); err != nil {
			return err
		}
	}
	return nil
}

// message returns an event in the form in which topics get it: a line for each member.
func message(p place, stackID string, e *eventRecord) string {
	name := strings.Split(stackID[strings.Index(stackID, "stack/")+len("stack/"):], "/")[0]
	var b strings.Builder
	for _, m := range [][2]string{
		{"StackId", stackID}, {"Timestamp", e.Time.UTC().Format("2006-01-02T15:04:05.000Z")}, {"EventId", e.ID}, {"LogicalResourceId", e.LogicalID},
		{"Namespace", p.account}, {"PhysicalResourceId", e.PhysicalID}, {"ResourceProperties", e.Properties}, {"ResourceStatus", e.Status},
		{"ResourceStatusReason", e.Reason}, {"ResourceType", e.Type}, {"StackName", name}, {"ClientRequestToken", e.Token},
	} {
		value := m[1]
		if value == "" && m[0] != "ResourceStatusReason" && m[0] != "PhysicalResourceId" {
			value = "null"
		}
		fmt.Fprintf(&b, "%s='%s'\n", m[0], value)
	}
	return b.String()
}

// publish is the job that brings an event to a topic.
func (s *Service) publish(ctx context.Context, j events.Job) error {
	var n notice
	if err := json.Unmarshal(j.Payload, &n); err != nil {
		return events.Permanent(fmt.Errorf("decode job: %w", err))
	}
	ctx = service.WithRequest(ctx, &service.Request{
		ID: j.ID, API: "cloudformation", Operation: "CreateStack", Account: n.Account, Region: n.Region, Principal: n.As, Time: s.Clock.Now(), Secure: true,
	})
	_, err := service.Call[sns.PublishOutput](ctx, s.Door, "sns", "Publish", &sns.PublishInput{TopicArn: &n.Topic, Subject: ptr("AWS CloudFormation Notification"), Message: n.Message})
	if service.Code(err) != "" && service.Code(err) != "InternalFailure" {
		s.Log.WarnContext(ctx, "a topic was not told of a stack's event", slog.String("topic", n.Topic), slog.Any("error", err))
		return events.Permanent(err)
	}
	return err
}

// notifyJobs is the kind of job that tells topics.
func (s *Service) notifyJobs() events.Kind {
	return events.Kind{Name: notifyKind, Handle: s.publish, MaxAttempts: notifyTries, MaxAge: time.Hour}
}
