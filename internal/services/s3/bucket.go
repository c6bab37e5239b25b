package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// bucket is the record of a bucket.
type bucket struct {
	Name    string    `json:"name"`
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Region  string    `json:"region"`
	Created time.Time `json:"created"`
	// Block is the public access block; nil after it was deleted.
	Block *publicAccessBlock `json:"block,omitempty"`
	// Ownership is the object ownership; empty means BucketOwnerEnforced.
	Ownership string `json:"ownership,omitempty"`
	// OwnershipDeleted tells that the ownership controls were removed.
	OwnershipDeleted bool `json:"ownership_deleted,omitempty"`
	// ACL is the access control list; nil means that the owner alone has control.
	ACL []grant `json:"acl,omitempty"`
	// Versioning is "", "Enabled" or "Suspended".
	Versioning string `json:"versioning,omitempty"`
	// Lock is the object lock configuration; nil when object lock was never enabled.
	Lock *bucketLock `json:"lock,omitempty"`
	// Payer is who pays for requests, as it was put; Accelerate is the state of transfer acceleration.
	Payer      string `json:"payer,omitempty"`
	Accelerate string `json:"accelerate,omitempty"`
	// Notifies tells that there is a notification configuration.
	Notifies bool `json:"notifies,omitempty"`
	// Replicates tells that there are replication rules.
	Replicates bool `json:"replicates,omitempty"`
	// Lifecycle tells that there are lifecycle rules.
	Lifecycle bool `json:"lifecycle,omitempty"`
	// Logs tells that accesses are logged.
	Logs bool `json:"logs,omitempty"`
	// ABAC tells that the tags of the bucket have a part in authorisation; Tags are these, when they have.
	ABAC bool  `json:"abac,omitempty"`
	Tags []tag `json:"tags,omitempty"`
	// Encryption is the default encryption; nil means none.
	Encryption *bucketEncryption `json:"encryption,omitempty"`

	// via is the access point through which a call named the bucket; nil when it named the bucket itself.
	via *accessPoint
	// encoded is what the store keeps of the bucket.
	encoded []byte
}

// publicAccessBlock is a bucket's protection against being made public by mistake:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html.
type publicAccessBlock struct {
	BlockPublicACLs       bool `json:"block_acls"`
	IgnorePublicACLs      bool `json:"ignore_acls"`
	BlockPublicPolicy     bool `json:"block_policy"`
	RestrictPublicBuckets bool `json:"restrict"`
}

func (b *bucket) arn() string { return "arn:aws:s3:::" + b.Name }

// canonicalID returns the id by which S3 names an account where other services show its number.
func canonicalID(account string) string {
	h := sha256.Sum256([]byte("s3 canonical user " + account))
	return hex.EncodeToString(h[:])
}

func owner(account string) *api.Owner { return &api.Owner{ID: ptr(canonicalID(account))} }

// findBucket returns the bucket name. expected is the x-amz-expected-bucket-owner header.
func findBucket(r store.Reader, name string, expected *string) (*bucket, error) {
	return readBucket(r, name, expected, nil)
}

// readBucket is findBucket for callers that may have the bucket decoded: kept, which may be nil, is given out when the store still has what it was made of.
func readBucket(r store.Reader, name string, expected *string, kept *bucket) (*bucket, error) {
	if err := checkOwner(expected); err != nil {
		return nil, err
	}
	encoded, err := r.Get(nameKey(name))
	if notFound(err) {
		return nil, noSuchBucket(name)
	}
	if err != nil {
		return nil, wrap("read bucket", err)
	}
	var b bucket
	if kept != nil && bytes.Equal(kept.encoded, encoded) {
		b = *kept
	} else {
		if err := json.Unmarshal(encoded, &b); err != nil {
			return nil, wrap("decode bucket", err)
		}
		b.encoded = bytes.Clone(encoded)
	}
	return &b, b.expect(expected)
}

// expect compares the owner with the x-amz-expected-bucket-owner header.
func (b *bucket) expect(owner *string) error {
	if owner != nil && *owner != b.Account {
		return accessDenied("Access Denied")
	}
	return nil
}

