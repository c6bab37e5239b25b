package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

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

// notify queues an invocation for each rule of the bucket that the change matches, in the transaction of the change.
func (s *Service) notify(ctx context.Context, tx store.Txn, b *bucket, c change) error {
	rules, ok, err := record.Get[[]rule](tx, b.confKey(notificationConf))
	if err != nil || !ok {
		return wrap("read notifications", err)
	}
	for i := range rules {
		r := &rules[i]
		if !r.matches(c.event, c.key) {
			continue
		}
		payload, err := json.Marshal(s.describe(ctx, b, r, c))
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		if err := s.functions.EnqueueAsync(ctx, tx, b.source(), r.Function, payload); err != nil {
			return wrap("queue event for "+r.Function, err)
		}
	}
	return nil
}

func (s *Service) describe(ctx context.Context, b *bucket, r *rule, c change) message {
	req := service.RequestFrom(ctx)
	rec := eventRecord{
		EventVersion: "2.1", EventSource: "aws:s3", AWSRegion: b.Region, EventName: c.event,
		EventTime:         s.now().Format("2006-01-02T15:04:05.000Z"),
		UserIdentity:      eventIdentity{"AWS:" + req.Principal.UserID},
		RequestParameters: eventRequest{"127.0.0.1"},
		ResponseElements:  eventRequestID{req.ID, canonicalID(req.ID)},
		S3: eventDescription{
			SchemaVersion: "1.0", ConfigurationID: r.ID,
			Bucket: eventBucket{b.Name, eventIdentity{canonicalID(b.Account)}, b.arn()},
			Object: eventObject{Key: eventKey(c.key), Sequencer: fmt.Sprintf("%016X", c.version.Seq)},
		},
	}
	if req.SourceIP.IsValid() {
		rec.RequestParameters.SourceIPAddress = req.SourceIP.Unmap().String()
	}
	if req.Principal.Kind == service.Anonymous {
		rec.UserIdentity.PrincipalID = "Anonymous"
	}
	if rec.S3.Object.VersionID = c.id; c.id == "" && c.version.Versioned {
		rec.S3.Object.VersionID = c.version.id()
	}
	switch {
	case strings.HasPrefix(c.event, "ObjectTagging:"):
		rec.EventVersion = "2.3"
		rec.S3.Object.ETag = c.version.ETag
	case strings.HasPrefix(c.event, "ObjectCreated:"):
		rec.S3.Object.Size, rec.S3.Object.ETag = &c.version.Size, c.version.ETag
	}
	return message{Records: []eventRecord{rec}}
}

// publish queues what follows from a change of an object: its events.
func (s *Service) publish(ctx context.Context, tx store.Txn, b *bucket, c change) error {
	return s.notify(ctx, tx, b, c)
}

// eventKey encodes a key as events have it: as a form value, with slashes left alone.
func eventKey(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }
