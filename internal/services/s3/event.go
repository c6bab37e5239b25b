package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
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
	Glacier           *glacierEvent    `json:"glacierEventData,omitempty"`
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
	Sequencer string `json:"sequencer,omitempty"`
}

// glacierEvent is what the end of a restoration tells beside the object.
type glacierEvent struct {
	Restore restoreEvent `json:"restoreEventData"`
}

type restoreEvent struct {
	Expiry string `json:"lifecycleRestorationExpiryTime"`
	Class  string `json:"lifecycleRestoreStorageClass"`
}

// emptyETag is the entity tag of an empty body, which events give delete markers.
const emptyETag = "d41d8cd98f00b204e9800998ecf8427e"

// is tells whether the event is of one of the kinds, such as "ObjectCreated".
func (c *change) is(kinds ...string) bool {
	kind, _, _ := strings.Cut(c.event, ":")
	return slices.Contains(kinds, kind)
}

// schema is the version of the document of an event.
func (c *change) schema() string {
	switch {
	case c.is("ObjectCreated", "ObjectRemoved"), c.event == "ObjectRestore:Post", c.event == "ObjectRestore:Completed":
		return "2.1"
	case c.is("Replication"):
		return "2.2"
	}
	return "2.3"
}

// etag is the entity tag that an event tells, which is none when an object is gone.
func (c *change) etag() string {
	if c.version.Marker {
		return emptyETag
	}
	return c.version.ETag
}

// versionID is the version id that an event tells.
func (c *change) versionID() string {
	if c.id == "" && c.version.Versioned {
		return c.version.id()
	}
	return c.id
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
		EventVersion: c.schema(), EventSource: "aws:s3", AWSRegion: b.Region, EventName: c.event,
		EventTime:         s.now().Format(eventTime),
		UserIdentity:      eventIdentity{"AWS:" + req.Principal.UserID},
		RequestParameters: eventRequest{"127.0.0.1"},
		ResponseElements:  eventRequestID{req.ID, canonicalID(req.ID)},
		S3: eventDescription{
			SchemaVersion: "1.0", ConfigurationID: r.ID,
			Bucket: eventBucket{b.Name, eventIdentity{canonicalID(b.Account)}, b.arn()},
			Object: eventObject{Key: eventKey(c.key), ETag: c.etag(), VersionID: c.versionID(), Sequencer: sequencer(c.version)},
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
	if c.is("ObjectCreated", "ObjectRestore") {
		rec.S3.Object.Size = &c.version.Size
	}
	if c.is("ObjectTagging", "ObjectAcl") { // they change no version, and have no place in the order
		rec.S3.Object.Sequencer = ""
	}
	if c.event == "ObjectRestore:Completed" {
		rec.UserIdentity.PrincipalID = "AmazonCustomer:" + canonicalID(b.Account)
		rec.Glacier = &glacierEvent{restoreEvent{c.version.Restored.UTC().Format(eventTime), c.version.Class}}
	}
	return message{Records: []eventRecord{rec}}
}

// eventKey encodes a key as events have it: as a form value, with slashes left alone.
func eventKey(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }
