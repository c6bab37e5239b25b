package s3

import (
	"context"
	"encoding/json"
	"fmt"

	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// eventTime is the format of times in events.
const eventTime = "2006-01-02T15:04:05.000Z"

// bridgeDetail is the detail of an event on the bus: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
type bridgeDetail struct {
	Version   string       `json:"version"`
	Bucket    bridgeBucket `json:"bucket"`
	Object    bridgeObject `json:"object"`
	RequestID string       `json:"request-id"`
	Requester string       `json:"requester"`
	SourceIP  string       `json:"source-ip-address,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	Deletion  string       `json:"deletion-type,omitempty"`
	Class     string       `json:"destination-storage-class,omitempty"`
	From      string       `json:"source-storage-class,omitempty"`
	Restored  string       `json:"restore-expiry-time,omitempty"`
}

type bridgeBucket struct {
	Name string `json:"name"`
}

type bridgeObject struct {
	Key       string `json:"key"` // as it is, unlike in notifications
	Size      *int64 `json:"size,omitempty"`
	ETag      string `json:"etag,omitempty"`
	VersionID string `json:"version-id,omitempty"`
	Sequencer string `json:"sequencer,omitempty"`
}

// bridgeKind is what an event is called on the bus.
type bridgeKind struct{ detailType, reason, deletion string }

// bridgeKinds names the events that go to the bus.
func bridgeKinds() map[string]bridgeKind {
	const permanent, marker = "Permanently Deleted", "Delete Marker Created"
	return map[string]bridgeKind{
		"ObjectCreated:Put":                       {"Object Created", "PutObject", ""},
		"ObjectCreated:Post":                      {"Object Created", "POST Object", ""},
		"ObjectCreated:Copy":                      {"Object Created", "CopyObject", ""},
		"ObjectCreated:CompleteMultipartUpload":   {"Object Created", "CompleteMultipartUpload", ""},
		"ObjectRemoved:Delete":                    {"Object Deleted", "DeleteObject", permanent},
		"ObjectRemoved:DeleteMarkerCreated":       {"Object Deleted", "DeleteObject", marker},
		"LifecycleExpiration:Delete":              {"Object Deleted", "Lifecycle Expiration", permanent},
		"LifecycleExpiration:DeleteMarkerCreated": {"Object Deleted", "Lifecycle Expiration", marker},
		"LifecycleTransition":                     {"Object Storage Class Changed", "", ""},
		"ObjectRestore:Post":                      {"Object Restore Initiated", "", ""},
		"ObjectRestore:Completed":                 {"Object Restore Completed", "", ""},
		"ObjectTagging:Put":                       {"Object Tags Added", "", ""},
		"ObjectTagging:Delete":                    {"Object Tags Deleted", "", ""},
		"ObjectAcl:Put":                           {"Object ACL Updated", "", ""},
	}
}

// notifyBus queues the event for the default bus of the bucket's account and region.
func (s *Service) notifyBus(ctx context.Context, tx store.Txn, b *bucket, c change) error {
	kind, ok := bridgeKinds()[c.event]
	if !ok {
		return nil
	}
	req := service.RequestFrom(ctx)
	d := bridgeDetail{
		Version: "0", Bucket: bridgeBucket{b.Name}, RequestID: req.ID, Requester: req.Principal.Account, Reason: kind.reason, Deletion: kind.deletion,
		Object: bridgeObject{Key: c.key, ETag: c.etag(), VersionID: c.versionID(), Sequencer: sequencer(c.version)},
	}
	if req.SourceIP.IsValid() {
		d.SourceIP = req.SourceIP.Unmap().String()
	}
	d.tell(c, kind)
	if req.Principal.Kind == service.ServicePrincipal {
		d.Requester = req.Principal.Service
	}
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return s.deliveries.Enqueue(tx, &deliver.Message{
		Target: "arn:aws:events:" + b.Region + ":" + b.Account + ":event-bus/default", From: b.source(), Trace: req.Trace, Body: body,
		Event: &deliver.Event{Source: "aws.s3", DetailType: kind.detailType, Resources: []string{b.arn()}, Time: s.now()},
	})
}

// tell sets what events of the kind have beside the others.
func (d *bridgeDetail) tell(c change, kind bridgeKind) {
	switch {
	case c.is("ObjectTagging", "ObjectAcl"):
		d.Object.Sequencer = ""
	case c.is("ObjectRestore"):
		d.Object.Sequencer, d.Object.Size, d.From = "", &c.version.Size, c.version.Class
		if c.event == "ObjectRestore:Completed" {
			d.SourceIP, d.Restored = "", c.version.Restored.UTC().Format(eventTime)
		}
	case kind.deletion == "":
		d.Object.Size = &c.version.Size
		if c.event == "LifecycleTransition" {
			d.Class = c.version.Class
		}
	}
}

// sequencer orders the events of a key: of one width, so that it compares right as text.
func sequencer(v *version) string { return fmt.Sprintf("%016X", v.Seq) }
