package s3

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// loggingConf is the kind of the row that says where the access logs of a bucket go.
const loggingConf = "logging"

// RefusedTarget is what S3 tells of a bucket that cannot take access logs beside the error's message.
type RefusedTarget struct{ TargetBucket string }

// LoggingLocations is what S3 tells of two buckets that are not in one region; us-east-1 is left out.
type LoggingLocations struct{ SourceBucketLocation, TargetBucketLocation string }

func invalidLogTarget(name, message string) *service.Error {
	return fail("InvalidTargetBucketForLogging", http.StatusBadRequest, "%s", message).WithDetail(&RefusedTarget{name})
}

// putBucketLogging sets where the access logs of a bucket go, or that it has none:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html.
func (s *Service) putBucketLogging(ctx context.Context, in *api.PutBucketLoggingInput) (*api.PutBucketLoggingOutput, error) {
	if in.BucketLoggingStatus == nil {
		return nil, malformedXML()
	}
	c := in.BucketLoggingStatus.LoggingEnabled
	if c != nil {
		if err := checkLogging(c); err != nil {
			return nil, err
		}
		if err := s.checkLogTarget(ctx, in.Bucket, in.ExpectedBucketOwner, c); err != nil {
			return nil, err
		}
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		if b.Logs = c != nil; b.Logs {
			if err := record.Set(tx, b.confKey(loggingConf), *c); err != nil {
				return err
			}
		} else {
			tx.Delete(b.confKey(loggingConf))
		}
		return record.Set(tx, nameKey(b.Name), *b)
	})
	return answerOf(&api.PutBucketLoggingOutput{}, err)
}

// checkLogging looks at what does not depend on buckets.
func checkLogging(c *api.LoggingEnabled) error {
	if f := c.TargetObjectKeyFormat; f != nil {
		if (f.SimplePrefix == nil) == (f.PartitionedPrefix == nil) {
			return malformedXML()
		}
		if p := f.PartitionedPrefix; p != nil && p.PartitionDateSource != "" && p.PartitionDateSource != byEventTime && p.PartitionDateSource != byDeliveryTime {
			return malformedXML()
		}
	}
	if len(c.TargetPrefix) > maxKey {
		return fail("KeyTooLongError", http.StatusBadRequest, "Your key is too long: the prefix has %d bytes, and %d are allowed for the whole key.", len(c.TargetPrefix), maxKey)
	}
	_, err := logGrants(c.TargetGrants)
	return err
}

// logGrants returns the access control list that the objects of a log get beside their owner's.
func logGrants(all []api.TargetGrant) ([]grant, error) {
	grants := make([]grant, 0, len(all))
	for _, g := range all {
		if g.Grantee == nil || g.Permission != "FULL_CONTROL" && g.Permission != "READ" && g.Permission != "WRITE" {
			return nil, malformedXML()
		}
		one, err := shapeGrantee(api.Grant(g))
		if err != nil {
			return nil, err
		}
		grants = append(grants, one)
	}
	return grants, nil
}

// checkLogTarget tells whether the logs of a bucket can go where c says. Where access control lists count, the delivery must be allowed already, as S3 asks;
// elsewhere a policy may come later.
func (s *Service) checkLogTarget(ctx context.Context, source string, owner *string, c *api.LoggingEnabled) error {
	from, err := s.lookUp(ctx, source, owner)
	if err != nil {
		return err
	}
	to, err := s.lookUp(ctx, c.TargetBucket, nil)
	switch {
	case service.Code(err) == "NoSuchBucket" || err == nil && to.via != nil:
		return invalidLogTarget(c.TargetBucket, "The target bucket for logging does not exist")
	case err != nil:
		return err
	case to.Account != from.Account:
		return invalidLogTarget(c.TargetBucket, "The owner for the bucket to be logged and the target bucket must be the same.")
	case to.Region != from.Region:
		return fail("CrossLocationLoggingProhibitted", http.StatusForbidden, "Cross S3 location logging not allowed. ").
			WithDetail(&LoggingLocations{foreignLocation(from.Region), foreignLocation(to.Region)})
	case to.Payer == requesterPays:
		return invalidLogTarget(c.TargetBucket, "The target bucket for logging cannot be a Requester Pays bucket. Choose one whose owner pays for requests.")
	case to.Lock != nil && to.Lock.Mode != "":
		return invalidLogTarget(c.TargetBucket, "The target bucket for logging cannot have a default retention period. Choose one without.")
	case !to.aclsEnabled():
		if len(c.TargetGrants) > 0 {
			return noACLs()
		}
		return nil
	}
	if err := s.mayDeliver(s.asLogDelivery(ctx, from), to.Name, c.TargetPrefix, ""); service.Code(err) == "AccessDenied" {
		return invalidLogTarget(c.TargetBucket, "You must give the log-delivery group WRITE and READ_ACP permissions to the target bucket")
	} else if err != nil {
		return err
	}
	return nil
}

