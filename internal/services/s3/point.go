package s3

import (
	"context"
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// aliasSuffix ends the aliases of access points, which no bucket's name may.
const aliasSuffix = "-s3alias"

// accessPoint is the record of an access point: another name of a bucket, with a policy of its own
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points.html).
type accessPoint struct {
	pointName

	Bucket        string            `json:"bucket"`
	BucketAccount string            `json:"bucket_account"`
	BucketID      string            `json:"bucket_id"`
	Alias         string            `json:"alias"`
	Created       time.Time         `json:"created"`
	Block         publicAccessBlock `json:"block"`
	// Policy is empty when there is none.
	Policy bucketPolicy `json:"policy,omitzero"`
	Tags   []tag        `json:"tags,omitempty"`
}

// pointName says which access point it is: its name is unique in an account and region.
type pointName struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
}

func (p pointName) arn() string {
	return "arn:aws:s3:" + p.Region + ":" + p.Account + ":accesspoint/" + p.Name
}

func pointsKey(account, region string) key.Key { return key.New("s3", account, region, "point") }

func (p pointName) key() key.Key { return pointsKey(p.Account, p.Region).Str(p.Name) }

func aliasKey(alias string) key.Key { return key.New("s3", "", "", "alias").Str(alias) }

// pointKey is the row of a bucket that tells of an access point.
func (b *bucket) pointKey(p pointName) key.Key {
	return b.row("point-of").Str(p.Account).Str(p.Region).Str(p.Name)
}

func noSuchPoint() error {
	return fail("NoSuchAccessPoint", http.StatusNotFound, "The specified accesspoint does not exist")
}

// parsePointARN reads the ARN of an access point, whose resource is "accesspoint/NAME" or "accesspoint:NAME".
func parsePointARN(text string) (pointName, bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "s3" || a.Account == "" {
		return pointName{}, false
	}
	name, ok := strings.CutPrefix(strings.Replace(a.Resource, "accesspoint:", "accesspoint/", 1), "accesspoint/")
	return pointName{a.Account, a.Region, name}, ok && name != "" && !strings.Contains(name, "/")
}

// namesPoint tells whether a name in the place of a bucket's can only be that of an access point: its alias or its ARN.
func namesPoint(name string) bool {
	return strings.HasSuffix(name, aliasSuffix) || strings.HasSuffix(name, multiSuffix) || strings.HasPrefix(name, "arn:")
}

// labelled reads the form that an access point has in a host name: NAME-ACCOUNT.
func labelled(label, region string) (pointName, bool) {
	i := strings.LastIndexByte(label, '-')
	if i < 1 || len(label)-i-1 != len("000000000000") || strings.Trim(label[i+1:], "0123456789") != "" || region == "" {
		return pointName{}, false
	}
	return pointName{label[i+1:], region, label[:i]}, true
}

// findPoint returns the access point that a name in the place of a bucket's names; nil when it names none. One of many regions leads to its bucket of the region.
func findPoint(r store.Reader, region, name string) (*accessPoint, error) {
	if alias, ok := multiAlias(name); ok {
		m, err := findMultiAlias(r, alias)
		if err != nil || m == nil {
			return nil, err
		}
		return m.asPoint(region), nil
	}
	var p pointName
	var ok bool
	var err error
	switch {
	case strings.HasSuffix(name, aliasSuffix):
		p, ok, err = record.Get[pointName](r, aliasKey(name))
	case strings.HasPrefix(name, "arn:"):
		p, ok = parsePointARN(name)
	default:
		p, ok = labelled(name, region)
	}
	if err != nil || !ok {
		return nil, err
	}
	found, ok, err := record.Get[accessPoint](r, p.key())
	if err != nil || !ok {
		return nil, err
	}
	return &found, nil
}

