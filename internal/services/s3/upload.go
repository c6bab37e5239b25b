package s3

import (
	"context"
	"time"

	"lambent.dev/lambent/internal/service"
)

// request is what the uploads of every kind ask for beside the body: PutObject, CopyObject, CreateMultipartUpload and forms.
type request struct {
	bucket, key string

	headers headers
	tagging *string
	tags    []tag // when tagging is nil: those of a copy's source
	acl     aclInput
	class   string
	mode    string
	until   *time.Time
	hold    string
	seal    sealInput
}

// check returns what the request gives an object, as far as that does not depend on the bucket.
func (s *Service) check(q *request) (attributes, error) {
	var a attributes
	if err := checkKey(q.key); err != nil {
		return a, err
	}
	if err := checkMeta(q.headers.Meta); err != nil {
		return a, err
	}
	if err := checkRedirect(optional(q.headers.Redirect)); err != nil {
		return a, err
	}
	var err error
	a.Tags = q.tags
	if q.tagging != nil {
		if a.Tags, err = parseTagging(*q.tagging); err != nil {
			return a, err
		}
	}
	if a.Class, err = checkClass(q.class); err != nil {
		return a, err
	}
	if a.Lock, err = s.parseLock(q.mode, q.until, q.hold); err != nil {
		return a, err
	}
	a.Headers = q.headers
	if a.Headers.ContentType == "" {
		a.Headers.ContentType = "binary/octet-stream"
	}
	return a, nil
}

// place completes the attributes of a new object with what its bucket says: its owner, its access control list and its lock.
func (s *Service) place(ctx context.Context, b *bucket, q *request, a *attributes) error {
	var err error
	if a.Lock, err = b.lockFor(a.Lock, s.now()); err != nil {
		return err
	}
	caller := service.RequestFrom(ctx).Principal
	if !b.aclsEnabled() {
		if _, err := q.acl.grants(b, b.Account, true); err != nil && q.acl.given() {
			return err
		}
		if q.acl.byHeaders() || q.acl.canned != "" && q.acl.canned != "bucket-owner-full-control" && q.acl.canned != "private" {
			return noACLs()
		}
		return nil
	}
	own := b.Account
	if caller.Account != "" && caller.Account != b.Account && !(b.ownership() == bucketOwnerPreferred && q.acl.canned == "bucket-owner-full-control") {
		own = caller.Account
		a.Owner = own
	}
	if !q.acl.given() {
		return nil
	}
	if a.ACL, err = q.acl.grants(b, own, true); err != nil {
		return err
	}
	block, err := s.blockOf(ctx, b)
	if err != nil {
		return err
	}
	return b.checkGrants(block, a.ACL)
}
