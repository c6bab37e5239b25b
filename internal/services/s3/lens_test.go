package s3

import (
	"context"
	"crypto/md5"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// plainLens is a configuration that reports accounts and buckets to the bucket "reports".
func plainLens() *control.StorageLensConfiguration {
	return &control.StorageLensConfiguration{
		Id: "usage", IsEnabled: true, AccountLevel: &control.AccountLevel{BucketLevel: &control.BucketLevel{}},
		DataExport: &control.StorageLensDataExport{S3BucketDestination: &control.S3BucketDestination{
			Format: "CSV", OutputSchemaVersion: "V_1", AccountId: account, Arn: "arn:aws:s3:::reports", Prefix: ptr("lens"),
		}},
	}
}

func newLensFixture(t *testing.T) *fixture {
	f := newFixture(t)
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "reports"}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) putLens(c *control.StorageLensConfiguration) error {
	_, err := f.putStorageLens(f.ctx(), &control.PutStorageLensConfigurationInput{AccountId: account, ConfigId: c.Id, StorageLensConfiguration: c})
	return err
}

func (f *fixture) createGroup(name string, filter *control.StorageLensGroupFilter) error {
	_, err := f.createLensGroup(f.ctx(), &control.CreateStorageLensGroupInput{AccountId: account, StorageLensGroup: &control.StorageLensGroup{Name: name, Filter: filter}})
	return err
}

// report makes the report that is queued, as the queue would at midnight.
func (f *fixture) report() {
	f.t.Helper()
	jobs := f.jobs(lensKind)
	if len(jobs) != 1 {
		f.t.Fatalf("%d reports are due, want 1", len(jobs))
	}
	if err := f.reportLens(f.t.Context(), jobs[0]); err != nil {
		f.t.Fatal(err)
	}
}

