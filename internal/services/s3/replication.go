package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	replicaKind = "s3-replica"

	replicaPending   = "PENDING"
	replicaCompleted = "COMPLETED"
	replicaFailed    = "FAILED"
	replica          = "REPLICA"
	// replicaAge is how long a replication is tried again.
	replicaAge = 24 * time.Hour
)

// replicaJob copies one version to the bucket of a rule.
type replicaJob struct {
	Bucket string `json:"bucket"`
	ID     string `json:"id"` // of the source bucket
	Key    string `json:"key"`
	Seq    uint64 `json:"seq"`
	Rule   string `json:"rule"`
}

func (s *Service) putBucketReplication(ctx context.Context, in *api.PutBucketReplicationInput) (*api.PutBucketReplicationOutput, error) {
	c := in.ReplicationConfiguration
	if in.Token != nil {
		return nil, unsupported("PutBucketReplication", "Token")
	}
	if c == nil || len(c.Rules) == 0 || len(c.Rules) > maxLifecycleRules {
		return nil, malformedXML()
	}
	if role, err := arn.Parse(c.Role); err != nil || role.Service != "iam" || !strings.HasPrefix(role.Resource, "role/") {
		return nil, invalidArgument("Invalid Role specified in replication configuration")
	}
	kept := *c
	kept.Rules = slices.Clone(c.Rules)
	for i := range kept.Rules {
		if err := checkReplicationRule(&kept.Rules[i]); err != nil {
			return nil, err
		}
		if deref(kept.Rules[i].ID) == "" {
			kept.Rules[i].ID = ptr(s.newID())
		}
		if slices.ContainsFunc(kept.Rules[:i], func(r api.ReplicationRule) bool { return *r.ID == *kept.Rules[i].ID }) {
			return nil, invalidArgument("Rule Id must be unique. Found same Id for one or more rules")
		}
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		if b.Versioning != versioningEnabled {
			return invalidRequest("Versioning must be 'Enabled' on the bucket to apply a replication configuration")
		}
		for _, r := range kept.Rules {
			to, err := findBucket(tx, targetOf(&r), nil)
			switch {
			case service.Code(err) == "NoSuchBucket":
				return invalidRequest("Destination bucket must exist.")
			case err != nil:
				return err
			case to.Versioning != versioningEnabled:
				return invalidRequest("Destination bucket must have versioning enabled.")
			}
		}
		b.Replicates = true
		if err := record.Set(tx, b.confKey(replicationConf), kept); err != nil {
			return err
		}
		return record.Set(tx, nameKey(b.Name), *b)
	})
	return answerOf(&api.PutBucketReplicationOutput{}, err)
}

// targetOf returns the name of the bucket that a rule copies to.
func targetOf(r *api.ReplicationRule) string {
	return strings.TrimPrefix(r.Destination.Bucket, "arn:aws:s3:::")
}

func checkReplicationRule(r *api.ReplicationRule) error {
	const operation = "PutBucketReplication"
	d := r.Destination
	switch {
	case d == nil || r.Status != "Enabled" && r.Status != "Disabled" || r.Filter != nil && r.Prefix != nil:
		return malformedXML()
	case !strings.HasPrefix(d.Bucket, "arn:aws:s3:::"):
		return invalidArgument("Invalid bucket ARN.")
	case d.ReplicationTime != nil && d.ReplicationTime.Status == "Enabled":
		return unsupported(operation, "ReplicationTime")
	case d.Metrics != nil && d.Metrics.Status == "Enabled":
		return unsupported(operation, "Metrics")
	case d.EncryptionConfiguration != nil:
		return unsupported(operation, "EncryptionConfiguration")
	case d.AccessControlTranslation != nil || d.Account != nil:
		return unsupported(operation, "AccessControlTranslation")
	case r.ExistingObjectReplication != nil && r.ExistingObjectReplication.Status == "Enabled":
		return unsupported(operation, "ExistingObjectReplication")
	}
	if c := r.SourceSelectionCriteria; c != nil && (c.SseKmsEncryptedObjects != nil && c.SseKmsEncryptedObjects.Status == "Enabled" || c.ReplicaModifications != nil && c.ReplicaModifications.Status == "Enabled") {
		return unsupported(operation, "SourceSelectionCriteria")
	}
	if r.Filter != nil && (r.Priority == nil || r.DeleteMarkerReplication == nil) {
		return malformedXML()
	}
	if r.DeleteMarkerReplication != nil && r.DeleteMarkerReplication.Status == "Enabled" && len(replicationFilter(r).tags) > 0 {
		return invalidRequest("Delete marker replication is not supported if any Tag filter is specified.")
	}
	_, err := checkClass(d.StorageClass)
	return err
}

