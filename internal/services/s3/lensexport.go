package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what the manifest of an export says of its files, not a protection.
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	lensKind = "s3-lens"
	// lensNamespace and lensVersion are what the metrics have in CloudWatch
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-lens-cloudwatch-metrics-dimensions.html).
	lensNamespace = "AWS/S3/Storage-Lens"
	lensVersion   = "1.0"
	// lensReport is the version of the export.
	lensReport = "V_1"
	lensACL    = "bucket-owner-full-control"
)

// lensColumns are those of an export: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage_lens_understanding_metrics_export_schema.html.
var lensColumns = []string{
	"version_number", "configuration_id", "report_date", "aws_account_number", "aws_region", "storage_class", "record_type", "record_value", "bucket_name", "metric_name", "metric_value",
}

// lensJob is the next report of a configuration.
type lensJob struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	ID      string `json:"id"`
}

// queueLens queues the next report of a configuration that is enabled, in the place of the one that is queued already.
func (p lensPlace) queueLens(tx store.Txn, l *lens, at time.Time) error {
	if !l.Configuration.IsEnabled {
		return nil
	}
	payload, err := json.Marshal(lensJob{p.account, p.region, l.Configuration.Id})
	if err != nil {
		return fmt.Errorf("encode Storage Lens job: %w", err)
	}
	return events.Enqueue(tx, events.Job{Kind: lensKind, Name: p.lensARN(l.Configuration.Id), Payload: payload, NotBefore: at})
}

// reportLens makes the report of a configuration about the day that has ended, and queues the next one for midnight, UTC. A report that its bucket does not take is left out,
// with a warning in the platform's log.
func (s *Service) reportLens(ctx context.Context, job events.Job) error {
	var j lensJob
	if err := json.Unmarshal(job.Payload, &j); err != nil {
		return events.Permanent(fmt.Errorf("decode Storage Lens job: %w", err))
	}
	p := lensPlace{j.Account, j.Region}
	run := &lensRun{s: s, p: p, now: s.now()}
	var l lens
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		if l, err = findLens(r, p, j.ID); err != nil {
			return err
		}
		run.groups, err = record.List[lensGroup](r, p.groupsKey().Span())
		return err
	})
	if service.Code(err) == "NoSuchConfiguration" || err == nil && !l.Configuration.IsEnabled {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read Storage Lens configuration: %w", err)
	}
	run.use(&l.Configuration)
	if err := run.count(ctx); err != nil {
		return fmt.Errorf("count for the Storage Lens configuration %s: %w", j.ID, err)
	}
	if err := s.exportLens(ctx, run); err != nil {
		e, known := asError(err)
		if !known || e.Status >= http.StatusInternalServerError {
			return fmt.Errorf("export the Storage Lens configuration %s: %w", j.ID, err)
		}
		s.log.WarnContext(ctx, "storage lens export was refused", slog.String("configuration", p.lensARN(j.ID)), slog.String("target", lensDestination(run.c).Arn), slog.Any("error", err))
	}
	return s.store.Update(ctx, func(tx store.Txn) error {
		l, err := findLens(tx, p, j.ID)
		if err != nil {
			return service.Unless(err, "NoSuchConfiguration")
		}
		if s.metrics != nil && len(run.data) > 0 {
			if err := s.metrics.PutMetrics(tx, p.account, p.region, run.data); err != nil {
				return err
			}
		}
		return p.queueLens(tx, &l, run.now.Truncate(day).Add(day))
	})
}

// lensRun is one report of a configuration.
type lensRun struct {
	s   *Service
	p   lensPlace
	c   *control.StorageLensConfiguration
	now time.Time
	// date is the day that the report is about.
	date time.Time
	// groups are those that it is about.
	groups  []lensGroup
	regions map[string]*lensRegion

	text bytes.Buffer
	csv  *csv.Writer
	data []port.MetricDatum
}

// lensRegion is what the buckets of a region hold together.
type lensRegion struct {
	classes    lensClasses
	groups     []lensClasses
	properties lensProperties
}

// lensRecord is what some rows of a report are about.
type lensRecord struct{ region, kind, value, bucket string }