// read returns an object of the bucket "reports".
func (f *fixture) read(object string) []byte {
	f.t.Helper()
	out, err := f.getObject(f.ctx(), &api.GetObjectInput{Bucket: "reports", Key: object})
	if err != nil {
		f.t.Fatalf("read %s: %v", object, err)
	}
	body, err := io.ReadAll(out.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return body
}

// reported returns the values of the export of a day by class, record type, record value, bucket and metric.
func (f *fixture) reported(date string) map[string]string {
	f.t.Helper()
	var m lensManifest
	if err := json.Unmarshal(f.read("lens/StorageLens/"+account+"/usage/V_1/manifests/dt="+date+"/manifest.json"), &m); err != nil {
		f.t.Fatal(err)
	}
	if len(m.ReportFiles) != 1 || m.ReportDate != date || m.ConfigID != "usage" || m.DestinationBucket != "arn:aws:s3:::reports" || m.ReportSchema != strings.Join(lensColumns, ",") {
		f.t.Fatalf("the manifest is %+v", m)
	}
	text := f.read(m.ReportFiles[0].Key)
	if sum := md5.Sum(text); m.ReportFiles[0].MD5Checksum != hex.EncodeToString(sum[:]) || m.ReportFiles[0].Size != len(text) {
		f.t.Errorf("the manifest says %+v of a report with %d bytes", m.ReportFiles[0], len(text))
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil || len(rows) == 0 || !slices.Equal(rows[0], lensColumns) {
		f.t.Fatalf("the report begins with %v, %v", rows, err)
	}
	out := map[string]string{}
	for _, row := range rows[1:] {
		if row[0] != "1.0" || row[1] != "usage" || row[2] != date || row[3] != account {
			f.t.Errorf("a row is %v", row)
		}
		out[strings.Join(row[4:10], ",")] = row[10]
	}
	return out
}

func wantReported(t *testing.T, got, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
	}
}

func TestStorageLensCountsWhatBucketsHold(t *testing.T) {
	f := newLensFixture(t)
	f.versioning("Enabled")
	f.put("a.txt", pattern(100))
	f.put("a.txt", pattern(40)) // and the first is an old version
	f.put("gone", pattern(7))
	f.remove("gone", nil)
	if _, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "cold", Body: strings.NewReader("12345"), StorageClass: "GLACIER_IR", ServerSideEncryption: "AES256"}); err != nil {
		t.Fatal(err)
	}
	f.begin(api.CreateMultipartUploadInput{Bucket: "pictures", Key: "big"}, 11)
	if err := f.rules(api.LifecycleRule{Status: "Enabled", Filter: &api.LifecycleRuleFilter{}, Expiration: &api.LifecycleExpiration{Days: ptr(int32(400))}}); err != nil {
		t.Fatal(err)
	}
	c := plainLens()
	c.AccountLevel.BucketLevel.AdvancedCostOptimizationMetrics = &control.AdvancedCostOptimizationMetrics{IsEnabled: ptr(true)}
	if err := f.putLens(c); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(12 * time.Hour)
	f.report()
	got := f.reported("2026-11-25")
	for _, kind := range []string{"STANDARD,BUCKET,,pictures,", "STANDARD,ACCOUNT,,,"} {
		wantReported(t, got, map[string]string{
			"us-east-1," + kind + "StorageBytes":                           "162",
			"us-east-1," + kind + "ObjectCount":                            "5",
			"us-east-1," + kind + "CurrentVersionStorageBytes":             "40",
			"us-east-1," + kind + "CurrentVersionObjectCount":              "1",
			"us-east-1," + kind + "NonCurrentVersionStorageBytes":          "107",
			"us-east-1," + kind + "NonCurrentVersionObjectCount":           "2",
			"us-east-1," + kind + "DeleteMarkerStorageBytes":               "4",
			"us-east-1," + kind + "DeleteMarkerObjectCount":                "1",
			"us-east-1," + kind + "EncryptedObjectCount":                   "0",
			"us-east-1," + kind + "UnencryptedObjectCount":                 "5",
			"us-east-1," + kind + "IncompleteMultipartUploadStorageBytes":  "11",
			"us-east-1," + kind + "IncompleteMultipartUploadObjectCount":   "1",
			"us-east-1," + kind + "IncompleteMPUObjectCountOlderThan7Days": "0",
		})
	}
	wantReported(t, got, map[string]string{
		"us-east-1,GLACIER_IR,BUCKET,,pictures,EncryptedStorageBytes":                    "5",
		"us-east-1,,BUCKET,,pictures,VersioningEnabledBucketCount":                       "1",
		"us-east-1,,ACCOUNT,,,VersioningEnabledBucketCount":                              "1",
		"us-east-1,,ACCOUNT,,,ObjectOwnershipBucketOwnerEnforcedBucketCount":             "2",
		"us-east-1,,BUCKET,,pictures,ExpirationLifecycleRuleCount":                       "1",
		"us-east-1,,ACCOUNT,,,ExpirationLifecycleRuleCount":                              "", // not asked for at this level
		"us-east-1,STANDARD,BUCKET,,pictures,IncompleteMPUStorageBytesOlderThan7Days":    "0",
		"us-east-1,STANDARD,BUCKET,,pictures,ObjectLockEnabledObjectCount":               "0",
		"us-east-1,STANDARD,BUCKET,,reports,ObjectCount":                                 "", // an empty bucket has no storage class
		"us-east-1,,BUCKET,,reports,VersioningEnabledBucketCount":                        "0",
		"us-east-1,GLACIER_IR,ACCOUNT,,,CurrentVersionStorageBytes":                      "5",
		"us-east-1,GLACIER_IR,ACCOUNT,,,UnencryptedStorageBytes":                         "0",
		"us-east-1,STANDARD,PREFIX,a.txt,pictures,StorageBytes":                          "",
		"us-east-1,STANDARD,STORAGE_LENS_GROUP_ACCOUNT,arn:aws:s3:us-east-1:,,Something": "",
	})

	// The next report is of the next day, and sees that the upload is an old one by then.
	f.clock.Advance(8 * day)
	f.report()
	wantReported(t, f.reported("2026-12-03"), map[string]string{
		"us-east-1,STANDARD,BUCKET,,pictures,IncompleteMPUStorageBytesOlderThan7Days": "11",
		"us-east-1,STANDARD,BUCKET,,reports,ObjectCount":                              "2",
	})
}

