package s3

import (
	"context"
	"net/http"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The retention modes of object lock: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html.
const (
	governance = "GOVERNANCE"
	compliance = "COMPLIANCE"
)

// Limits of a default retention.
const (
	maxRetentionDays  = 36_500
	maxRetentionYears = 100
)

// bucketLock is the object lock configuration of a bucket. Without a mode it locks nothing by default.
type bucketLock struct {
	Mode  string `json:"mode,omitempty"`
	Days  int32  `json:"days,omitempty"`
	Years int32  `json:"years,omitempty"`
}

// objectLock is what keeps a version from being removed: a retention, a legal hold, or both.
type objectLock struct {
	Mode  string    `json:"m,omitempty"`
	Until time.Time `json:"u,omitzero"`
	// Hold is "ON", "OFF", or empty when it was never set.
	Hold string `json:"h,omitempty"`
}

// IsZero tells that the version was never locked, for the encoding of rows.
func (l objectLock) IsZero() bool { return l == objectLock{} }

func (l objectLock) retained(now time.Time) bool { return l.Mode != "" && l.Until.After(now) }

func (l objectLock) until() *time.Time {
	if l.Mode == "" {
		return nil
	}
	return ptr(l.Until)
}

func locked() error {
	return accessDenied("Access Denied because object protected by object lock.")
}

// parseLock reads the object lock headers of an upload.
func (s *Service) parseLock(mode string, until *time.Time, hold string) (objectLock, error) {
	l := objectLock{Mode: mode, Hold: hold}
	switch {
	case hold != "" && hold != "ON" && hold != "OFF":
		return l, invalidValue("x-amz-object-lock-legal-hold", hold, "Legal Hold must be either of 'ON' or 'OFF'")
	case mode != "" && until == nil:
		return l, invalidValue("x-amz-object-lock-retain-until-date", "", "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	case mode == "" && until != nil:
		return l, invalidValue("x-amz-object-lock-mode", "", "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	case mode != "" && mode != governance && mode != compliance:
		return l, invalidValue("x-amz-object-lock-mode", mode, "Unknown wormMode directive.")
	}
	if until != nil {
		if !until.After(s.now()) {
			return l, invalidValue("x-amz-object-lock-retain-until-date", until.Format(time.RFC3339), "The retain until date must be in the future!")
		}
		l.Until = until.UTC()
	}
	return l, nil
}

// lockFor completes the lock of a new version with the default retention of its bucket.
func (b *bucket) lockFor(l objectLock, now time.Time) (objectLock, error) {
	if b.Lock == nil {
		if !l.IsZero() {
			return l, invalidRequest("Bucket is missing ObjectLockConfiguration")
		}
		return l, nil
	}
	if l.Mode == "" && b.Lock.Mode != "" {
		l.Mode, l.Until = b.Lock.Mode, now.AddDate(int(b.Lock.Years), 0, int(b.Lock.Days)).UTC()
	}
	return l, nil
}

// mayRemove refuses the removal of a locked version. bypass tells that the caller asked to bypass governance retention.
func (s *Service) mayRemove(ctx context.Context, b *bucket, policy, object string, l objectLock, bypass bool) error {
	switch {
	case l.Hold == "ON", l.Mode == compliance && l.retained(s.now()):
		return locked()
	case l.Mode == governance && l.retained(s.now()):
		return s.mayBypass(ctx, b, policy, object, bypass)
	}
	return nil
}

func (s *Service) mayBypass(ctx context.Context, b *bucket, policy, object string, asked bool) error {
	if !asked {
		return locked()
	}
	err := s.allow(ctx, service.Target{Action: "s3:BypassGovernanceRetention", ARN: b.arn() + "/" + object, Policy: policy, Owner: b.Account, Condition: b.conditions()})
	if service.Code(err) == "AccessDenied" {
		return locked()
	}
	return err
}

func (s *Service) putObjectLockConfiguration(ctx context.Context, in *api.PutObjectLockConfigurationInput) (*api.PutObjectLockConfigurationOutput, error) {
	if in.ObjectLockConfiguration == nil {
		return nil, fail("MissingRequestBodyError", http.StatusBadRequest, "Request Body is empty")
	}
	if in.Token != nil {
		return nil, unsupported("PutObjectLockConfiguration", "Token")
	}
	l, err := parseBucketLock(in.ObjectLockConfiguration)
	if err != nil {
		return nil, err
	}
	err = s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		if b.Versioning != versioningEnabled {
			return fail("InvalidBucketState", http.StatusConflict, "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
		}
		b.Lock = l
		return record.Set(tx, nameKey(b.Name), *b)
	})
	return answerOf(&api.PutObjectLockConfigurationOutput{}, err)
}

func parseBucketLock(c *api.ObjectLockConfiguration) (*bucketLock, error) {
	if c.ObjectLockEnabled != versioningEnabled {
		return nil, malformedXML()
	}
	if c.Rule == nil {
		return &bucketLock{}, nil
	}
	r := c.Rule.DefaultRetention
	if r == nil || r.Mode != governance && r.Mode != compliance || (r.Days == nil) == (r.Years == nil) {
		return nil, malformedXML()
	}
	for name, n := range map[string]*int32{"Days": r.Days, "Years": r.Years} {
		most := int32(maxRetentionDays)
		if name == "Years" {
			most = maxRetentionYears
		}
		switch {
		case n != nil && *n <= 0:
			return nil, invalidValue(name, itoa(*n), "Default retention period must be a positive integer value.")
		case n != nil && *n > most:
			return nil, invalidValue(name, itoa(*n), "Default retention period too large.")
		}
	}
	return &bucketLock{Mode: r.Mode, Days: deref(r.Days), Years: deref(r.Years)}, nil
}

func (s *Service) getObjectLockConfiguration(ctx context.Context, in *api.GetObjectLockConfigurationInput) (*api.GetObjectLockConfigurationOutput, error) {
	out := &api.GetObjectLockConfigurationOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		if b.Lock == nil {
			return fail("ObjectLockConfigurationNotFoundError", http.StatusNotFound, "Object Lock configuration does not exist for this bucket")
		}
		out.ObjectLockConfiguration = &api.ObjectLockConfiguration{ObjectLockEnabled: versioningEnabled}
		if b.Lock.Mode != "" {
			out.ObjectLockConfiguration.Rule = &api.ObjectLockRule{DefaultRetention: &api.DefaultRetention{
				Mode: b.Lock.Mode, Days: optional(b.Lock.Days), Years: optional(b.Lock.Years),
			}}
		}
		return nil
	})
	return answerOf(out, err)
}

// relock changes the lock of a version in its row.
func (s *Service) relock(ctx context.Context, bucketName, object string, owner, id *string, change func(policy string, b *bucket, v *version) error) error {
	if err := checkVersionID(id); err != nil {
		return err
	}
	return s.update(ctx, bucketName, owner, func(tx store.Txn, b *bucket) error {
		v, err := pick(tx, b, object, id)
		if err != nil {
			return err
		}
		if b.Lock == nil {
			return invalidRequest("Bucket is missing Object Lock Configuration")
		}
		policy, err := s.effectivePolicy(ctx, tx, b)
		if err != nil {
			return err
		}
		if err := change(policy, b, v); err != nil {
			return err
		}
		return putRow(tx, b, object, v)
	})
}

func (s *Service) putObjectRetention(ctx context.Context, in *api.PutObjectRetentionInput) (*api.PutObjectRetentionOutput, error) {
	r := in.Retention
	if r == nil {
		r = &api.ObjectLockRetention{}
	}
	if (r.Mode == "") != (r.RetainUntilDate == nil) || r.Mode != "" && r.Mode != governance && r.Mode != compliance {
		return nil, s.orMissing(ctx, in.Bucket, in.ExpectedBucketOwner, malformedXML())
	}
	if r.RetainUntilDate != nil && !r.RetainUntilDate.After(s.now()) {
		return nil, invalidValue("x-amz-object-lock-retain-until-date", r.RetainUntilDate.Format(time.RFC3339), "The retain until date must be in the future!")
	}
	if in.Retention == nil {
		if err := s.orMissing(ctx, in.Bucket, in.ExpectedBucketOwner, malformedXML()); err != nil {
			return nil, err
		}
	}
	err := s.relock(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, func(policy string, b *bucket, v *version) error {
		if err := s.mayRetain(ctx, b, policy, in.Key, v.Lock, r, deref(in.BypassGovernanceRetention)); err != nil {
			return err
		}
		v.Lock.Mode, v.Lock.Until = r.Mode, deref(r.RetainUntilDate).UTC()
		return nil
	})
	return answerOf(&api.PutObjectRetentionOutput{}, err)
}

// orMissing returns err, unless there is no such bucket, which S3 tells first.
func (s *Service) orMissing(ctx context.Context, bucketName string, owner *string, err error) error {
	if missing := s.view(ctx, bucketName, owner, func(store.Reader, *bucket) error { return nil }); missing != nil {
		return missing
	}
	return err
}

// mayRetain decides whether a retention may take the place of the lock l: a compliance retention may only become longer, and a
// governance retention may be weakened by those who may bypass it.
func (s *Service) mayRetain(ctx context.Context, b *bucket, policy, object string, l objectLock, r *api.ObjectLockRetention, bypass bool) error {
	if !l.retained(s.now()) {
		return nil
	}
	stays := r.Mode == l.Mode && !deref(r.RetainUntilDate).Before(l.Until.Truncate(time.Second))
	if stays {
		return nil
	}
	if l.Mode == compliance {
		return locked()
	}
	return s.mayBypass(ctx, b, policy, object, bypass)
}

func noSuchLock() error {
	return fail("NoSuchObjectLockConfiguration", http.StatusNotFound, "The specified object does not have a ObjectLock configuration")
}

func (s *Service) getObjectRetention(ctx context.Context, in *api.GetObjectRetentionInput) (*api.GetObjectRetentionOutput, error) {
	l, err := s.lockOf(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId)
	if err == nil && l.Mode == "" {
		err = noSuchLock()
	}
	return answerOf(&api.GetObjectRetentionOutput{Retention: &api.ObjectLockRetention{Mode: l.Mode, RetainUntilDate: l.until()}}, err)
}

func (s *Service) lockOf(ctx context.Context, bucketName, object string, owner, id *string) (objectLock, error) {
	var l objectLock
	if err := checkVersionID(id); err != nil {
		return l, err
	}
	err := s.view(ctx, bucketName, owner, func(r store.Reader, b *bucket) error {
		v, err := pick(r, b, object, id)
		if err != nil {
			return err
		}
		if b.Lock == nil {
			return invalidRequest("Bucket is missing Object Lock Configuration")
		}
		l = v.Lock
		return nil
	})
	return l, err
}

func (s *Service) putObjectLegalHold(ctx context.Context, in *api.PutObjectLegalHoldInput) (*api.PutObjectLegalHoldOutput, error) {
	if in.LegalHold == nil || in.LegalHold.Status != "ON" && in.LegalHold.Status != "OFF" {
		return nil, s.orMissing(ctx, in.Bucket, in.ExpectedBucketOwner, malformedXML())
	}
	err := s.relock(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, func(_ string, _ *bucket, v *version) error {
		v.Lock.Hold = in.LegalHold.Status
		return nil
	})
	return answerOf(&api.PutObjectLegalHoldOutput{}, err)
}

func (s *Service) getObjectLegalHold(ctx context.Context, in *api.GetObjectLegalHoldInput) (*api.GetObjectLegalHoldOutput, error) {
	l, err := s.lockOf(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId)
	if err == nil && l.Hold == "" {
		err = noSuchLock()
	}
	return answerOf(&api.GetObjectLegalHoldOutput{LegalHold: &api.ObjectLockLegalHold{Status: l.Hold}}, err)
}
