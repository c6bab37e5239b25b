package firehose

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service/port"
)

// object is an object to be written.
type object struct {
	bucket, role, key string
	encryption        *api.EncryptionConfiguration
	compression       string
	body              []byte
}

// gather collects the records of a batch into objects: one for each place below the prefix, and one for each type of error.
func (st *stream) gather(b plan, items []*item) (out []*object, err error) {
	d := st.Bucket
	zone, err := zoneOf(d)
	if err != nil {
		return nil, err
	}
	name := naming{at: b.At.In(zone), random: st.random(b)}
	byPrefix, partitions := map[string]*object{}, 0
	place := func(prefix, compression, extension string) (*object, bool) {
		o, known := byPrefix[prefix]
		if !known {
			o = &object{bucket: bucketOf(d.BucketARN), role: d.RoleARN, encryption: d.EncryptionConfiguration, compression: compression, key: st.key(b, name.at, prefix, extension)}
		}
		return o, known
	}
	for _, it := range items {
		data := it.data
		if it.failure == nil {
			name.failed, name.query, name.lambda = "", it.query, it.lambda
			prefix := name.expand(opt.Value(d.Prefix))
			o, known := place(prefix, d.CompressionFormat, extensionOf(d))
			if known || !partitioned(d) || partitions < maxPartitions {
				if !known {
					partitions++
					byPrefix[prefix], out = o, append(out, o)
				}
				o.body = append(o.body, data...)
				continue
			}
			it.failure = &failure{
				kind: failedPartitions, Attempts: 1, Arrived: it.at.UnixMilli(), Code: "DynamicPartitioning.ActivePartitionExceeded",
				Message: fmt.Sprintf("A batch has at most %d partitions.", maxPartitions), Ended: b.At.UnixMilli(), Data: it.data,
			}
		}
		line, err := json.Marshal(it.failure)
		if err != nil {
			return nil, err
		}
		name.failed, name.query, name.lambda = it.failure.kind, nil, nil
		prefix := name.expand(opt.Value(d.ErrorOutputPrefix))
		o, known := place(prefix, api.CompressionFormatUncompressed, "")
		if !known {
			byPrefix[prefix], out = o, append(out, o)
		}
		o.body = append(append(o.body, line...), '\n')
	}
	return out, nil
}

// backup returns the object that keeps the records of a batch as they came.
func (st *stream) backup(b plan, items []*item) *object {
	d := newDestination(st.Bucket.S3BackupConfiguration, nil)
	name := naming{at: b.At, random: st.random(b)}
	o := &object{
		bucket: bucketOf(d.BucketARN), role: d.RoleARN, encryption: d.EncryptionConfiguration, compression: d.CompressionFormat,
		key: st.key(b, b.At, name.expand(opt.Value(d.Prefix)), extension(d.CompressionFormat)),
	}
	for _, it := range items {
		o.body = append(o.body, it.data...)
	}
	return o
}

// random is the text of !{firehose:random-string} in a batch: the same when the batch is made again.
func (st *stream) random(b plan) string {
	return strings.ReplaceAll(uuid.Of("random", st.arn(), string(b.First[:])), "-", "")[:11]
}

// key returns the key of an object of a batch
// (https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html). It is the same when the batch is made again.
func (st *stream) key(b plan, at time.Time, prefix, extension string) string {
	return fmt.Sprintf("%s%s-%d-%s-%s%s", prefix, st.Name, st.Version, at.Format("2006-01-02-15-04-05"), uuid.Of(st.arn(), string(b.First[:]), prefix), extension)
}

// extensionOf returns the end of the keys of a destination's objects.
func extensionOf(d *api.ExtendedS3DestinationConfiguration) string {
	if d.FileExtension != nil && *d.FileExtension != "" {
		return *d.FileExtension
	}
	return extension(d.CompressionFormat)
}