func (run *lensRun) use(c *control.StorageLensConfiguration) {
	run.c, run.date = c, run.now.Add(-day).Truncate(day)
	run.groups = slices.DeleteFunc(run.groups, func(g lensGroup) bool { return !lensReports(c, run.p.groupARN(g.Name)) })
	run.regions = map[string]*lensRegion{}
	run.csv = csv.NewWriter(&run.text)
}

// count counts the buckets that the configuration is about, and writes the rows.
func (run *lensRun) count(ctx context.Context) error {
	if err := run.csv.Write(lensColumns); err != nil {
		return err
	}
	err := run.s.eachBucket(ctx, func(b *bucket) error {
		if b.Account != run.p.account || !lensIncludes(run.c, b) {
			return nil
		}
		return run.bucket(ctx, b)
	})
	for _, name := range slices.Sorted(maps.Keys(run.regions)) {
		of := run.regions[name]
		to := lensRecord{region: name, kind: "ACCOUNT"}
		run.storage(to, of.classes)
		run.properties(to, &of.properties, advanced(run.c.AccountLevel.AdvancedCostOptimizationMetrics), protected(run.c.AccountLevel.AdvancedDataProtectionMetrics))
		for i, g := range run.groups {
			run.storage(lensRecord{name, "STORAGE_LENS_GROUP_ACCOUNT", run.p.groupARN(g.Name), ""}, of.groups[i])
		}
	}
	run.csv.Flush()
	if err == nil {
		err = run.csv.Error()
	}
	return err
}

func advanced(m *control.AdvancedCostOptimizationMetrics) bool {
	return m != nil && deref(m.IsEnabled)
}

func protected(m *control.AdvancedDataProtectionMetrics) bool {
	return m != nil && deref(m.IsEnabled)
}

// bucket counts one bucket, writes its rows, and adds it to its region.
func (run *lensRun) bucket(ctx context.Context, b *bucket) error {
	n, err := run.s.countLens(ctx, b, run)
	if err != nil {
		return err
	}
	properties, err := run.s.lensPropertiesOf(ctx, b)
	if err != nil {
		return err
	}
	of := run.regions[b.Region]
	if of == nil {
		of = &lensRegion{classes: lensClasses{}, groups: make([]lensClasses, len(run.groups))}
		for i := range of.groups {
			of.groups[i] = lensClasses{}
		}
		run.regions[b.Region] = of
	}
	of.classes.add(n.classes)
	for i, v := range properties {
		of.properties[i] += v
	}
	level := run.c.AccountLevel.BucketLevel
	to := lensRecord{b.Region, "BUCKET", "", b.Name}
	run.storage(to, n.classes)
	run.properties(to, properties, advanced(level.AdvancedCostOptimizationMetrics), protected(level.AdvancedDataProtectionMetrics))
	for i, g := range run.groups {
		of.groups[i].add(n.groups[i])
		run.storage(lensRecord{b.Region, "STORAGE_LENS_GROUP_BUCKET", run.p.groupARN(g.Name), b.Name}, n.groups[i])
	}
	if n.prefixes != nil {
		for _, prefix := range n.prefixes.all() {
			run.storage(lensRecord{b.Region, "PREFIX", url.QueryEscape(prefix.prefix), b.Name}, prefix.classes)
		}
	}
	return nil
}

// storage writes the rows of what is stored, by class.
func (run *lensRun) storage(to lensRecord, classes lensClasses) {
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		for i, v := range classes[class] {
			run.row(to, class, lensStorageNames[i], v)
		}
	}
}

// properties writes the rows about buckets, which have no storage class.
func (run *lensRun) properties(to lensRecord, p *lensProperties, cost, protection bool) {
	for i, v := range p {
		m := lensProperty(i)
		if m < lensTransitions || m < lensSameRegion && cost || m >= lensSameRegion && protection {
			run.row(to, "", lensPropertyNames[m], v)
		}
	}
}