func TestStorageLensReportsPrefixesAndGroups(t *testing.T) {
	f := newLensFixture(t)
	f.put("2026/may/a b.png", pattern(900))
	f.put("2026/june/b.txt", pattern(90))
	f.put("2025/c.png", pattern(10))
	f.put("top", pattern(1))
	c := plainLens()
	c.Include = &control.Include{Buckets: []string{"arn:aws:s3:::pictures"}}
	c.AccountLevel.BucketLevel.PrefixLevel = &control.PrefixLevel{StorageMetrics: &control.PrefixLevelStorageMetrics{
		IsEnabled: ptr(true), SelectionCriteria: &control.SelectionCriteria{MaxDepth: ptr(int32(2)), MinStorageBytesPercentage: ptr(5.0)},
	}}
	c.AccountLevel.StorageLensGroupLevel = &control.StorageLensGroupLevel{}
	if err := f.createGroup("images", &control.StorageLensGroupFilter{MatchAnySuffix: []string{".png", ".jpg"}}); err != nil {
		t.Fatal(err)
	}
	if err := f.createGroup("large", &control.StorageLensGroupFilter{And: &lensCriteria{
		MatchAnyPrefix: []string{"2026/"}, MatchObjectSize: &control.MatchObjectSize{BytesGreaterThan: ptr(int64(100))},
	}}); err != nil {
		t.Fatal(err)
	}
	if err := f.putLens(c); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(day)
	f.report()
	got := f.reported("2026-11-25")
	const images, large = "arn:aws:s3:us-east-1:" + account + ":storage-lens-group/images", "arn:aws:s3:us-east-1:" + account + ":storage-lens-group/large"
	wantReported(t, got, map[string]string{
		"us-east-1,STANDARD,PREFIX,2026%2F,pictures,StorageBytes":                           "990",
		"us-east-1,STANDARD,PREFIX,2026%2F,pictures,ObjectCount":                            "2",
		"us-east-1,STANDARD,PREFIX,2026%2Fmay%2F,pictures,StorageBytes":                     "900",
		"us-east-1,STANDARD,PREFIX,2026%2Fjune%2F,pictures,StorageBytes":                    "90",
		"us-east-1,STANDARD,PREFIX,2025%2F,pictures,StorageBytes":                           "", // it holds less than 5 %
		"us-east-1,STANDARD,STORAGE_LENS_GROUP_BUCKET," + images + ",pictures,StorageBytes": "910",
		"us-east-1,STANDARD,STORAGE_LENS_GROUP_ACCOUNT," + images + ",,ObjectCount":         "2",
		"us-east-1,STANDARD,STORAGE_LENS_GROUP_BUCKET," + large + ",pictures,StorageBytes":  "900",
		"us-east-1,,BUCKET,,reports,VersioningEnabledBucketCount":                           "", // it is not included
	})
}

// sink keeps the metrics that are published.
type sink struct{ data []port.MetricDatum }

func (s *sink) PutMetrics(_ store.Txn, _, _ string, data []port.MetricDatum) error {
	s.data = append(s.data, data...)
	return nil
}

