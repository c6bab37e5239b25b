package firehose

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/seal"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

const (
	// endpointTimeout is how long an endpoint may take for a request, and maxAnswer how many bytes of its answer are read
	// (https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html).
	endpointTimeout = 3 * time.Minute
	maxAnswer       = 1 << 20
	// endpointRetry is for how many seconds an endpoint is tried again that has no retry options.
	endpointRetry = 300
	// endpointInterval is the buffering hint of an endpoint that has none, in seconds.
	endpointInterval = 60
	// failedEndpoint is the type of error of records that an endpoint did not take.
	failedEndpoint = "http-endpoint-failed"
	// codeEndpoint is the error code of such records.
	codeEndpoint = "HttpEndpoint.DestinationException"
	// backupAll is the backup mode that keeps all records in the bucket.
	backupAll = "AllData"
)

// secret is the access key of an endpoint, under a data key that is kept wrapped.
type secret struct {
	Sealed  []byte `json:"sealed"`
	Wrapped []byte `json:"wrapped"`
}

func (st *stream) keyUse() port.KeyUse {
	return port.KeyUse{Service: "firehose", Account: st.place.account, Region: st.place.region, Context: map[string]string{"aws:firehose:arn": st.arn()}}
}

// hide moves the access key of an endpoint from its configuration into a secret, when the configuration has one.
func (s *Service) hide(ctx context.Context, st *stream) error {
	if st.Endpoint == nil {
		st.AccessKey = nil
		return nil
	}
	key := opt.Value(st.Endpoint.EndpointConfiguration.AccessKey)
	if key == "" {
		return nil
	}
	k, err := s.keys.GenerateDataKey(ctx, st.keyUse())
	if err != nil {
		return err
	}
	sealed, err := seal.Value(k.Plain, []byte(key))
	if err != nil {
		return err
	}
	shown := *st.Endpoint.EndpointConfiguration
	shown.AccessKey = nil
	st.Endpoint.EndpointConfiguration, st.AccessKey = &shown, &secret{Sealed: sealed, Wrapped: k.Wrapped}
	return nil
}

// accessKey returns the access key of the endpoint, or "".
func (s *Service) accessKey(ctx context.Context, st *stream) (string, error) {
	if st.AccessKey == nil {
		return "", nil
	}
	plain, err := s.keys.Decrypt(ctx, st.keyUse(), st.AccessKey.Wrapped)
	if err != nil {
		return "", err
	}
	key, err := seal.OpenValue(plain, st.AccessKey.Sealed)
	return string(key), err
}

// newEndpoint returns an endpoint with its defaults, and the bucket for the records that it does not take.
func newEndpoint(e *api.HttpEndpointDestinationConfiguration) (*api.HttpEndpointDestinationConfiguration, *api.ExtendedS3DestinationConfiguration) {
	d := *e
	hints := api.HttpEndpointBufferingHints{}
	if d.BufferingHints != nil {
		hints = *d.BufferingHints
	}
	if hints.SizeInMBs == nil {
		hints.SizeInMBs = new(int32(defaultSize))
	}
	if hints.IntervalInSeconds == nil {
		hints.IntervalInSeconds = new(int32(endpointInterval))
	}
	d.BufferingHints = &hints
	if d.RetryOptions == nil || d.RetryOptions.DurationInSeconds == nil {
		d.RetryOptions = &api.HttpEndpointRetryOptions{DurationInSeconds: new(int32(endpointRetry))}
	}
	if d.S3BackupMode == "" {
		d.S3BackupMode = "FailedDataOnly"
	}
	if d.RequestConfiguration == nil {
		d.RequestConfiguration = &api.HttpEndpointRequestConfiguration{}
	}
	if d.RequestConfiguration.ContentEncoding == "" {
		r := *d.RequestConfiguration
		r.ContentEncoding = "NONE"
		d.RequestConfiguration = &r
	}
	bucket := newDestination(d.S3Configuration, nil)
	d.S3Configuration = nil // it is kept as the bucket of the stream
	return &d, bucket
}