// checkOwner refuses an x-amz-expected-bucket-owner header that names no account.
func checkOwner(owner *string) error {
	if owner != nil && (len(*owner) != 12 || strings.Trim(*owner, "0123456789") != "") {
		return fail("InvalidBucketOwnerAWSAccountID", http.StatusBadRequest, "The value of the expected bucket owner parameter must be an AWS Account ID... [%s]", *owner)
	}
	return nil
}

// view runs fn with the bucket name in one consistent view.
func (s *Service) view(ctx context.Context, name string, expected *string, fn func(r store.Reader, b *bucket) error) error {
	return about(ctx, name, fromStore(s.store.View(ctx, func(r store.Reader) error {
		b, err := s.find(ctx, r, name, expected)
		if err != nil {
			return err
		}
		return fn(r, b)
	})))
}

// update runs fn with the bucket name in one transaction.
func (s *Service) update(ctx context.Context, name string, expected *string, fn func(tx store.Txn, b *bucket) error) error {
	return about(ctx, name, fromStore(s.store.Update(ctx, func(tx store.Txn) error {
		b, err := s.find(ctx, tx, name, expected)
		if err != nil {
			return err
		}
		return fn(tx, b)
	})))
}

func (s *Service) createBucket(ctx context.Context, in *api.CreateBucketInput) (*api.CreateBucketOutput, error) {
	req := service.RequestFrom(ctx)
	region, err := s.checkCreate(ctx, in)
	if err != nil {
		return nil, err
	}
	id := s.newID()
	b := bucket{
		Name: in.Bucket, ID: id, Account: req.Account, Region: region, Created: s.now().Truncate(time.Second),
		Block: &publicAccessBlock{BlockPublicACLs: true, IgnorePublicACLs: true, BlockPublicPolicy: true, RestrictPublicBuckets: true},
	}
	if deref(in.ObjectLockEnabledForBucket) {
		b.Versioning, b.Lock = versioningEnabled, &bucketLock{}
	}
	if in.ObjectOwnership != bucketOwnerEnforced {
		b.Ownership = in.ObjectOwnership
	}
	if asked := (aclInput{in.ACL, in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWrite, in.GrantWriteACP}); b.aclsEnabled() && asked.given() {
		if b.ACL, err = asked.grants(&b, b.Account, false); err != nil {
			return nil, err
		}
		block, err := s.blockOf(ctx, &b)
		if err != nil {
			return nil, err
		}
		if err := b.checkGrants(block, b.ACL); err != nil {
			return nil, err
		}
	}
	var tags []api.Tag
	if in.CreateBucketConfiguration != nil {
		tags = in.CreateBucketConfiguration.Tags
	}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		old, exists, err := record.Get[bucket](tx, nameKey(in.Bucket))
		if err != nil {
			return err
		}
		if exists {
			return existingBucket(&old, req.Account, region)
		}
		if len(tags) > 0 {
			if err := record.Set(tx, b.confKey(tagsConf), tags); err != nil {
				return err
			}
		}
		tx.Set(listKey(b.Account, b.Region).Str(b.Name), nil)
		return record.Set(tx, nameKey(b.Name), b)
	})
	if err != nil {
		return nil, fromStore(wrap("create bucket", err))
	}
	return &api.CreateBucketOutput{Location: ptr("/" + b.Name), BucketArn: ptr(b.arn())}, nil
}

