package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

const (
	logKind = "s3-log"
	// logDelay is how long records come together before they are written as an object.
	logDelay = 5 * time.Minute
	// logAge is how long a delivery is tried again while its target cannot be reached.
	logAge = 24 * time.Hour
	// maxLogObject is about how large an object of a log becomes, in bytes.
	maxLogObject = 4 << 20
	// maxLogRow is how many bytes of records one row holds.
	maxLogRow = 256 << 10

	byEventTime    = "EventTime"
	byDeliveryTime = "DeliveryTime"
)

// logJob delivers the log of a bucket to where it went when its first record came. It does not need the bucket to be there still.
type logJob struct {
	Bucket  bucket             `json:"bucket"`
	Logging api.LoggingEnabled `json:"logging"`
}

func encodeLogJob(b *bucket, c api.LoggingEnabled) ([]byte, error) {
	raw, err := json.Marshal(logJob{bucket{Name: b.Name, ID: b.ID, Account: b.Account, Region: b.Region}, c})
	return raw, wrap("encode log delivery", err)
}

func decodeLogJob(job events.Job) (*logJob, error) {
	var j logJob
	err := json.Unmarshal(job.Payload, &j)
	return &j, wrap("decode log delivery", err)
}

// logRows are rows of one day that become one object.
type logRows struct {
	day  time.Time
	keys [][]byte
	text []byte
}

// readLog returns the first rows of a log: of one day, and no more than an object should have.
func readLog(r store.Reader, b *bucket) (*logRows, error) {
	rows := &logRows{}
	for p, err := range r.Range(b.row("log").Span()) {
		if err != nil {
			return nil, fmt.Errorf("read access log: %w", err)
		}
		of := key.Decode(p.Key).Skip(b.row("log")).Time()
		if len(rows.keys) > 0 && (!of.Equal(rows.day) || len(rows.text)+len(p.Value) > maxLogObject) {
			break
		}
		rows.day = of.UTC()
		rows.keys = append(rows.keys, bytes.Clone(p.Key))
		rows.text = append(rows.text, p.Value...)
	}
	return rows, nil
}

// deliverLog writes one object; more tells that there was one to write.
func (s *Service) deliverLog(ctx context.Context, j *logJob) (more bool, err error) {
	var rows *logRows
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		rows, err = readLog(r, &j.Bucket)
		return err
	})
	if err != nil || len(rows.keys) == 0 {
		return false, err
	}
	ctx = s.asLogDelivery(ctx, &j.Bucket)
	object := logObject(j, rows.day, s.now(), strings.ToUpper(s.newID()[:16]))
	if err := s.mayDeliver(ctx, j.Logging.TargetBucket, object, ""); err != nil {
		return false, err
	}
	q, err := s.logRequest(ctx, j, object)
	if err != nil {
		return false, err
	}
	w := write{event: "ObjectCreated:Put", prepare: func(tx store.Txn, _ *bucket) error {
		for _, k := range rows.keys {
			tx.Delete(k)
		}
		return nil
	}}
	_, _, err = s.keep(ctx, q, &j.Bucket.Account, bytes.NewReader(rows.text), expect{length: int64(len(rows.text)), proven: true}, w)
	return true, err
}

// logRequest is the upload of an object of a log. Its owner is that of the bucket; the target grants count where access control lists do.
func (s *Service) logRequest(ctx context.Context, j *logJob, object string) (*request, error) {
	q := &request{bucket: j.Logging.TargetBucket, key: object, headers: headers{ContentType: "text/plain"}}
	to, err := s.lookUp(ctx, j.Logging.TargetBucket, &j.Bucket.Account)
	if err != nil || !to.aclsEnabled() || len(j.Logging.TargetGrants) == 0 {
		return q, err
	}
	grants, err := logGrants(j.Logging.TargetGrants)
	if err != nil {
		return q, err
	}
	grants = append(grants, grant{ID: canonicalID(to.Account), Permission: "FULL_CONTROL"})
	q.acl = aclInput{fullControl: grantHeader(grants, "FULL_CONTROL"), read: grantHeader(grants, "READ"), write: grantHeader(grants, "WRITE")}
	return q, nil
}

// grantHeader writes the grants of a permission as a header has them; nil when there are none.
func grantHeader(grants []grant, permission string) *string {
	var all []string
	for _, g := range grants {
		switch {
		case g.Permission != permission:
		case g.URI != "":
			all = append(all, `uri="`+g.URI+`"`)
		default:
			all = append(all, `id="`+g.ID+`"`)
		}
	}
	return optional(strings.Join(all, ","))
}

// logObject returns the key of an object of a log with records of a day, delivered at a time:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html#server-log-keyname-format.
func logObject(j *logJob, day, at time.Time, unique string) string {
	const stamp = "2006-01-02-15-04-05"
	c := &j.Logging
	if c.TargetObjectKeyFormat == nil || c.TargetObjectKeyFormat.PartitionedPrefix == nil {
		return c.TargetPrefix + at.Format(stamp) + "-" + unique
	}
	if c.TargetObjectKeyFormat.PartitionedPrefix.PartitionDateSource == byEventTime {
		at = day
	}
	b := &j.Bucket
	return c.TargetPrefix + strings.Join([]string{b.Account, b.Region, b.Name, at.Format("2006/01/02"), at.Format(stamp) + "-" + unique}, "/")
}