func TestStorageLensPublishesMetrics(t *testing.T) {
	f := newLensFixture(t)
	kept := &sink{}
	f.Service.metrics = kept
	f.put("a/b", pattern(30))
	c := plainLens()
	c.DataExport = &control.StorageLensDataExport{CloudWatchMetrics: &control.CloudWatchMetrics{IsEnabled: true}}
	if err := f.putLens(c); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(day)
	f.report()
	var shown []string
	for _, d := range kept.data {
		if d.Name != "StorageBytes" && d.Name != "MFADeleteEnabledBucketCount" {
			continue
		}
		words := []string{d.Namespace, d.Name, d.Unit, d.At.Format(time.RFC3339), fmt.Sprint(d.Samples.Sum)}
		for _, dimension := range d.Dimensions {
			words = append(words, dimension.Name+"="+dimension.Value)
		}
		shown = append(shown, strings.Join(words, " "))
	}
	const of = " configuration_id=usage metrics_version=1.0 aws_account_number=" + account + " aws_region=us-east-1 "
	want := []string{
		"AWS/S3/Storage-Lens StorageBytes Bytes 2026-11-25T00:00:00Z 30" + of + "bucket_name=pictures storage_class=STANDARD record_type=BUCKET",
		"AWS/S3/Storage-Lens MFADeleteEnabledBucketCount Count 2026-11-25T00:00:00Z 0" + of + "bucket_name=pictures record_type=BUCKET",
		"AWS/S3/Storage-Lens MFADeleteEnabledBucketCount Count 2026-11-25T00:00:00Z 0" + of + "bucket_name=reports record_type=BUCKET",
		"AWS/S3/Storage-Lens StorageBytes Bytes 2026-11-25T00:00:00Z 30" + of + "storage_class=STANDARD record_type=ACCOUNT",
		"AWS/S3/Storage-Lens MFADeleteEnabledBucketCount Count 2026-11-25T00:00:00Z 0" + of + "record_type=ACCOUNT",
	}
	if !slices.Equal(shown, want) {
		t.Errorf("published are\n%s\nwant\n%s", strings.Join(shown, "\n"), strings.Join(want, "\n"))
	}
}

func TestStorageLensExportNeedsThePolicyOfItsBucket(t *testing.T) {
	f := newLensFixture(t)
	var asked []service.Target
	var callers []service.Principal
	refuse := true
	f.door.deny = func(ctx context.Context, t service.Target) bool {
		asked, callers = append(asked, t), append(callers, service.RequestFrom(ctx).Principal)
		return refuse
	}
	if err := f.putLens(plainLens()); err != nil {
		t.Fatal(err)
	}
	asked = nil
	f.clock.Advance(day)
	f.report()
	_, err := f.headBucketObjects("reports")
	if err != nil || len(asked) != 1 || asked[0].Action != "s3:PutObject" || !slices.Equal(asked[0].Condition["s3:x-amz-acl"], []string{"bucket-owner-full-control"}) {
		t.Fatalf("asked for %+v, %v", asked, err)
	}
	if p := callers[len(callers)-1]; p.Service != lensService || p.SourceARN != "arn:aws:s3:us-east-1:"+account+":storage-lens/usage" || p.SourceAccount != account {
		t.Errorf("asked as %+v", p)
	}
	if n, _ := f.headBucketObjects("reports"); n != 0 {
		t.Errorf("a bucket that refuses has %d objects", n)
	}
	// The report of the next day is tried again.
	refuse = false
	f.clock.Advance(day)
	f.report()
	if n, _ := f.headBucketObjects("reports"); n != 2 {
		t.Errorf("the bucket has %d objects, want the report and its manifest", n)
	}
}

func (f *fixture) headBucketObjects(bucket string) (int, error) {
	out, err := f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: bucket})
	if err != nil {
		return 0, err
	}
	return len(out.Contents), nil
}

func TestStorageLensReportsEndWithTheirConfiguration(t *testing.T) {
	f := newLensFixture(t)
	if err := f.putLens(plainLens()); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(day)
	c := plainLens()
	c.IsEnabled = false
	if err := f.putLens(c); err != nil {
		t.Fatal(err)
	}
	f.report() // which was queued before, and does nothing
	if jobs := f.jobs(lensKind); len(jobs) != 0 {
		t.Errorf("a configuration that is not enabled has the reports %v", jobs)
	}
	if n, _ := f.headBucketObjects("reports"); n != 0 {
		t.Errorf("a configuration that is not enabled wrote %d objects", n)
	}
	if err := f.reportLens(t.Context(), events.Job{Payload: []byte("{")}); err == nil {
		t.Error("a job that cannot be read is done")
	}
}