// existingBucket answers a second CreateBucket. In us-east-1 making one's own bucket again succeeds, elsewhere it does not
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html, errors).
func existingBucket(old *bucket, account, region string) error {
	switch {
	case old.Account != account:
		return fail("BucketAlreadyExists", http.StatusConflict, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").WithDetail(&NamedBucket{old.Name})
	case old.Region == region && region == "us-east-1":
		return nil
	default:
		return fail("BucketAlreadyOwnedByYou", http.StatusConflict, "Your previous request to create the named bucket succeeded and you already own it.").WithDetail(&NamedBucket{old.Name})
	}
}

func aclWithOwnership() error {
	return fail("InvalidBucketAclWithObjectOwnership", http.StatusBadRequest, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
}

func (s *Service) checkCreate(ctx context.Context, in *api.CreateBucketInput) (region string, err error) {
	req := service.RequestFrom(ctx)
	if !validBucketName(in.Bucket) {
		return "", fail("InvalidBucketName", http.StatusBadRequest, "The specified bucket is not valid.").WithDetail(&NamedBucket{in.Bucket})
	}
	switch {
	case !slices.Contains([]string{"", bucketOwnerEnforced, bucketOwnerPreferred, objectWriter}, in.ObjectOwnership):
		return "", invalidValue("x-amz-object-ownership", in.ObjectOwnership, "Invalid x-amz-object-ownership header: "+in.ObjectOwnership)
	case in.ObjectOwnership != "" && in.ObjectOwnership != bucketOwnerEnforced:
	case in.ACL != "" && in.ACL != "private", anySet(in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWrite, in.GrantWriteACP):
		return "", aclWithOwnership()
	}
	if in.BucketNamespace != "" && in.BucketNamespace != "global" {
		return "", unsupported("CreateBucket", "BucketNamespace")
	}
	region = req.Region
	if c := in.CreateBucketConfiguration; c != nil {
		if c.Location != nil || c.Bucket != nil {
			return "", unsupported("CreateBucket", "Location (directory buckets)")
		}
		if err := checkTags(ctx, c.Tags, maxBucketTags); err != nil {
			return "", err
		}
		return locate(req.Region, c.LocationConstraint)
	}
	return region, nil
}

// locate returns the region of a new bucket from the endpoint's region and the location constraint.
func locate(endpoint, constraint string) (string, error) {
	named := constraint
	switch constraint {
	case "":
		return endpoint, nil
	case "EU":
		constraint = "eu-west-1"
	case "us-east-1":
		if endpoint == constraint {
			return "", badLocation(constraint)
		}
	}
	if endpoint != "us-east-1" && endpoint != constraint {
		return "", fail("IllegalLocationConstraintException", http.StatusBadRequest, "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", named)
	}
	if !validRegion(constraint) {
		return "", badLocation(constraint)
	}
	return constraint, nil
}

// Location is what S3 tells of a region beside an error's message.
type Location struct{ LocationConstraint string }

func badLocation(constraint string) error {
	return fail("InvalidLocationConstraint", http.StatusBadRequest, "The specified location-constraint is not valid").WithDetail(&Location{constraint})
}

// validRegion tells whether a name has the form of a region's: "eu-west-1".
func validRegion(name string) bool {
	parts := strings.Split(name, "-")
	if len(parts) < 3 || len(parts[0]) != 2 || len(parts[len(parts)-1]) != 1 {
		return false
	}
	last := parts[len(parts)-1][0]
	return last >= '1' && last <= '9' && strings.Trim(strings.Join(parts[:len(parts)-1], ""), "abcdefghijklmnopqrstuvwxyz") == ""
}

// validBucketName applies the rules of
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html.
func validBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 || strings.Contains(name, "..") {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || i == len(name)-1 || c != '-' && c != '.') {
			return false
		}
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return !strings.HasPrefix(name, "xn--") && !strings.HasPrefix(name, "sthree-") && !strings.HasPrefix(name, "amzn-s3-demo-") &&
		!strings.HasSuffix(name, "-s3alias") && !strings.HasSuffix(name, "--ol-s3") && !strings.HasSuffix(name, "--x-s3") && !strings.HasSuffix(name, ".mrap")
}

func (s *Service) deleteBucket(ctx context.Context, in *api.DeleteBucketInput) (*api.DeleteBucketOutput, error) {
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		if used, err := hasAny(tx, b.row("ver").Span()); err != nil || used {
			return notEmpty(b, err)
		}
		if used, err := hasAny(tx, b.row("point-of").Span()); err != nil || used {
			return hasPoints(err)
		}
		if err := s.queuePurge(tx, b); err != nil {
			return err
		}
		tx.DeleteRange(b.row("conf"), b.row("conf").End())
		tx.Delete(listKey(b.Account, b.Region).Str(b.Name))
		tx.Delete(nameKey(b.Name))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteBucketOutput{}, nil
}

func notEmpty(b *bucket, err error) error {
	switch {
	case err != nil:
		return err
	case b.Versioning != "":
		return fail("BucketNotEmpty", http.StatusConflict, "The bucket you tried to delete is not empty. You must delete all versions in the bucket.").WithDetail(&NamedBucket{b.Name})
	}
	return fail("BucketNotEmpty", http.StatusConflict, "The bucket you tried to delete is not empty").WithDetail(&NamedBucket{b.Name})
}

func hasPoints(err error) error {
	if err != nil {
		return err
	}
	return fail("BucketHasAccessPointsAttached", http.StatusConflict, "The bucket has access points attached. Delete them first.")
}

func hasAny(r store.Reader, span store.Span) (bool, error) {
	span.Limit = 1
	for _, err := range r.Range(span) {
		return err == nil, err
	}
	return false, nil
}

func (s *Service) headBucket(ctx context.Context, in *api.HeadBucketInput) (*api.HeadBucketOutput, error) {
	out := &api.HeadBucketOutput{AccessPointAlias: ptr(strings.HasSuffix(in.Bucket, aliasSuffix))}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		out.BucketRegion, out.BucketArn = ptr(b.Region), ptr(b.arn())
		return nil
	})
	return out, err
}