// foreignLocation is a region as S3's older answers have it: us-east-1 has no name.
func foreignLocation(region string) string {
	if region == "us-east-1" {
		return ""
	}
	return region
}

func (s *Service) getBucketLogging(ctx context.Context, in *api.GetBucketLoggingInput) (*api.GetBucketLoggingOutput, error) {
	out := &api.GetBucketLoggingOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		c, ok, err := record.Get[api.LoggingEnabled](r, b.confKey(loggingConf))
		if ok {
			out.LoggingEnabled = &c
		}
		return err
	})
	return answerOf(out, err)
}

// asLogDelivery returns a context that acts as the service that delivers logs, for a bucket.
func (s *Service) asLogDelivery(ctx context.Context, b *bucket) context.Context {
	return s.asWriter(ctx, b.Account, b.Region, service.ServiceCaller("logging.s3.amazonaws.com", b.arn(), b.Account))
}

// asWriter returns a context in which a service writes objects for an account.
func (s *Service) asWriter(ctx context.Context, account, region string, caller service.Principal) context.Context {
	return service.WithRequest(ctx, &service.Request{API: "s3", Operation: "PutObject", Account: account, Region: region, Time: s.now(), Secure: true, Principal: caller})
}

// mayDeliver asks whether the caller of ctx may write an object, with a canned access control list if acl names one.
func (s *Service) mayDeliver(ctx context.Context, target, object, acl string) error {
	t, err := s.objectTarget(ctx, target, object, nil)
	if err != nil {
		return err
	}
	t.Action = "s3:PutObject"
	if acl != "" {
		t.Condition = with(t.Condition, "s3:x-amz-acl", acl)
	}
	return s.allow(ctx, t)
}

// queueLogs makes sure that somebody delivers the rows of a bucket's log, in the transaction that adds the first of them. It tells false when the bucket
// has no log anymore.
func (s *Service) queueLogs(tx store.Txn, b *bucket) (bool, error) {
	waiting, err := hasAny(tx, b.row("log").Span())
	if err != nil || waiting {
		return waiting, err
	}
	c, ok, err := record.Get[api.LoggingEnabled](tx, b.confKey(loggingConf))
	if err != nil || !ok {
		return false, err
	}
	payload, err := encodeLogJob(b, c)
	if err != nil {
		return false, err
	}
	now := s.now()
	return true, events.Enqueue(tx, events.Job{Kind: logKind, Name: b.ID, Payload: payload, NotBefore: now.Add(logDelay), Enqueued: now})
}

// logsDropped forgets the rows of a log that its target does not take.
func (s *Service) logsDropped(ctx context.Context, tx store.Txn, job events.Job, cause error) error {
	j, err := decodeLogJob(job)
	if err != nil {
		return nil //nolint:nilerr // the queue has logged that the row cannot be read, and drops it
	}
	s.log.WarnContext(ctx, "access log was dropped", slog.String("bucket", j.Bucket.Name), slog.String("target", j.Logging.TargetBucket), slog.Any("error", cause))
	rows := j.Bucket.row("log")
	tx.DeleteRange(rows, rows.End())
	return nil
}

// deliverLogs writes what has come together of a bucket's log to its target, as objects, each in the transaction that removes its rows.
func (s *Service) deliverLogs(ctx context.Context, job events.Job) error {
	j, err := decodeLogJob(job)
	if err != nil {
		return events.Permanent(err)
	}
	for {
		more, err := s.deliverLog(ctx, j)
		if e, ok := asError(err); ok && e.Status < http.StatusInternalServerError {
			return events.Permanent(fmt.Errorf("deliver access log of %s to %s: %w", j.Bucket.Name, j.Logging.TargetBucket, err))
		}
		if err != nil || !more {
			return err
		}
	}
}