// checkEndpoint checks an endpoint, and that its caller may pass its role.
func (s *Service) checkEndpoint(ctx context.Context, e *api.HttpEndpointDestinationConfiguration) error {
	if c := e.SecretsManagerConfiguration; c != nil && c.Enabled {
		return service.Unsupported(codeInvalid, "HttpEndpointDestinationConfiguration", "SecretsManagerConfiguration")
	}
	if _, err := newWork(e.ProcessingConfiguration, opt.Value(e.RoleARN)); err != nil {
		return err
	}
	if s.roles == nil || e.RoleARN == nil {
		return nil
	}
	return s.roles.CheckPassRole(ctx, *e.RoleARN, principal)
}

// describeEndpoint is how answers show an endpoint and its bucket. The access key is not shown.
func describeEndpoint(e *api.HttpEndpointDestinationConfiguration, bucket *api.S3DestinationDescription) *api.HttpEndpointDestinationDescription {
	return &api.HttpEndpointDestinationDescription{
		EndpointConfiguration: &api.HttpEndpointDescription{Url: &e.EndpointConfiguration.Url, Name: e.EndpointConfiguration.Name}, BufferingHints: e.BufferingHints,
		CloudWatchLoggingOptions: e.CloudWatchLoggingOptions, RequestConfiguration: e.RequestConfiguration, ProcessingConfiguration: e.ProcessingConfiguration,
		RoleARN: e.RoleARN, RetryOptions: e.RetryOptions, S3BackupMode: e.S3BackupMode, S3DestinationDescription: bucket,
	}
}

// mergeEndpoint returns an endpoint and its bucket with what an update says of them. For a stream that delivered to a bucket, the update is all that there is.
func mergeEndpoint(old *api.HttpEndpointDestinationConfiguration, bucket *api.ExtendedS3DestinationConfiguration, update *api.HttpEndpointDestinationUpdate) (*api.HttpEndpointDestinationConfiguration, *api.ExtendedS3DestinationConfiguration, error) {
	e, backup := api.HttpEndpointDestinationConfiguration{}, api.S3DestinationConfiguration{}
	if old != nil {
		if err := errors.Join(overlay(&e, old), overlay(&backup, bucket)); err != nil {
			return nil, nil, err
		}
	}
	if err := overlay(&e, update); err != nil {
		return nil, nil, err
	}
	if update.S3Update != nil {
		if err := overlay(&backup, update.S3Update); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case e.EndpointConfiguration == nil:
		return nil, nil, invalid("EndpointConfiguration is required when the destination becomes an HTTP endpoint.")
	case backup.BucketARN == "" || backup.RoleARN == "":
		return nil, nil, invalid("S3Update with RoleARN and BucketARN is required when the destination becomes an HTTP endpoint.")
	}
	e.S3Configuration = &backup
	merged, kept := newEndpoint(&e)
	return merged, kept, nil
}

// buffer returns how many bytes of records, and for how long, are collected for a batch.
func (st *stream) buffer() (size int, interval time.Duration) {
	megabytes, seconds := st.Bucket.BufferingHints.SizeInMBs, st.Bucket.BufferingHints.IntervalInSeconds
	if st.Endpoint != nil {
		megabytes, seconds = st.Endpoint.BufferingHints.SizeInMBs, st.Endpoint.BufferingHints.IntervalInSeconds
	}
	return int(*megabytes) << 20, time.Duration(*seconds) * time.Second
}

// post delivers a batch to the endpoint of a stream. An endpoint that does not take it is tried again, by the error, until the retry options say that it is enough; then the
// records go to the bucket.
func (p *pump) post(ctx context.Context, st *stream, b plan, items []*item) error {
	w, err := newWork(st.Endpoint.ProcessingConfiguration, opt.Value(st.Endpoint.RoleARN))
	if err != nil {
		return err
	}
	raw := untouched(items)
	if items, err = p.process(ctx, st, w, b, items); err != nil {
		return err
	}
	var good, failed []*item
	for _, it := range items {
		if it.failure != nil {
			failed = append(failed, it)
		} else {
			good = append(good, it)
		}
	}
	if problem := p.request(ctx, st, b, good); problem != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.tries++
		again := b.At.Add(time.Duration(*st.Endpoint.RetryOptions.DurationInSeconds) * time.Second)
		if !errors.Is(problem, errTooLarge) && p.clock.Now().Before(again) {
			return problem
		}
		for _, it := range good {
			it.failure = &failure{
				kind: failedEndpoint, Attempts: p.tries, Arrived: it.at.UnixMilli(), Code: codeEndpoint, Message: problem.Error(), Ended: p.clock.Now().UnixMilli(), Data: it.data,
			}
		}
		failed = append(failed, good...)
	}
	objects, err := st.gather(b, failed)
	if err != nil {
		return err
	}
	if st.Endpoint.S3BackupMode == backupAll {
		all, err := st.gather(b, raw)
		if err != nil {
			return err
		}
		objects = append(objects, all...)
	}
	if err := p.writeAll(ctx, st, objects); err != nil {
		return err
	}
	p.tries = 0
	return nil
}

