package logs

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	s3api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// deliveryPrincipal is as whom logs are delivered.
	deliveryPrincipal = "delivery.logs.amazonaws.com"
	// vendKind is the job that delivers the records that a delivery has gathered.
	vendKind = "logs.vended"
	// groupDelay and bucketDelay are how long records come together before they are delivered: to a log group, and as an object.
	groupDelay  = time.Second
	bucketDelay = 5 * time.Minute
	// maxVended bounds what is delivered at once, in bytes, and maxVendedRecords in records: less than PutLogEvents takes.
	maxVended        = 512 << 10
	maxVendedRecords = 5000
)

// vendedRecord is a record that waits for its delivery.
type vendedRecord struct {
	At     int64 // Unix milliseconds
	Fields []port.LogField
}

// Vend implements [port.VendedLogs].
func (l *Logs) Vend(tx store.Txn, account, region, resource, logType string, at time.Time, fields []port.LogField) error {
	s := scope{account, region}
	name, ok, err := sourceName(tx, s, resource, logType)
	if err != nil || !ok {
		return err
	}
	all, err := deliveriesOf(tx, s, name)
	if err != nil {
		return err
	}
	for i := range all {
		if err := l.vend(tx, s, &all[i], vendedRecord{at.UnixMilli(), fields}); err != nil {
			return err
		}
	}
	return nil
}

func sourceName(r store.Reader, s scope, resource, logType string) (string, bool, error) {
	b, err := r.Get(s.sourceOf(resource, logType))
	if errors.Is(err, store.ErrNotFound) {
		return "", false, nil
	}
	return string(b), err == nil, err
}

// vend leaves a record to a delivery. The first one that waits brings the job that delivers.
func (l *Logs) vend(tx store.Txn, s scope, d *delivery, r vendedRecord) error {
	under := s.vended(d.ID)
	waiting := false
	for _, err := range tx.Range(store.Span{Lo: under, Hi: under.End(), Limit: 1}) {
		if err != nil {
			return err
		}
		waiting = true
	}
	if !waiting {
		if err := l.scheduleVended(tx, s, d); err != nil {
			return err
		}
	}
	return record.Append(tx, under, r)
}

func (l *Logs) scheduleVended(tx store.Txn, s scope, d *delivery) error {
	delay := groupDelay
	if d.Type == api.DeliveryDestinationTypeS3 {
		delay = bucketDelay
	}
	now := l.deps.Clock.Now()
	return events.Enqueue(tx, events.Job{Kind: vendKind, Name: deliveryARN(s, d.ID), Payload: key.New(s.account, s.region, d.ID), NotBefore: now.Add(delay), Enqueued: now})
}

// batch of records on their way.
type vendedBatch struct {
	keys    [][]byte
	records []vendedRecord
}

// parcel is a delivery with its ends.
type parcel struct {
	scope

	delivery delivery
	source   deliverySource
	to       deliveryDestination
	vendor   *vendor
	name     string // of the resource
	batch    vendedBatch
}

// deliverVended is the handler of vendKind jobs.
func (l *Logs) deliverVended(ctx context.Context, job events.Job) error {
	s, id, err := queryOf(job)
	if err != nil {
		return events.Permanent(err)
	}
	p, err := l.parcel(ctx, s, id)
	if err != nil {
		return events.Permanent(gone(err))
	}
	if err := l.hand(ctx, p, job); err != nil {
		if !deliver.Retryable(err) {
			return events.Permanent(err)
		}
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		for _, k := range p.batch.keys {
			tx.Delete(k)
		}
		under := s.vended(id)
		for row, err := range tx.Range(under.Span()) {
			if err != nil {
				return err
			}
			if !p.batch.has(row.Key) {
				return l.scheduleVended(tx, s, &p.delivery)
			}
		}
		return nil
	})
}

func (b *vendedBatch) has(k []byte) bool {
	return len(b.keys) > 0 && bytes.Compare(k, b.keys[len(b.keys)-1]) <= 0
}

// parcel reads what a delivery has gathered, and where it goes.
func (l *Logs) parcel(ctx context.Context, s scope, id string) (*parcel, error) {
	p := &parcel{scope: s}
	return p, l.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if p.delivery, err = getDelivery(r, s, id); err != nil {
			return err
		}
		if p.source, err = getSource(r, s, p.delivery.Source); err != nil {
			return err
		}
		owner, name, _ := deliveryDestinationOf(p.delivery.Destination)
		if p.to, err = getDeliveryDestination(r, owner, name); err != nil {
			return err
		}
		if p.vendor, p.name, err = vendorOf(p.source.Resource); err != nil {
			return err
		}
		size := 0
		for row, err := range record.Range[vendedRecord](r, s.vended(id).Span()) {
			if err != nil {
				return err
			}
			for _, f := range row.Value.Fields {
				size += len(f.Name) + len(f.Value)
			}
			if len(p.batch.keys) > 0 && (size > maxVended || len(p.batch.keys) == maxVendedRecords) {
				return nil
			}
			p.batch.keys = append(p.batch.keys, bytes.Clone(row.Key))
			p.batch.records = append(p.batch.records, row.Value)
		}
		return nil
	})
}

