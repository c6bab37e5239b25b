package s3

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// multiSuffix ends the aliases of multi-region access points, which no bucket's name may.
const multiSuffix = ".mrap"

// multiPoint is the record of a multi-region access point: one name of buckets in several regions
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPoints.html).
type multiPoint struct {
	Account string            `json:"account"`
	Name    string            `json:"name"`
	Alias   string            `json:"alias"`
	Created time.Time         `json:"created"`
	Block   publicAccessBlock `json:"block"`
	// Policy is empty when there is none.
	Policy  bucketPolicy `json:"policy,omitzero"`
	Regions []multiRoute `json:"regions"`
}

// multiRoute is a bucket of a multi-region access point.
type multiRoute struct {
	Region        string `json:"region"`
	Bucket        string `json:"bucket"`
	BucketAccount string `json:"bucket_account"`
	BucketID      string `json:"bucket_id"`
	// Dial is 100 where requests are routed to, and 0 where they are not.
	Dial int32 `json:"dial"`
}

// multiOperation is the record of an asynchronous request about a multi-region access point. What it asks for is done in the transaction that writes it.
type multiOperation struct {
	Operation string    `json:"operation"`
	ARN       string    `json:"arn"`
	Created   time.Time `json:"created"`
	// Parameters are those of the request, in the form in which the API shows them.
	Parameters json.RawMessage `json:"parameters"`
	Regions    []string        `json:"regions"`
}

func multiPointsKey(account string) key.Key { return key.New("s3", account, "", "mrap") }

func (m *multiPoint) key() key.Key { return multiPointsKey(m.Account).Str(m.Name) }

func multiOperationsKey(account string) key.Key { return key.New("s3", account, "", "mrap-request") }

// at is the point as ARNs name it: by its alias, and without a region.
func (m *multiPoint) at() pointName { return pointName{Account: m.Account, Name: m.Alias} }

// route returns the bucket that a request is routed to: that of the region that it is for, or else the first. A region whose dial is at 0 gets none.
func (m *multiPoint) route(region string) *multiRoute {
	open := slices.DeleteFunc(slices.Clone(m.Regions), func(r multiRoute) bool { return r.Dial == 0 })
	if len(open) == 0 {
		return nil // which no change of the routes leads to
	}
	if i := slices.IndexFunc(open, func(r multiRoute) bool { return r.Region == region }); i >= 0 {
		return &open[i]
	}
	return &open[0]
}

// asPoint is the point as an access point of the bucket that a request is routed to.
func (m *multiPoint) asPoint(region string) *accessPoint {
	p := &accessPoint{pointName: m.at(), Alias: m.Alias, Created: m.Created, Block: m.Block, Policy: m.Policy}
	if r := m.route(region); r != nil {
		p.Bucket, p.BucketAccount, p.BucketID = r.Bucket, r.BucketAccount, r.BucketID
	}
	return p
}

func noSuchMultiPoint() error {
	return fail("NoSuchMultiRegionAccessPoint", http.StatusNotFound, "The specified multi-region access point does not exist")
}

// findMultiPoint returns the multi-region access point of an account by its name.
func findMultiPoint(r store.Reader, account, name string) (multiPoint, error) {
	m, ok, err := record.Get[multiPoint](r, (&multiPoint{Account: account, Name: name}).key())
	if err == nil && !ok {
		err = noSuchMultiPoint()
	}
	return m, err
}

// findMultiAlias returns the multi-region access point that an alias names; nil when there is none. The row of an alias holds account and name.
func findMultiAlias(r store.Reader, alias string) (*multiPoint, error) {
	p, ok, err := record.Get[pointName](r, aliasKey(alias))
	if err != nil || !ok {
		return nil, err
	}
	m, ok, err := record.Get[multiPoint](r, (&multiPoint{Account: p.Account, Name: p.Name}).key())
	if err != nil || !ok {
		return nil, err
	}
	return &m, nil
}

// multiAlias reads an alias, or the ARN of a multi-region access point.
func multiAlias(name string) (alias string, ok bool) {
	if !strings.HasSuffix(name, multiSuffix) {
		return "", false
	}
	if p, is := parsePointARN(name); is {
		return p.Name, p.Region == ""
	}
	return name, !strings.HasPrefix(name, "arn:")
}