func extension(compression string) string {
	switch compression {
	case api.CompressionFormatGzip:
		return ".gz"
	case api.CompressionFormatZip:
		return ".zip"
	case api.CompressionFormatSnappy:
		return ".snappy"
	case api.CompressionFormatHadoopSnappy:
		return ".hsnappy"
	}
	return ""
}

// compress returns data in a format.
func compress(format string, name string, data []byte) ([]byte, error) {
	var b bytes.Buffer
	switch format {
	case api.CompressionFormatGzip:
		w := gzip.NewWriter(&b)
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
		err := w.Close()
		return b.Bytes(), err
	case api.CompressionFormatZip:
		w := zip.NewWriter(&b)
		f, err := w.Create(strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".zip"))
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(data); err != nil {
			return nil, err
		}
		err = w.Close()
		return b.Bytes(), err
	case api.CompressionFormatSnappy:
		w := snappy.NewBufferedWriter(&b)
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
		err := w.Close()
		return b.Bytes(), err
	case api.CompressionFormatHadoopSnappy:
		return hadoopSnappy(data), nil
	}
	return data, nil
}

// hadoopBlock is how many bytes a block of Hadoop's format holds.
const hadoopBlock = 256 << 10

// hadoopSnappy writes Hadoop's format: blocks of a length before compression, a length after it, and a block of Snappy.
func hadoopSnappy(data []byte) (out []byte) {
	for len(data) > 0 {
		n := min(len(data), hadoopBlock)
		block := snappy.Encode(nil, data[:n])
		out = binary.BigEndian.AppendUint32(out, uint32(n))
		out = binary.BigEndian.AppendUint32(out, uint32(len(block)))
		out, data = append(out, block...), data[n:]
	}
	return out
}

// write writes an object with the role of its destination.
func (p *pump) write(ctx context.Context, st *stream, o *object) error {
	body, err := compress(o.compression, o.key, o.body)
	if err != nil {
		return fmt.Errorf("compress %s: %w", o.key, err)
	}
	as, err := p.caller(ctx, st, o.role, "arn:aws:s3:::"+o.bucket)
	if err != nil {
		return err
	}
	kind := "application/octet-stream"
	in := &s3.PutObjectInput{Bucket: o.bucket, Key: o.key, Body: bytes.NewReader(body), ContentLength: new(int64(len(body))), ContentType: &kind}
	if e := o.encryption; e != nil && e.KMSEncryptionConfig != nil {
		in.ServerSideEncryption, in.SSEKMSKeyId = s3.ServerSideEncryptionAwsKms, &e.KMSEncryptionConfig.AWSKMSKeyARN
	}
	if _, err := p.door.Call(as, "s3", "PutObject", in); err != nil {
		return fmt.Errorf("write %s to %s: %w", o.key, o.bucket, err)
	}
	return nil
}

// tell writes an error to the log group that the destination names, when it names one.
func (p *pump) tell(ctx context.Context, st *stream, problem error) error {
	o, role, to, code := st.Bucket.CloudWatchLoggingOptions, st.Bucket.RoleARN, st.Bucket.BucketARN, "S3.DeliveryFailed"
	if e := st.Endpoint; e != nil {
		o, role, to, code = e.CloudWatchLoggingOptions, opt.Value(e.RoleARN), e.EndpointConfiguration.Url, codeEndpoint
	}
	if o == nil || o.Enabled == nil || !*o.Enabled || o.LogGroupName == nil || o.LogStreamName == nil {
		return nil
	}
	body, err := json.Marshal(map[string]string{"deliveryStreamARN": st.arn(), "destination": to, "errorCode": code, "message": problem.Error()})
	if err != nil {
		return err
	}
	return p.sender.Send(ctx, &deliver.Message{
		Target: "arn:aws:logs:" + st.place.region + ":" + st.place.account + ":log-group:" + *o.LogGroupName, Stream: *o.LogStreamName, Role: role, Body: body,
		From: port.Source{Service: principal, ARN: st.arn(), Account: st.place.account},
	})
}
