package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// change is what happened to an object.
type change struct {
	event   string // such as "ObjectCreated:Put"
	key     string
	version *version
	// id is the version id of a version that was removed; otherwise it is that of version.
	id string
}

// message is the event document: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html.
type message struct {
	Records []eventRecord `json:"Records"`
}

type eventRecord struct {
	EventVersion      string           `json:"eventVersion"`
	EventSource       string           `json:"eventSource"`
	AWSRegion         string           `json:"awsRegion"`
	EventTime         string           `json:"eventTime"`
	EventName         string           `json:"eventName"`
	UserIdentity      eventIdentity    `json:"userIdentity"`
	RequestParameters eventRequest     `json:"requestParameters"`
	ResponseElements  eventRequestID   `json:"responseElements"`
	S3                eventDescription `json:"s3"`
}

type eventIdentity struct {
	PrincipalID string `json:"principalId"`
}

type eventRequest struct {
	SourceIPAddress string `json:"sourceIPAddress"`
}

type eventRequestID struct {
	RequestID string `json:"x-amz-request-id"`
	ID2       string `json:"x-amz-id-2"`
}

type eventDescription struct {
	SchemaVersion   string      `json:"s3SchemaVersion"`
	ConfigurationID string      `json:"configurationId"`
	Bucket          eventBucket `json:"bucket"`
	Object          eventObject `json:"object"`
}

type eventBucket struct {
	Name          string        `json:"name"`
	OwnerIdentity eventIdentity `json:"ownerIdentity"`
	ARN           string        `json:"arn"`
}

type eventObject struct {
	Key       string `json:"key"`
	Size      *int64 `json:"size,omitempty"`
	ETag      string `json:"eTag,omitempty"`
	VersionID string `json:"versionId,omitempty"`
	Sequencer string `json:"sequencer"`
}

// notify queues a message for each destination of the bucket that the change matches, in the transaction of the change.
func (s *Service) notify(ctx context.Context, tx store.Txn, b *bucket, c change) error {
	if !b.Notifies {
		return nil
	}
	n, _, err := record.Get[notification](tx, b.confKey(notificationConf))
	if err != nil {
		return wrap("read notifications", err)
	}
	for i := range n.Rules {
		if !n.Rules[i].matches(c.event, c.key) {
			continue
		}
		if err := s.notifyRule(ctx, tx, b, &n.Rules[i], c); err != nil {
			return err
		}
	}
	if !n.Bus {
		return nil
	}
	return s.notifyBus(ctx, tx, b, c)
}

func (s *Service) notifyRule(ctx context.Context, tx store.Txn, b *bucket, r *rule, c change) error {
	payload, err := json.Marshal(s.describe(ctx, b, r, c))
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	if isFunction(r.Target) {
		return wrap("queue event for "+r.Target, s.functions.EnqueueAsync(ctx, tx, b.source(), r.Target, payload))
	}
	m := &deliver.Message{Target: r.Target, From: b.source(), Trace: service.RequestFrom(ctx).Trace, Body: payload}
	if strings.Contains(r.Target, ":sns:") {
		m.Subject = "Amazon S3 Notification"
	}
	return wrap("queue event for "+r.Target, s.deliveries.Enqueue(tx, m))
}

func (s *Service) describe(ctx context.Context, b *bucket, r *rule, c change) message {
	req := service.RequestFrom(ctx)
	rec := eventRecord{
		EventVersion: "2.1", EventSource: "aws:s3", AWSRegion: b.Region, EventName: c.event,
		EventTime:         s.now().Format(eventTime),
		UserIdentity:      eventIdentity{"AWS:" + req.Principal.UserID},
		RequestParameters: eventRequest{"127.0.0.1"},
		ResponseElements:  eventRequestID{req.ID, canonicalID(req.ID)},
		S3: eventDescription{
			SchemaVersion: "1.0", ConfigurationID: r.ID,
			Bucket: eventBucket{b.Name, eventIdentity{canonicalID(b.Account)}, b.arn()},
			Object: eventObject{Key: eventKey(c.key), Sequencer: sequencer(c.version)},
		},
	}
	if req.SourceIP.IsValid() {
		rec.RequestParameters.SourceIPAddress = req.SourceIP.Unmap().String()
	}
	switch req.Principal.Kind {
	case service.ServicePrincipal:
		rec.UserIdentity.PrincipalID = req.Principal.Service
	case service.Anonymous:
		rec.UserIdentity.PrincipalID = "Anonymous"
	}
	if rec.S3.Object.VersionID = c.id; c.id == "" && c.version.Versioned {
		rec.S3.Object.VersionID = c.version.id()
	}
	switch {
	case !strings.HasPrefix(c.event, "ObjectCreated:") && !strings.HasPrefix(c.event, "ObjectRemoved:"):
		rec.EventVersion = "2.3"
		rec.S3.Object.ETag = c.version.ETag
	case strings.HasPrefix(c.event, "ObjectCreated:"):
		rec.S3.Object.Size, rec.S3.Object.ETag = &c.version.Size, c.version.ETag
	}
	return message{Records: []eventRecord{rec}}
}

// eventKey encodes a key as events have it: as a form value, with slashes left alone.
func eventKey(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }
