package s3

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html.
const (
	maxLifecycleRules = 1000
	maxRuleID         = 255
	maxNewerVersions  = 100
	day               = 24 * time.Hour
)

// lifecycle is the lifecycle configuration of a bucket.
type lifecycle struct {
	Rules []api.LifecycleRule `json:"rules"`
	// Minimum is the name of the default minimum size of transitions, as it was put.
	Minimum string `json:"minimum,omitempty"`
}

func (s *Service) putBucketLifecycle(ctx context.Context, in *api.PutBucketLifecycleConfigurationInput) (*api.PutBucketLifecycleConfigurationOutput, error) {
	if in.LifecycleConfiguration == nil || len(in.LifecycleConfiguration.Rules) == 0 || len(in.LifecycleConfiguration.Rules) > maxLifecycleRules {
		return nil, malformedXML()
	}
	c := lifecycle{Rules: slices.Clone(in.LifecycleConfiguration.Rules), Minimum: in.TransitionDefaultMinimumObjectSize}
	if c.Minimum == "" {
		c.Minimum = "all_storage_classes_128K"
	}
	for i := range c.Rules {
		if err := checkRule(&c.Rules[i]); err != nil {
			return nil, err
		}
		if deref(c.Rules[i].ID) == "" {
			c.Rules[i].ID = ptr(s.newID())
		}
		if slices.ContainsFunc(c.Rules[:i], func(r api.LifecycleRule) bool { return *r.ID == *c.Rules[i].ID }) {
			return nil, invalidArgument("Rule ID must be unique. Found same ID for one or more rules")
		}
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		b.Lifecycle = true
		if err := record.Set(tx, nameKey(b.Name), *b); err != nil {
			return err
		}
		if err := record.Set(tx, b.confKey(lifecycleConf), c); err != nil {
			return err
		}
		return b.queueLifecycle(tx, time.Time{})
	})
	return answerOf(&api.PutBucketLifecycleConfigurationOutput{TransitionDefaultMinimumObjectSize: c.Minimum}, err)
}

func checkRule(r *api.LifecycleRule) error {
	if r.Status != "Enabled" && r.Status != "Disabled" || r.Filter != nil && r.Prefix != nil || r.Filter == nil && r.Prefix == nil {
		return malformedXML()
	}
	if len(deref(r.ID)) > maxRuleID {
		return invalidArgument("ID length should not exceed allowed limit of %d", maxRuleID)
	}
	if err := checkFilter(r.Filter); err != nil {
		return err
	}
	if r.Expiration == nil && r.NoncurrentVersionExpiration == nil && r.AbortIncompleteMultipartUpload == nil && len(r.Transitions)+len(r.NoncurrentVersionTransitions) == 0 {
		return invalidRequest("At least one action needs to be specified in a rule")
	}
	m := matcherOf(r)
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		switch {
		case len(m.tags) > 0:
			return invalidRequest("AbortIncompleteMultipartUpload cannot be specified with Tags")
		case deref(a.DaysAfterInitiation) <= 0:
			return invalidArgument("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
		}
	}
	if err := checkExpiration(r.Expiration, m); err != nil {
		return err
	}
	if n := r.NoncurrentVersionExpiration; n != nil {
		if err := checkNoncurrent(n.NoncurrentDays, n.NewerNoncurrentVersions, "NoncurrentVersionExpiration"); err != nil {
			return err
		}
	}
	return checkTransitions(r)
}

func checkFilter(f *api.LifecycleRuleFilter) error {
	if f == nil {
		return nil
	}
	given := 0
	for _, set := range []bool{f.Prefix != nil, f.Tag != nil, f.ObjectSizeGreaterThan != nil, f.ObjectSizeLessThan != nil, f.And != nil} {
		if set {
			given++
		}
	}
	if given > 1 {
		return malformedXML()
	}
	if f.And == nil {
		return nil
	}
	inner := len(f.And.Tags)
	for _, set := range []bool{f.And.Prefix != nil, f.And.ObjectSizeGreaterThan != nil, f.And.ObjectSizeLessThan != nil} {
		if set {
			inner++
		}
	}
	if inner < 2 {
		return malformedXML()
	}
	if more, less := f.And.ObjectSizeGreaterThan, f.And.ObjectSizeLessThan; more != nil && less != nil && *more >= *less {
		return invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'")
	}
	return nil
}

func checkExpiration(e *api.LifecycleExpiration, m matcher) error {
	if e == nil {
		return nil
	}
	switch {
	case (e.Date != nil && e.Days != nil) || (e.ExpiredObjectDeleteMarker != nil && (e.Date != nil || e.Days != nil)), e.Date == nil && e.Days == nil && e.ExpiredObjectDeleteMarker == nil:
		return malformedXML()
	case e.Days != nil && *e.Days <= 0:
		return invalidArgument("'Days' for Expiration action must be a positive integer")
	case e.Date != nil && !e.Date.Equal(e.Date.Truncate(day)):
		return invalidArgument("'Date' must be at midnight GMT")
	case e.ExpiredObjectDeleteMarker != nil && len(m.tags) > 0:
		return invalidRequest("ExpiredObjectDeleteMarker cannot be specified with Tags")
	}
	return nil
}

func checkNoncurrent(days, newer *int32, action string) error {
	switch {
	case days == nil:
		return malformedXML()
	case *days <= 0:
		return invalidArgument("'NoncurrentDays' for %s action must be a positive integer", action)
	case newer != nil && (*newer < 1 || *newer > maxNewerVersions):
		return invalidArgument("'NewerNoncurrentVersions' for %s action must be between 1 and %d", action, maxNewerVersions)
	}
	return nil
}

func checkTransitions(r *api.LifecycleRule) error {
	for _, t := range r.Transitions {
		if (t.Date == nil) == (t.Days == nil) {
			return malformedXML()
		}
		if t.Date != nil && !t.Date.Equal(t.Date.Truncate(day)) {
			return invalidArgument("'Date' must be at midnight GMT")
		}
		if err := checkTransition(t.StorageClass, t.Days, "Transition"); err != nil {
			return err
		}
	}
	for _, t := range r.NoncurrentVersionTransitions {
		if err := checkNoncurrent(t.NoncurrentDays, t.NewerNoncurrentVersions, "NoncurrentVersionTransition"); err != nil {
			return err
		}
		if err := checkTransition(t.StorageClass, t.NoncurrentDays, "NoncurrentVersionTransition"); err != nil {
			return err
		}
	}
	return nil
}

func checkTransition(class string, days *int32, action string) error {
	if !slices.Contains([]string{"STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"}, class) {
		return malformedXML()
	}
	least := int32(0)
	if class == "STANDARD_IA" || class == "ONEZONE_IA" {
		least = 30
	}
	if days != nil && *days < least {
		return invalidArgument("'Days' in %s action must be greater than or equal to %d for storageClass '%s'", action, least, class)
	}
	return nil
}

func noSuchLifecycle() error {
	return fail("NoSuchLifecycleConfiguration", http.StatusNotFound, "The lifecycle configuration does not exist")
}

func (s *Service) getBucketLifecycle(ctx context.Context, in *api.GetBucketLifecycleConfigurationInput) (*api.GetBucketLifecycleConfigurationOutput, error) {
	out := &api.GetBucketLifecycleConfigurationOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		c, ok, err := record.Get[lifecycle](r, b.confKey(lifecycleConf))
		if err == nil && !ok {
			return noSuchLifecycle()
		}
		out.Rules, out.TransitionDefaultMinimumObjectSize = c.Rules, c.Minimum
		return err
	})
	return answerOf(out, err)
}

func (s *Service) deleteBucketLifecycle(ctx context.Context, in *api.DeleteBucketLifecycleInput) (*api.DeleteBucketLifecycleOutput, error) {
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		b.Lifecycle = false
		tx.Delete(b.confKey(lifecycleConf))
		if err := events.Cancel(tx, lifecycleKind, b.ID); err != nil {
			return err
		}
		return record.Set(tx, nameKey(b.Name), *b)
	})
	return answerOf(&api.DeleteBucketLifecycleOutput{}, err)
}

// matcher is the filter of a rule.
type matcher struct {
	prefix     string
	tags       []api.Tag
	more, less *int64
}

func matcherOf(r *api.LifecycleRule) matcher {
	if r.Filter == nil {
		return matcher{prefix: deref(r.Prefix)}
	}
	f := r.Filter
	if f.And != nil {
		return matcher{deref(f.And.Prefix), f.And.Tags, f.And.ObjectSizeGreaterThan, f.And.ObjectSizeLessThan}
	}
	m := matcher{prefix: deref(f.Prefix), more: f.ObjectSizeGreaterThan, less: f.ObjectSizeLessThan}
	if f.Tag != nil {
		m.tags = []api.Tag{*f.Tag}
	}
	return m
}

// matches tells whether an object is one of those that the filter means.
func (m matcher) matches(object string, v *version) bool {
	return m.matchesShort(object, v.Size) && !slices.ContainsFunc(m.tags, func(t api.Tag) bool { return !slices.Contains(v.Tags, tag{t.Key, t.Value}) })
}

// matchesShort is matches as far as a listing's row tells.
func (m matcher) matchesShort(object string, size int64) bool {
	return strings.HasPrefix(object, m.prefix) && (m.more == nil || size > *m.more) && (m.less == nil || size < *m.less)
}

// due returns when an action after some days is due: S3 counts whole days and rounds up to the next midnight, UTC.
func due(since time.Time, days int32) time.Time {
	return since.UTC().AddDate(0, 0, int(days)).Truncate(day).Add(day)
}

// expires returns when a rule removes the current version that was made at a time; ok is false when it never does.
func expires(r *api.LifecycleRule, made time.Time) (time.Time, bool) {
	switch {
	case r.Status != "Enabled" || r.Expiration == nil:
		return time.Time{}, false
	case r.Expiration.Date != nil:
		return *r.Expiration.Date, true
	case r.Expiration.Days != nil:
		return due(made, *r.Expiration.Days), true
	}
	return time.Time{}, false
}

// transitions returns the storage class that the current version should have by now, or "".
func transitions(r *api.LifecycleRule, made, now time.Time) string {
	class, last := "", time.Time{}
	for _, t := range r.Transitions {
		at := deref(t.Date)
		if t.Days != nil {
			at = due(made, *t.Days)
		}
		if !now.Before(at) && at.After(last) {
			class, last = t.StorageClass, at
		}
	}
	return class
}

// rulesOf returns the enabled rules of a bucket.
func (s *Service) rulesOf(r store.Reader, b *bucket) ([]api.LifecycleRule, error) {
	if !b.Lifecycle {
		return nil, nil
	}
	c, _, err := record.Get[lifecycle](r, b.confKey(lifecycleConf))
	return slices.DeleteFunc(c.Rules, func(r api.LifecycleRule) bool { return r.Status != "Enabled" }), wrap("read lifecycle", err)
}

// expiration returns the x-amz-expiration header of the current version of an object: the first rule that will remove it. It is
// left out when the rules cannot be read, because the answer is about an object that is there.
func (s *Service) expiration(ctx context.Context, b *bucket, object string, v *version) *string {
	if !b.Lifecycle {
		return nil
	}
	var rules []api.LifecycleRule
	if s.store.View(ctx, func(r store.Reader) (err error) {
		rules, err = s.rulesOf(r, b)
		return err
	}) != nil {
		return nil
	}
	var first time.Time
	id := ""
	for i := range rules {
		if at, ok := expires(&rules[i], v.Modified); ok && matcherOf(&rules[i]).matches(object, v) && (id == "" || at.Before(first)) {
			first, id = at, *rules[i].ID
		}
	}
	if id == "" {
		return nil
	}
	return ptr(fmt.Sprintf(`expiry-date="%s", rule-id="%s"`, httpTime(first), id))
}

// objectExpiration is expiration of an object that is read. Of versions that are not current nothing is told.
func (s *Service) objectExpiration(ctx context.Context, key string, o *object) *string {
	if !o.current {
		return nil
	}
	return s.expiration(ctx, o.bucket, key, o.version)
}

// abortDate returns when, and by which rule, an upload is aborted if it is not completed.
func (s *Service) abortDate(ctx context.Context, b *bucket, object string, u *upload) (*time.Time, *string) {
	if !b.Lifecycle {
		return nil, nil
	}
	var rules []api.LifecycleRule
	if s.store.View(ctx, func(r store.Reader) (err error) {
		rules, err = s.rulesOf(r, b)
		return err
	}) != nil {
		return nil, nil
	}
	for _, r := range rules {
		if a := r.AbortIncompleteMultipartUpload; a != nil && strings.HasPrefix(object, matcherOf(&r).prefix) {
			return ptr(due(u.Initiated, *a.DaysAfterInitiation)), r.ID
		}
	}
	return nil, nil
}