func replicationFilter(r *api.ReplicationRule) matcher {
	f := r.Filter
	switch {
	case f == nil:
		return matcher{prefix: deref(r.Prefix)}
	case f.And != nil:
		return matcher{prefix: deref(f.And.Prefix), tags: f.And.Tags}
	case f.Tag != nil:
		return matcher{tags: []api.Tag{*f.Tag}}
	}
	return matcher{prefix: deref(f.Prefix)}
}

// replicates tells whether a rule copies a new version. Objects whose key a customer or KMS keeps, and replicas, are left alone.
func replicates(r *api.ReplicationRule, object string, v *version) bool {
	if r.Status != "Enabled" || v.Replication == replica || !replicationFilter(r).matches(object, v) || v.Seal != nil && v.Seal.Algorithm != sseS3 {
		return false
	}
	return !v.Marker || r.DeleteMarkerReplication != nil && r.DeleteMarkerReplication.Status == "Enabled"
}

// replicate marks a version that is about to be written, and queues its copies: of the rules with one destination, that with the highest priority counts.
func (s *Service) replicate(tx store.Txn, b *bucket, object string, v *version) error {
	if !b.Replicates || b.Versioning != versioningEnabled || v.Replication == replica {
		return nil
	}
	c, _, err := record.Get[api.ReplicationConfiguration](tx, b.confKey(replicationConf))
	if err != nil {
		return wrap("read replication rules", err)
	}
	rules := slices.Clone(c.Rules)
	order.Stable(rules, func(x, y api.ReplicationRule) int { return int(deref(y.Priority)) - int(deref(x.Priority)) })
	var targets []string
	for i := range rules {
		to := targetOf(&rules[i])
		if !replicates(&rules[i], object, v) || slices.Contains(targets, to) {
			continue
		}
		targets = append(targets, to)
		payload, err := json.Marshal(replicaJob{Bucket: b.Name, ID: b.ID, Key: object, Seq: v.Seq, Rule: *rules[i].ID})
		if err != nil {
			return fmt.Errorf("encode replica: %w", err)
		}
		if err := events.Enqueue(tx, events.Job{Kind: replicaKind, Payload: payload, Enqueued: s.now()}); err != nil {
			return err
		}
		v.Replication = replicaPending
	}
	return nil
}

// copyReplica copies one version, as the role of the rule may. The replica has the version's id, headers, tags and locks.
func (s *Service) copyReplica(ctx context.Context, job events.Job) error {
	var j replicaJob
	if err := json.Unmarshal(job.Payload, &j); err != nil {
		return events.Permanent(fmt.Errorf("decode replica: %w", err))
	}
	ctx, r, err := s.mayReplicate(ctx, j)
	if err != nil || r == nil {
		return err
	}
	return s.store.Update(ctx, func(tx store.Txn) error {
		b, err := findBucket(tx, j.Bucket, nil)
		if service.Code(err) == "NoSuchBucket" || err == nil && b.ID != j.ID {
			return nil
		}
		if err != nil {
			return err
		}
		v, err := getVersion(tx, b, j.Key, j.Seq)
		if err != nil || v == nil {
			return err // a version that was removed meanwhile needs no copy
		}
		to, err := findBucket(tx, targetOf(r), nil)
		if err != nil {
			return err
		}
		if to.Versioning != versioningEnabled {
			return invalidRequest("The destination bucket %s has no versioning.", to.Name)
		}
		if err := s.addReplica(ctx, tx, b, to, j.Key, v, r); err != nil {
			return err
		}
		v.Replication = replicaCompleted
		return putRow(tx, b, j.Key, v)
	})
}