// errTooLarge tells that an endpoint will never take a request.
var errTooLarge = errors.New("the endpoint takes no request of this size")

// delivery is the body of a request, and receipt that of its answer.
type delivery struct {
	ID      string           `json:"requestId"`
	At      int64            `json:"timestamp"` // Unix milliseconds
	Records []deliveryRecord `json:"records"`
}

type deliveryRecord struct {
	Data []byte `json:"data"`
}

type receipt struct {
	ID      string `json:"requestId"`
	Message string `json:"errorMessage"`
}

// request makes the request of a batch. It has the same id each time, by which the endpoint may tell that it took it before.
func (p *pump) request(ctx context.Context, st *stream, b plan, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	d := delivery{ID: uuid.Of("request", st.arn(), string(b.First[:])), At: p.clock.Now().UnixMilli()}
	for _, it := range items {
		d.Records = append(d.Records, deliveryRecord{it.data})
	}
	r, err := newRequest(ctx, st, d)
	if err != nil {
		return err
	}
	key, err := p.accessKey(ctx, st)
	if err != nil {
		return fmt.Errorf("open the access key of the endpoint: %w", err)
	}
	if key != "" {
		r.Header.Set("X-Amz-Firehose-Access-Key", key)
	}
	answer, err := p.http.Do(r)
	if err != nil {
		return fmt.Errorf("post to the endpoint: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return fmt.Errorf("read the endpoint's answer: %w", err)
	}
	return d.accepted(answer.StatusCode, body)
}

// newRequest writes the request of a delivery.
func newRequest(ctx context.Context, st *stream, d delivery) (*http.Request, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	e := st.Endpoint
	packed := e.RequestConfiguration.ContentEncoding == "GZIP"
	if packed {
		if body, err = zipped(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.EndpointConfiguration.Url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the URL of the endpoint: %w", err)
	}
	h := r.Header
	h.Set("Content-Type", "application/json")
	if packed {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("User-Agent", "Amazon Kinesis Data Firehose Agent/1.0")
	h.Set("X-Amz-Firehose-Protocol-Version", "1.0")
	h.Set("X-Amz-Firehose-Request-Id", d.ID)
	h.Set("X-Amz-Firehose-Source-Arn", st.arn())
	if all := e.RequestConfiguration.CommonAttributes; len(all) > 0 {
		common := map[string]string{}
		for _, a := range all {
			common[a.AttributeName] = a.AttributeValue
		}
		text, err := json.Marshal(map[string]any{"commonAttributes": common})
		if err != nil {
			return nil, err
		}
		h.Set("X-Amz-Firehose-Common-Attributes", string(text))
	}
	return r, nil
}

func zipped(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

// accepted tells whether an answer takes a delivery: its status is 200 and it names the request.
func (d *delivery) accepted(status int, body []byte) error {
	var got receipt
	parsed := json.Unmarshal(body, &got)
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: status %d", errTooLarge, status)
	case status != http.StatusOK && got.Message != "":
		return fmt.Errorf("the endpoint answered with status %d: %s", status, got.Message)
	case status != http.StatusOK:
		return fmt.Errorf("the endpoint answered with status %d: %.200s", status, strings.ToValidUTF8(string(body), "?"))
	case parsed != nil:
		return fmt.Errorf("the endpoint answered with status 200 and no JSON: %w", parsed)
	case got.ID != d.ID:
		return fmt.Errorf("the endpoint answered for the request %q; it is %q", got.ID, d.ID)
	}
	return nil
}