// hand delivers a parcel through the door.
func (l *Logs) hand(ctx context.Context, p *parcel, job events.Job) error {
	if len(p.batch.records) == 0 {
		return nil
	}
	ctx, err := l.options.Sender.Caller(ctx, p.from(), "", uuid.Of(job.Kind, job.ID), p.to.Resource)
	if err != nil {
		return err
	}
	if p.to.Type == api.DeliveryDestinationTypeS3 {
		return l.putVendedObject(ctx, p, job)
	}
	if p.to.Type == api.DeliveryDestinationTypeFh {
		return l.putVendedRecords(ctx, p)
	}
	return l.putVendedEvents(ctx, p)
}

// from is on whose behalf logs of a source are delivered.
func (p *parcel) from() port.Source { return deliveringFrom(p.scope, p.source.Name) }

func deliveringFrom(s scope, source string) port.Source {
	return port.Source{Service: deliveryPrincipal, ARN: deliverySourceARN(s, source), Account: s.account}
}

func (p *parcel) line(r vendedRecord) []byte {
	return p.delivery.line(p.format(), p.vendor, r.Fields)
}

func (p *parcel) format() string { return cmp.Or(p.to.Format, formats[p.to.Type][0]) }

// putVendedEvents delivers to a log group. The stream is made when it is missing.
func (l *Logs) putVendedEvents(ctx context.Context, p *parcel) error {
	group := groupName(p.to.Resource)
	in := &api.PutLogEventsInput{LogGroupName: group, LogStreamName: p.vendor.stream}
	last := int64(0)
	for _, r := range p.batch.records {
		last = max(last, r.At) // the commits' order is that of the events
		in.LogEvents = append(in.LogEvents, api.InputLogEvent{Timestamp: last, Message: string(p.line(r))})
	}
	err := l.call(ctx, "PutLogEvents", in)
	if service.Code(err) != "ResourceNotFoundException" {
		return err
	}
	err = l.call(ctx, "CreateLogStream", &api.CreateLogStreamInput{LogGroupName: group, LogStreamName: p.vendor.stream})
	if err = service.Unless(err, "ResourceAlreadyExistsException"); err != nil {
		return err
	}
	return l.call(ctx, "PutLogEvents", in)
}

// putVendedObject delivers to a bucket.
func (l *Logs) putVendedObject(ctx context.Context, p *parcel, job events.Job) error {
	a, err := arn.Parse(p.to.Resource)
	if err != nil {
		return err
	}
	bucket, prefix, _ := strings.Cut(a.Resource, "/")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if p.format() == api.OutputFormatW3c {
		_, _ = z.Write([]byte(p.delivery.w3cHead(p.vendor))) // a buffer takes everything
	}
	for _, r := range p.batch.records {
		_, _ = z.Write(append(p.line(r), '\n'))
	}
	_ = z.Close()
	at := time.UnixMilli(p.batch.records[0].At).UTC()
	object := p.delivery.objectKey(p.scope, p.vendor, strings.Trim(prefix, "/"), p.name, at, uuid.Of(job.Kind, job.ID)[:8])
	_, err = l.deps.Door.Call(ctx, "s3", "PutObject", &s3api.PutObjectInput{
		Bucket: bucket, Key: object, Body: bytes.NewReader(b.Bytes()), ContentLength: ptr(int64(b.Len())), ContentType: ptr("application/x-gzip"), ACL: s3api.ObjectCannedACLBucketOwnerFullControl,
	})
	return err
}

// putVendedRecords delivers to a delivery stream, in one commit.
func (l *Logs) putVendedRecords(ctx context.Context, p *parcel) error {
	return l.deps.Store.Update(ctx, func(tx store.Txn) error {
		for _, r := range p.batch.records {
			line := p.line(r)
			if p.format() != api.OutputFormatRaw {
				line = append(line, '\n')
			}
			if err := l.options.Streams.Put(tx, p.to.Resource, line); err != nil {
				return err
			}
		}
		return nil
	})
}

// vendedDropped forgets what a destination does not take.
func (l *Logs) vendedDropped(ctx context.Context, tx store.Txn, job events.Job, cause error) error {
	s, id, err := queryOf(job)
	if err != nil {
		return nil //nolint:nilerr // the queue has logged that the row cannot be read, and drops it
	}
	l.deps.Log.WarnContext(ctx, "logs could not be delivered", slog.String("delivery", deliveryARN(s, id)), slog.Any("error", cause))
	tx.DeleteRange(s.vended(id), s.vended(id).End())
	return nil
}
