package cloudwatch

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

const (
	// actionQueue is the kind of the jobs that carry actions and events of alarms.
	actionQueue = "cloudwatch.action"
	// actionAge is how long an action is tried.
	actionAge = time.Hour
	// principal calls topics and buses, functionPrincipal functions
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html).
	principal         = "cloudwatch.amazonaws.com"
	functionPrincipal = "lambda.alarms.cloudwatch.amazonaws.com"
)

// checkActions refuses what an alarm cannot do here.
func checkActions(operation string, lists ...[]string) error {
	for _, targets := range lists {
		for _, target := range targets {
			a, err := arn.Parse(target)
			switch {
			case err != nil:
				return invalid("Invalid arn syntax: %s", target)
			case a.Service != "sns" && a.Service != "lambda":
				return invalid("Lambent does not support the action %s of %s: an alarm can publish to an SNS topic and invoke a Lambda function. Leave it out, or let a function do it.", target, operation)
			case a.Service == "lambda" && !strings.HasPrefix(a.Resource, "function:"):
				return invalid("Invalid arn syntax: %s", target)
			}
		}
	}
	return nil
}

// enqueueAction lets a topic or a function know of the state that an alarm has come into.
func (m *Metrics) enqueueAction(tx store.Txn, s scope, a *alarm, was state, target string) error {
	msg := &deliver.Message{Target: target, From: port.Source{Service: principal, ARN: s.alarmARN(a.Name), Account: s.account}, Order: s.alarmARN(a.Name) + " " + target}
	var err error
	if parsed, bad := arn.Parse(target); bad == nil && parsed.Service == "lambda" {
		msg.From.Service = functionPrincipal
		msg.Body, err = functionDocument(s, a, was)
	} else {
		msg.Subject = subject(s, a)
		msg.Body, err = topicDocument(s, a, was)
	}
	if err != nil {
		return err
	}
	return m.actions.Enqueue(tx, msg)
}

// publish sends an event to the default bus of an alarm's account and region.
func (m *Metrics) publish(tx store.Txn, s scope, a *alarm, detailType string, detail any) error {
	body, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	name := s.alarmARN(a.Name)
	return m.actions.Enqueue(tx, &deliver.Message{
		Target: arn.New("events", s.region, s.account, "event-bus/default").String(), From: port.Source{Service: principal, ARN: name, Account: s.account}, Order: name, Body: body,
		Event: &deliver.Event{Source: "aws.cloudwatch", DetailType: detailType, Resources: []string{name}, Time: m.now()},
	})
}

// send makes a try of a delivery, and notes in the history of the alarm that its action was done.
func (m *Metrics) send(ctx context.Context, msg *deliver.Message, _ int) error {
	if err := m.options.Sender.Send(ctx, msg); err != nil || msg.Event != nil {
		return err
	}
	return m.deps.Store.Update(ctx, func(tx store.Txn) error {
		return m.noteAction(tx, msg, "Succeeded", "Successfully executed action "+msg.Target, "")
	})
}

// dropped notes that an action failed for good.
func (m *Metrics) dropped(_ context.Context, tx store.Txn, msg *deliver.Message, _ int, cause error) error {
	if msg.Event != nil {
		return nil
	}
	return m.noteAction(tx, msg, "Failed", "Failed to execute action "+msg.Target+". Received error: \""+cause.Error()+"\"", cause.Error())
}

// noteAction writes the history item of an action, unless its alarm is gone.
func (m *Metrics) noteAction(tx store.Txn, msg *deliver.Message, outcome, summary, failure string) error {
	from, err := arn.Parse(msg.From.ARN)
	if err != nil {
		return err
	}
	s, name := scope{from.Account, from.Region}, strings.TrimPrefix(from.Resource, "alarm:")
	a, there, err := readAlarm(tx, s, name)
	if err != nil || !there {
		return err
	}
	data := map[string]any{"actionState": outcome, "notificationResource": msg.Target, "stateUpdateTimestamp": a.State.Updated.UnixMilli()}
	if json.Valid(msg.Body) {
		data["publishedMessage"] = json.RawMessage(msg.Body)
	}
	if failure != "" {
		data["error"] = failure
	}
	return m.note(tx, s, &a, api.HistoryItemTypeAction, msg.ID, m.now(), summary, data)
}
