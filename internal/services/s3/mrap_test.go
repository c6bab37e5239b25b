package s3

import (
	"context"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
)

// in is a call by the account's root in a region.
func (f *fixture) in(region string) context.Context {
	r := *service.RequestFrom(f.ctx())
	r.Region = region
	return service.WithRequest(f.t.Context(), &r)
}

// newMultiPoint makes the multi-region access point "all" of the bucket "pictures" and of one in eu-west-1, and returns its alias.
func newMultiPoint(f *fixture) string {
	f.t.Helper()
	if _, err := f.createBucket(f.in("eu-west-1"), &api.CreateBucketInput{Bucket: "west", CreateBucketConfiguration: &api.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}); err != nil {
		f.t.Fatal(err)
	}
	if err := createMulti(f, "token", "all", "pictures", "west"); err != nil {
		f.t.Fatal(err)
	}
	m, err := f.multiPoint(f.ctx(), account, "all")
	if err != nil {
		f.t.Fatal(err)
	}
	return m.Alias
}

func createMulti(f *fixture, token, name string, buckets ...string) error {
	in := &control.CreateMultiRegionAccessPointInput{AccountId: account, ClientToken: token, Details: &control.CreateMultiRegionAccessPointDetails{Name: name}}
	for _, b := range buckets {
		in.Details.Regions = append(in.Details.Regions, control.Region{Bucket: b})
	}
	_, err := f.createMultiPoint(f.ctx(), in)
	return err
}

func TestRequestsGoToTheBucketOfTheirRegion(t *testing.T) {
	f := newFixture(t)
	alias := newMultiPoint(f)
	arn := "arn:aws:s3::" + account + ":accesspoint/" + alias
	reached := func(region, name string) string {
		t.Helper()
		b, err := f.lookUp(f.in(region), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b.Name
	}
	dial := func(region string, percentage int32) error {
		_, err := f.submitMultiPointRoutes(f.ctx(), &control.SubmitMultiRegionAccessPointRoutesInput{
			AccountId: account, Mrap: strings.Replace(arn, "accesspoint/", "accesspoint:", 1), RouteUpdates: []control.MultiRegionAccessPointRoute{{Region: &region, TrafficDialPercentage: percentage}},
		})
		return err
	}
	for _, c := range [][3]string{{"us-east-1", alias, "pictures"}, {"eu-west-1", alias, "west"}, {"eu-west-1", arn, "west"}, {"ap-south-1", arn, "pictures"}} {
		if got := reached(c[0], c[1]); got != c[2] {
			t.Errorf("%s in %s is %s, want %s", c[1], c[0], got, c[2])
		}
	}
	if err := dial("us-east-1", 0); err != nil {
		t.Fatal(err)
	}
	if got := reached("us-east-1", arn); got != "west" {
		t.Errorf("after a fail-over requests go to %s", got)
	}
	code(t, dial("eu-west-1", 0), "InvalidRequest")
	code(t, dial("eu-west-1", 50), "InvalidRequest")
	code(t, dial("eu-north-1", 100), "InvalidRequest")
}

func TestMultiRegionPointAndBucketMustBothAllow(t *testing.T) {
	f := newFixture(t)
	alias := newMultiPoint(f)
	arn := "arn:aws:s3::" + account + ":accesspoint/" + alias
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"s3:GetObject","Resource":"` + arn + `/object/*"}]}`
	put := func(token, document string) error {
		_, err := f.putMultiPointPolicy(f.ctx(), &control.PutMultiRegionAccessPointPolicyInput{AccountId: account, ClientToken: token, Details: &control.PutMultiRegionAccessPointPolicyDetails{Name: "all", Policy: document}})
		return err
	}
	if err := put("p1", document); err != nil {
		t.Fatal(err)
	}
	targets, err := f.access()["GetObject"].Targets(f.in("eu-west-1"), &api.GetObjectInput{Bucket: arn, Key: "a/b"})
	if err != nil || len(targets) != 2 || targets[0].ARN != arn+"/object/a/b" || targets[0].Policy != document || targets[1].ARN != "arn:aws:s3:::west/a/b" {
		t.Fatalf("targets %+v, %v", targets, err)
	}
	out, err := f.getMultiPointPolicy(f.ctx(), &control.GetMultiRegionAccessPointPolicyInput{AccountId: account, Name: "all"})
	if err != nil || *out.Policy.Established.Policy != document || *out.Policy.Proposed.Policy != document {
		t.Errorf("the policy %+v, %v", out, err)
	}
	code(t, put("p2", strings.Replace(document, `{"AWS":"arn:aws:iam::000000000000:user/ann"}`, `"*"`, 1)), "AccessDenied")
	code(t, put("p3", strings.ReplaceAll(document, alias, "mother.mrap")), "MalformedPolicy")
	code(t, put("p1", strings.ReplaceAll(document, "user/ann", "user/bob")), "InvalidRequest")
	owners := ownersPolicy(account, alias)
	if err := put("p4", owners); err != nil {
		t.Errorf("the policy that takes the place of a deleted one: %v", err)
	}
}

func TestMultiRegionPointRefusals(t *testing.T) {
	f := newFixture(t)
	before := len(rowsOf(f))
	alias := newMultiPoint(f)
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "more"}); err != nil {
		t.Fatal(err)
	}
	code(t, createMulti(f, "1", "all", "pictures"), "MultiRegionAccessPointAlreadyOwnedByYou")
	code(t, createMulti(f, "2", "two", "pictures", "more"), "MultiRegionAccessPointSameBucketRegion")
	code(t, createMulti(f, "3", "two", "gone"), "NoSuchBucket")
	code(t, createMulti(f, "4", "two"), "InvalidRequest")
	code(t, createMulti(f, "5", "A", "more"), "InvalidMultiRegionAccessPointName")
	code(t, createMulti(f, "token", "all", "pictures"), "InvalidRequest") // the token of another request
	_, err := f.describeMultiOperation(f.ctx(), &control.DescribeMultiRegionAccessPointOperationInput{AccountId: account, RequestTokenARN: "arn:aws:s3:us-west-2:000000000000:async-request/mrap/create/none"})
	code(t, err, "NoSuchAsyncRequest")
	_, err = f.getMultiPoint(f.ctx(), &control.GetMultiRegionAccessPointInput{AccountId: account, Name: "two"})
	code(t, err, "NoSuchMultiRegionAccessPoint")
	_, err = f.getObject(f.ctx(), &api.GetObjectInput{Bucket: "arn:aws:s3::" + account + ":accesspoint/m0001.mrap", Key: "a"})
	code(t, err, "NoSuchAccessPoint")
	_, err = f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"})
	code(t, err, "BucketHasAccessPointsAttached")

	f.clock.Advance(multiRequestAge + time.Hour)
	if _, err := f.deleteMultiPoint(f.ctx(), &control.DeleteMultiRegionAccessPointInput{AccountId: account, ClientToken: "d", Details: &control.DeleteMultiRegionAccessPointDetails{Name: "all"}}); err != nil {
		t.Fatal(err)
	}
	_, err = f.getObject(f.ctx(), &api.GetObjectInput{Bucket: alias, Key: "a"})
	code(t, err, "NoSuchAccessPoint")
	for _, b := range []string{"west", "more"} {
		if _, err := f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: b}); err != nil {
			t.Fatal(err)
		}
	}
	if left := rowsOf(f); len(left) != before+1 { // the request to delete is kept, and the older ones are not
		t.Errorf("rows before %d, and now %q", before, left)
	}
}