// mayReplicate returns the rule of a job, and a context that acts with its role; nil when the rule is gone.
func (s *Service) mayReplicate(ctx context.Context, j replicaJob) (context.Context, *api.ReplicationRule, error) {
	var c api.ReplicationConfiguration
	var b *bucket
	err := s.view(ctx, j.Bucket, nil, func(r store.Reader, found *bucket) (err error) {
		b = found
		c, _, err = record.Get[api.ReplicationConfiguration](r, found.confKey(replicationConf))
		return err
	})
	if service.Code(err) == "NoSuchBucket" {
		return ctx, nil, nil
	}
	if err != nil {
		return ctx, nil, err
	}
	i := slices.IndexFunc(c.Rules, func(r api.ReplicationRule) bool { return *r.ID == j.Rule })
	if i < 0 || b.ID != j.ID {
		return ctx, nil, nil
	}
	r := &c.Rules[i]
	if ctx, err = s.sender.Caller(ctx, b.source(), c.Role, s.newID(), r.Destination.Bucket); err != nil {
		return ctx, nil, err
	}
	for _, need := range []struct{ bucket, action string }{{b.Name, "s3:GetObjectVersionForReplication"}, {targetOf(r), "s3:ReplicateObject"}} {
		t, err := s.objectTarget(ctx, need.bucket, j.Key, nil)
		if err != nil {
			return ctx, nil, err
		}
		t.Action = need.action
		if err := s.door.Allow(ctx, t); err != nil {
			return ctx, nil, err
		}
	}
	return ctx, r, nil
}

// addReplica writes the copy of v into the bucket to, sharing its bodies.
func (s *Service) addReplica(ctx context.Context, tx store.Txn, from, to *bucket, object string, v *version, r *api.ReplicationRule) error {
	if old, err := getVersion(tx, to, object, v.Seq); err != nil || old != nil {
		return err // an earlier try made it
	}
	c := *v
	c.Replication, c.Versioned, c.Owner, c.ACL = replica, true, "", nil
	if class, err := checkClass(r.Destination.StorageClass); err == nil && class != "" {
		c.Class = class
	}
	if c.Blob != "" {
		if err := retain(tx, c.Blob); err != nil {
			return err
		}
	}
	if c.Upload != "" {
		if err := copyTable(tx, from, to, c.Upload); err != nil {
			return err
		}
	}
	newest, err := latestVersion(tx, to, object)
	if err != nil {
		return err
	}
	if newest != nil && newest.Seq > c.Seq {
		return putRow(tx, to, object, &c)
	}
	var prev *version
	if newest != nil && !newest.Marker {
		prev = newest
	}
	if err := s.setVersion(tx, to, object, &c, prev); err != nil {
		return err
	}
	event := "ObjectCreated:Copy"
	if c.Marker {
		event = "ObjectRemoved:DeleteMarkerCreated"
	}
	return s.notify(ctx, tx, to, change{event: event, key: object, version: &c})
}

// copyTable gives another bucket the part table of a multipart object.
func copyTable(tx store.Txn, from, to *bucket, upload string) error {
	parts, err := tableParts(tx, from, upload)
	if err != nil {
		return err
	}
	for _, p := range parts {
		row, err := encodeRow(p, p.inline)
		if err != nil {
			return err
		}
		tx.Set(to.tableKey(upload).Uint(uint64(p.Number)), row)
	}
	return retain(tx, partBlobs(parts)...)
}

// replicaGivenUp marks a version whose replication was tried too often.
func (s *Service) replicaGivenUp(ctx context.Context, tx store.Txn, job events.Job, cause error) error {
	var j replicaJob
	if json.Unmarshal(job.Payload, &j) != nil {
		return nil //nolint:nilerr // the queue has logged that the row cannot be read, and drops it
	}
	b, err := findBucket(tx, j.Bucket, nil)
	if service.Code(err) == "NoSuchBucket" || err == nil && b.ID != j.ID {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := getVersion(tx, b, j.Key, j.Seq)
	if err != nil || v == nil {
		return err
	}
	v.Replication = replicaFailed
	if err := putRow(tx, b, j.Key, v); err != nil {
		return err
	}
	return s.notify(ctx, tx, b, change{event: "Replication:OperationFailedReplication", key: j.Key, version: v})
}

func (s *Service) getBucketReplication(ctx context.Context, in *api.GetBucketReplicationInput) (*api.GetBucketReplicationOutput, error) {
	c, err := getConf[api.ReplicationConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, replicationConf,
		fail("ReplicationConfigurationNotFoundError", http.StatusNotFound, "The replication configuration was not found"))
	return answerOf(&api.GetBucketReplicationOutput{ReplicationConfiguration: &c}, err)
}

func (s *Service) deleteBucketReplication(ctx context.Context, in *api.DeleteBucketReplicationInput) (*api.DeleteBucketReplicationOutput, error) {
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		b.Replicates = false
		tx.Delete(b.confKey(replicationConf))
		return record.Set(tx, nameKey(b.Name), *b)
	})
	return answerOf(&api.DeleteBucketReplicationOutput{}, err)
}
