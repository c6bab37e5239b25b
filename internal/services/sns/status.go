package sns

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/fnv"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// The statuses of deliveries, as the log says them.
const (
	statusSuccess = "SUCCESS"
	statusFailure = "FAILURE"
)

// feedbackOf returns the prefix of the attributes that ask for the status of deliveries over a protocol, or "".
func feedbackOf(protocol string) string {
	switch protocol {
	case protocolSQS:
		return "SQS"
	case protocolLambda:
		return "Lambda"
	case protocolFirehose:
		return "Firehose"
	case protocolHTTP, protocolHTTPS:
		return "HTTP"
	}
	return ""
}

// feedback tells with which role the outcome of a delivery is logged; "" when it is not. Of the successes, it is a sample by the messages' ids. Without a rate it is all of them.
func (r *topicRecord) feedback(protocol, message string, failed bool) (role string) {
	prefix := feedbackOf(protocol)
	if prefix == "" {
		return ""
	}
	if failed {
		return r.Attributes[prefix+"FailureFeedbackRoleArn"]
	}
	if rate, err := strconv.Atoi(r.Attributes[prefix+"SuccessFeedbackSampleRate"]); err == nil {
		h := fnv.New32a()
		_, _ = h.Write([]byte(message)) // never fails
		if int(h.Sum32()%100) >= rate {
			return ""
		}
	}
	return r.Attributes[prefix+"SuccessFeedbackRoleArn"]
}

// status is an entry of the log of deliveries (https://docs.aws.amazon.com/sns/latest/dg/sns-topic-attributes.html).
type status struct {
	Notification struct {
		MD5       string `json:"messageMD5Sum"`
		ID        string `json:"messageId"`
		Topic     string `json:"topicArn"`
		Timestamp string `json:"timestamp"`
	} `json:"notification"`
	Delivery struct {
		ID          string `json:"deliveryId"`
		Destination string `json:"destination"`
		Response    string `json:"providerResponse"`
		Dwell       int64  `json:"dwellTimeMs"`
		Attempts    int    `json:"attempts"`
		Status      int    `json:"statusCode"`
	} `json:"delivery"`
	Outcome string `json:"status"`
}

// outcome is how a delivery ended.
type outcome struct {
	t                  *topic
	message, md5       string
	published          string // as messages write it
	protocol, endpoint string
	attempts           int
	err                error
}

// statusCode returns the HTTP status that stands for the outcome.
func (o *outcome) statusCode() int {
	var known *service.Error
	var refused *refusedError
	switch {
	case o.err == nil:
		return http.StatusOK
	case errors.As(o.err, &refused):
		return refused.status
	case errors.As(o.err, &known) && known.Status != 0:
		return known.Status
	}
	return http.StatusInternalServerError
}

// tell logs the outcome of a delivery when the topic asks for it: to the log group sns/REGION/ACCOUNT/TOPIC, failures to the one with /Failure behind it, if the role may write
// there. A log that cannot be written holds nothing up.
func (s *Service) tell(ctx context.Context, o *outcome) {
	role := o.t.feedback(o.protocol, o.message, o.err != nil)
	if role == "" || s.options.Logs == nil {
		return
	}
	if err := s.writeStatus(ctx, role, o); err != nil {
		s.deps.Log.WarnContext(ctx, "status of a delivery not logged", slog.String("topic", o.t.arn), slog.Any("error", err))
	}
}

func (s *Service) writeStatus(ctx context.Context, role string, o *outcome) error {
	p := o.t.place
	now := s.deps.Clock.Now().UTC()
	published, err := time.Parse(timestampFormat, o.published)
	if err != nil {
		return err
	}
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return err
	}
	e := status{Outcome: statusSuccess}
	e.Notification.MD5, e.Notification.ID, e.Notification.Topic, e.Notification.Timestamp = o.md5, o.message, o.t.arn, now.Format("2006-01-02 15:04:05.000")
	e.Delivery.ID, e.Delivery.Destination, e.Delivery.Dwell, e.Delivery.Attempts, e.Delivery.Status = id, o.endpoint, max(now.Sub(published).Milliseconds(), 0), o.attempts, o.statusCode()
	group := "sns/" + p.region + "/" + p.account + "/" + o.t.Name
	if o.err != nil {
		e.Outcome, e.Delivery.Response, group = statusFailure, o.err.Error(), group+"/Failure"
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	inside := s.inside(context.WithoutCancel(ctx), p)
	if s.options.Roles != nil {
		as, err := s.options.Roles.SessionForService(inside, "sns.amazonaws.com", role, "delivery-status")
		if err != nil {
			return err
		}
		r := *service.RequestFrom(inside)
		r.Principal = as
		target := service.Target{Action: "logs:PutLogEvents", ARN: "arn:aws:logs:" + p.region + ":" + p.account + ":log-group:" + group + ":log-stream:" + id, Owner: p.account}
		if err := s.deps.Door.Allow(service.WithRequest(inside, &r), target); err != nil {
			return err
		}
	}
	return s.options.Logs.PutLog(inside, p.account, p.region, group, id, []port.LogLine{{Time: now, Message: string(text)}})
}

// tellAll logs the outcomes of the deliveries that were made with a message.
func (s *Service) tellAll(ctx context.Context, p *plan) {
	digest := ""
	for _, d := range p.to[:p.done] {
		x := d.x
		if feedbackOf(x.Protocol) == "" || x.Protocol == protocolHTTP || x.Protocol == protocolHTTPS || p.t.feedback(x.Protocol, p.m.ID, p.m.failed[x] != nil) == "" {
			continue
		}
		if digest == "" {
			digest = bodyDigest(p.m.Body) // of few messages: most topics log nothing
		}
		s.tell(ctx, &outcome{
			t: p.t, message: p.m.ID, md5: digest, published: p.m.Timestamp, protocol: x.Protocol, endpoint: x.Endpoint, attempts: 1, err: p.m.failed[x],
		})
	}
}

// refusedError is an answer of an HTTP endpoint that is not one of success.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return "the endpoint answered " + e.text }

// bodyDigest returns the MD5 of a text in hexadecimal.
func bodyDigest(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// checkFeedbackRoles asks whether the caller may pass the roles of delivery status logging to SNS.
func (s *Service) checkFeedbackRoles(ctx context.Context, attributes map[string]string) error {
	if s.options.Roles == nil {
		return nil
	}
	for name, role := range attributes {
		if feedbackAttribute.MatchString(name) && strings.HasSuffix(name, "RoleArn") && role != "" {
			if err := s.options.Roles.CheckPassRole(ctx, role, "sns.amazonaws.com"); err != nil {
				return err
			}
		}
	}
	return nil
}