// row writes a row, and the same metric for CloudWatch, which takes those of accounts and buckets only. What cannot be written, the writer tells when it is flushed.
func (run *lensRun) row(to lensRecord, class, metric string, v int64) {
	_ = run.csv.Write([]string{
		lensVersion, run.c.Id, run.date.Format(time.DateOnly), run.p.account, to.region, class, to.kind, to.value, to.bucket, metric, strconv.FormatInt(v, 10),
	})
	watched := run.c.DataExport != nil && run.c.DataExport.CloudWatchMetrics != nil && run.c.DataExport.CloudWatchMetrics.IsEnabled
	if !watched || to.kind != "ACCOUNT" && to.kind != "BUCKET" {
		return
	}
	d := port.MetricDatum{Namespace: lensNamespace, Name: metric, Unit: "Count", At: run.date, Samples: meter.Of(float64(v), 1)}
	if strings.Contains(metric, "StorageBytes") {
		d.Unit = "Bytes"
	}
	for _, dimension := range [][2]string{
		{"configuration_id", run.c.Id},
		{"metrics_version", lensVersion},
		{"aws_account_number", run.p.account},
		{"aws_region", to.region},
		{"bucket_name", to.bucket},
		{"storage_class", class},
		{"record_type", to.kind},
	} {
		if dimension[1] != "" {
			d.Dimensions = append(d.Dimensions, meter.Dimension{Name: dimension[0], Value: dimension[1]})
		}
	}
	run.data = append(run.data, d)
}

// lensManifest tells what an export is made of:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage_lens_whatis_metrics_export_manifest.html.
type lensManifest struct {
	SourceAccountID   string     `json:"sourceAccountId"`
	ConfigID          string     `json:"configId"`
	DestinationBucket string     `json:"destinationBucket"`
	ReportVersion     string     `json:"reportVersion"`
	ReportDate        string     `json:"reportDate"`
	ReportFormat      string     `json:"reportFormat"`
	ReportSchema      string     `json:"reportSchema"`
	ReportFiles       []lensFile `json:"reportFiles"`
}

type lensFile struct {
	Key         string `json:"key"`
	Size        int    `json:"size"`
	MD5Checksum string `json:"md5Checksum"`
}

// exportLens writes a report to the bucket of its configuration, and after it the manifest. A report that is made again for a day takes the place of the earlier one.
func (s *Service) exportLens(ctx context.Context, run *lensRun) error {
	d := lensDestination(run.c)
	if d == nil {
		return nil
	}
	date, arn := run.date.Format(time.DateOnly), run.p.lensARN(run.c.Id)
	folder := "StorageLens/" + run.p.account + "/" + run.c.Id + "/" + lensReport + "/"
	if prefix := strings.TrimSuffix(deref(d.Prefix), "/"); prefix != "" {
		folder = prefix + "/" + folder
	}
	text := run.text.Bytes()
	sum := md5.Sum(text) //nolint:gosec // as the import says
	file := lensFile{folder + "reports/dt=" + date + "/" + uuid.Of(arn, date) + ".csv", len(text), hex.EncodeToString(sum[:])}
	manifest, err := json.Marshal(lensManifest{
		run.p.account, run.c.Id, d.Arn, lensReport, date, d.Format, strings.Join(lensColumns, ","), []lensFile{file},
	})
	if err != nil {
		return fmt.Errorf("encode Storage Lens manifest: %w", err)
	}
	ctx = s.asWriter(ctx, run.p.account, run.p.region, service.ServiceCaller(lensService, arn, run.p.account))
	if err := s.deliverLens(ctx, d, file.Key, "text/csv", text); err != nil {
		return err
	}
	return s.deliverLens(ctx, d, folder+"manifests/dt="+date+"/manifest.json", "application/json", manifest)
}

// deliverLens writes one object of an export.
func (s *Service) deliverLens(ctx context.Context, d *control.S3BucketDestination, object, contentType string, body []byte) error {
	if err := s.mayDeliver(ctx, lensBucket(d), object, lensACL); err != nil {
		return err
	}
	q := &request{bucket: lensBucket(d), key: object, headers: headers{ContentType: contentType}, acl: aclInput{canned: lensACL}}
	if e := d.Encryption; e != nil && e.SSEKMS != nil {
		q.seal = sealInput{algorithm: sseKMS, key: &e.SSEKMS.KeyId}
	} else if e != nil {
		q.seal = sealInput{algorithm: sseS3}
	}
	_, _, err := s.keep(ctx, q, &d.AccountId, bytes.NewReader(body), expect{length: int64(len(body)), proven: true}, write{event: "ObjectCreated:Put"})
	return err
}