func (s *Service) getBucketLocation(ctx context.Context, in *api.GetBucketLocationInput) (*api.GetBucketLocationOutput, error) {
	out := &api.GetBucketLocationOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		if b.Region != "us-east-1" { // us-east-1 is the empty location
			out.LocationConstraint = b.Region
		}
		return nil
	})
	return out, err
}

func (s *Service) listBuckets(ctx context.Context, in *api.ListBucketsInput) (*api.ListBucketsOutput, error) {
	req := service.RequestFrom(ctx)
	limit := 10_000
	if in.MaxBuckets != nil {
		if limit = int(*in.MaxBuckets); limit < 1 || limit > 10_000 {
			return nil, invalidArgument("Argument max-buckets must be an integer between 1 and 10000.")
		}
	}
	out := &api.ListBucketsOutput{Buckets: []api.Bucket{}, Owner: owner(req.Account), Prefix: in.Prefix}
	from, err := decodeToken(in.ContinuationToken)
	if err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		names, err := s.bucketNames(r, req.Account, deref(in.BucketRegion))
		if err != nil {
			return err
		}
		for _, name := range names {
			if name <= from || !strings.HasPrefix(name, deref(in.Prefix)) {
				continue
			}
			if len(out.Buckets) == limit {
				out.ContinuationToken = ptr(encodeToken(deref(out.Buckets[limit-1].Name)))
				return nil
			}
			b, err := findBucket(r, name, nil)
			if err != nil {
				return err
			}
			out.Buckets = append(out.Buckets, api.Bucket{Name: ptr(b.Name), CreationDate: ptr(b.Created), BucketRegion: ptr(b.Region), BucketArn: ptr(b.arn())})
		}
		return nil
	})
	return out, fromStore(wrap("list buckets", err))
}

// bucketNames returns the names of an account's buckets in order, of one region or of all.
func (s *Service) bucketNames(r store.Reader, account, region string) ([]string, error) {
	base := key.New("s3", account)
	if region != "" {
		base = listKey(account, region)
		return namesUnder(r, base, base.Span())
	}
	var names []string
	for lo := []byte(base); ; {
		found, regionName, err := nextRegion(r, store.Span{Lo: lo, Hi: base.End(), Limit: 1})
		if err != nil || !found {
			return sorted(names), err
		}
		list := listKey(account, regionName)
		some, err := namesUnder(r, list, list.Span())
		if err != nil {
			return nil, err
		}
		names = append(names, some...)
		lo = base.Str(regionName).End()
	}
}

func nextRegion(r store.Reader, span store.Span) (bool, string, error) {
	for p, err := range r.Range(span) {
		if err != nil {
			return false, "", err
		}
		d := key.Decode(p.Key)
		d.Str()
		d.Str()
		name := d.Str()
		return d.Err() == nil, name, d.Err()
	}
	return false, "", nil
}

func namesUnder(r store.Reader, base key.Key, span store.Span) ([]string, error) {
	var names []string
	for p, err := range r.Range(span) {
		if err != nil {
			return nil, err
		}
		d := key.Decode(p.Key).Skip(base)
		names = append(names, d.Str())
		if err := d.Done(); err != nil {
			return nil, errors.Join(err, errors.New("read bucket index"))
		}
	}
	return names, nil
}