// find returns the bucket that name names: its own name, or an access point's alias, ARN or host label. expected is the x-amz-expected-bucket-owner header.
func (s *Service) find(ctx context.Context, r store.Reader, name string, expected *string) (*bucket, error) {
	if !namesPoint(name) {
		kept, _ := s.caches.buckets.Peek(struct{}{}, name)
		b, err := readBucket(r, name, expected, kept)
		if service.Code(err) != "NoSuchBucket" {
			return b, err
		}
	}
	p, err := findPoint(r, service.RequestFrom(ctx).Region, name)
	switch {
	case err != nil:
		return nil, wrap("read access point", err)
	case p == nil && namesPoint(name):
		return nil, noSuchPoint()
	case p == nil:
		return nil, noSuchBucket(name)
	}
	b, err := findBucket(r, p.Bucket, expected)
	if err != nil {
		return nil, err
	}
	if b.ID != p.BucketID {
		return nil, noSuchBucket(name)
	}
	b.via = p
	return b, nil
}

// through returns the condition keys of the access point through which b was named; nil when it was not.
func (b *bucket) through() map[string][]string {
	if b.via == nil {
		return nil
	}
	return map[string][]string{"s3:DataAccessPointArn": {b.via.arn()}, "s3:DataAccessPointAccount": {b.via.Account}, "s3:AccessPointNetworkOrigin": {"Internet"}}
}

// withPoint returns what a call needs that needs t: the same of the access point that it came through, if it did. Both must allow it.
func (s *Service) withPoint(ctx context.Context, t service.Target) ([]service.Target, error) {
	via := t.Condition["s3:DataAccessPointArn"]
	if len(via) == 0 {
		return []service.Target{t}, nil
	}
	var p *accessPoint
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		p, err = findPoint(r, "", via[0])
		return err
	})
	if err != nil {
		return nil, fromStore(err)
	}
	if p == nil {
		return nil, noSuchPoint()
	}
	block, err := s.accountBlock(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	own := t
	own.ARN, own.Owner, own.Condition = p.arn(), p.Account, p.conditionsOf(t.Condition)
	if _, object, ok := strings.Cut(strings.TrimPrefix(t.ARN, "arn:aws:s3:::"), "/"); ok {
		own.ARN += "/object/" + object
	}
	own.Policy = p.Policy.forCaller(ctx, p.Account, block.or(p.Block))
	return []service.Target{own, t}, nil
}

// allow decides about t like the door, and also about the access point that the call came through.
func (s *Service) allow(ctx context.Context, t service.Target) error {
	targets, err := s.withPoint(ctx, t)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := s.door.Allow(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// pointOperations are what can be called through an access point:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-service-api-support.html.
func pointOperations() map[string]bool {
	names := []string{
		"AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload", "DeleteObject", "DeleteObjects", "DeleteObjectTagging",
		"GetBucketAcl", "GetBucketCors", "GetBucketLocation", "GetBucketNotificationConfiguration", "GetBucketPolicy", "GetObject", "GetObjectAcl", "GetObjectAttributes",
		"GetObjectLegalHold", "GetObjectRetention", "GetObjectTagging", "HeadBucket", "HeadObject", "ListMultipartUploads", "ListObjects", "ListObjectsV2",
		"ListObjectVersions", "ListParts", "PutObject", "PutObjectAcl", "PutObjectLegalHold", "PutObjectRetention", "PutObjectTagging", "RestoreObject", "UploadPart", "UploadPartCopy",
	}
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}

// guardPoint makes the rule of an operation hold for access points too.
func (s *Service) guardPoint(operation string, supported bool, rule service.Access) service.Access {
	targets := rule.Targets
	if targets == nil {
		return rule
	}
	rule.Targets = func(ctx context.Context, in any) ([]service.Target, error) {
		all, err := targets(ctx, in)
		if err != nil {
			return nil, err
		}
		out := make([]service.Target, 0, len(all))
		for _, t := range all {
			both, err := s.withPoint(ctx, t)
			if err != nil {
				return nil, err
			}
			if len(both) > 1 && !supported {
				return nil, fail("MethodNotAllowed", http.StatusMethodNotAllowed, "%s cannot be called through an access point. Name the bucket itself.", operation)
			}
			out = append(out, both...)
		}
		return out, nil
	}
	return rule
}
