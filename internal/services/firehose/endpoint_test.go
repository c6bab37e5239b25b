package firehose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/service"
)

// receiver is an HTTP endpoint as its deliveries have to be taken.
type receiver struct {
	mu       sync.Mutex // guards the fields below
	status   int
	ids      []string
	taken    []string
	requests []*http.Request
}

func (e *receiver) serve(r *http.Request, body []byte) (status int, answer string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return 400, err.Error()
		}
		if body, err = io.ReadAll(z); err != nil {
			return 400, err.Error()
		}
	}
	var d delivery
	if err := json.Unmarshal(body, &d); err != nil {
		return 400, err.Error()
	}
	e.ids, e.requests = append(e.ids, d.ID), append(e.requests, r)
	if e.status != http.StatusOK {
		return e.status, fmt.Sprintf(`{"requestId": %q, "timestamp": 1, "errorMessage": "no room"}`, d.ID)
	}
	for _, x := range d.Records {
		e.taken = append(e.taken, string(x.Data))
	}
	return e.status, fmt.Sprintf(`{"requestId": %q, "timestamp": 1}`, d.ID)
}

func (e *receiver) become(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

func endpointStream(more string) string {
	return `{"DeliveryStreamName": "d", "HttpEndpointDestinationConfiguration": {"EndpointConfiguration": {"Url": "https://in.example.com/x", "Name": "in", "AccessKey": "hush"},
		"S3Configuration": {"RoleARN": "` + role + `", "BucketARN": "` + bucket + `"}` + more + `}}`
}

func newReceiver(t *testing.T, more string) (*harness, *receiver) {
	t.Helper()
	h, e := newHarness(t), &receiver{status: http.StatusOK}
	h.endpoint = e.serve
	do[api.CreateDeliveryStreamOutput](t, h, "firehose", "CreateDeliveryStream", endpointStream(more))
	return h, e
}

func TestEndpointGetsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, e := newReceiver(t, `, "RequestConfiguration": {"ContentEncoding": "GZIP", "CommonAttributes": [{"AttributeName": "team", "AttributeValue": "shop"}]}`)
		h.put(t, "one")
		h.put(t, "two")
		h.pass(60 * time.Second)
		if got := strings.Join(e.taken, " "); got != "one two" {
			t.Errorf("the endpoint got %q", got)
		}
		head := e.requests[0].Header
		for name, want := range map[string]string{
			"X-Amz-Firehose-Protocol-Version": "1.0", "X-Amz-Firehose-Request-Id": e.ids[0], "X-Amz-Firehose-Access-Key": "hush", "Content-Type": "application/json",
			"X-Amz-Firehose-Source-Arn": "arn:aws:firehose:us-east-1:000000000000:deliverystream/d", "X-Amz-Firehose-Common-Attributes": `{"commonAttributes":{"team":"shop"}}`,
		} {
			if got := head.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if keys, _ := h.wrote(); len(keys) != 0 {
			t.Errorf("objects %v", keys)
		}
	})
}

// What an endpoint does not take is sent again under the same id, and goes to the bucket when the time for that is over.
func TestEndpointThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, e := newReceiver(t, `, "RetryOptions": {"DurationInSeconds": 20}`)
		e.become(http.StatusInternalServerError)
		h.put(t, "one")
		h.pass(60 * time.Second)
		h.pass(time.Second)
		if len(e.ids) != 2 || e.ids[0] != e.ids[1] {
			t.Errorf("the requests are %v, want one id twice", e.ids)
		}
		e.become(http.StatusOK)
		h.pass(2 * time.Second)
		if got := strings.Join(e.taken, " "); got != "one" {
			t.Errorf("the endpoint got %q", got)
		}
		e.become(http.StatusInternalServerError)
		h.put(t, "two")
		for range 60 {
			h.pass(2 * time.Second)
		}
		key, body := h.one(t)
		if !strings.HasPrefix(key, "logs/http-endpoint-failed/2026/11/25/12/") {
			t.Errorf("the key is %s", key)
		}
		var f failure
		if err := json.Unmarshal([]byte(body), &f); err != nil {
			t.Fatal(err)
		}
		if string(f.Data) != "two" || f.Code != codeEndpoint || !strings.Contains(f.Message, "no room") || f.Attempts < 3 {
			t.Errorf("the bucket has %s", body)
		}
	})
}

func TestEndpointThatFindsRequestsTooLargeIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, e := newReceiver(t, "")
		e.become(http.StatusRequestEntityTooLarge)
		h.put(t, "one")
		h.pass(60 * time.Second)
		if keys, _ := h.wrote(); len(keys) != 1 || len(e.ids) != 1 {
			t.Errorf("%d requests, objects %v", len(e.ids), keys)
		}
	})
}

func TestBucketKeepsAllThatAnEndpointGets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, e := newReceiver(t, `, "S3BackupMode": "AllData"`)
		h.put(t, "one")
		h.pass(60 * time.Second)
		if _, body := h.one(t); body != "one" || len(e.taken) != 1 {
			t.Errorf("the bucket has %q, the endpoint %v", body, e.taken)
		}
	})
}

func TestDestinationBecomesAnEndpointAndABucketAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, e := newReceiver(t, "")
		version := 1
		update := func(what string) error {
			_, err := try[api.UpdateDestinationOutput](t, h, "firehose", "UpdateDestination",
				fmt.Sprintf(`{"DeliveryStreamName": "d", "DestinationId": "destinationId-000000000001", "CurrentDeliveryStreamVersionId": "%d", %s}`, version, what))
			if err == nil {
				version++
			}
			return err
		}
		shown := func() *api.DestinationDescription {
			return &do[api.DescribeDeliveryStreamOutput](t, h, "firehose", "DescribeDeliveryStream", `{"DeliveryStreamName": "d"}`).DeliveryStreamDescription.Destinations[0]
		}
		if d := shown().HttpEndpointDestinationDescription; d == nil || *d.EndpointConfiguration.Url != "https://in.example.com/x" || *d.RetryOptions.DurationInSeconds != 300 {
			t.Errorf("shown as %+v", d)
		}
		if err := update(`"HttpEndpointDestinationUpdate": {"RetryOptions": {"DurationInSeconds": 7}}`); err != nil {
			t.Fatal(err)
		}
		if d := shown().HttpEndpointDestinationDescription; *d.EndpointConfiguration.Url != "https://in.example.com/x" || *d.RetryOptions.DurationInSeconds != 7 {
			t.Errorf("shown as %+v", d)
		}
		h.put(t, "one")
		h.pass(60 * time.Second)
		if got := e.requests[0].Header.Get("X-Amz-Firehose-Access-Key"); got != "hush" {
			t.Errorf("the access key is %q after an update without one", got)
		}
		if err := update(`"ExtendedS3DestinationUpdate": {"Prefix": "x/"}`); service.Code(err) != codeInvalid {
			t.Errorf("a bucket without its name: %v", err)
		}
		if err := update(`"ExtendedS3DestinationUpdate": {"RoleARN": "` + role + `", "BucketARN": "` + bucket + `"}`); err != nil {
			t.Fatal(err)
		}
		if d := shown(); d.HttpEndpointDestinationDescription != nil || d.ExtendedS3DestinationDescription == nil {
			t.Errorf("shown as %+v", d)
		}
		if err := update(`"HttpEndpointDestinationUpdate": {"RetryOptions": {"DurationInSeconds": 7}}`); service.Code(err) != codeInvalid {
			t.Errorf("an endpoint without its URL: %v", err)
		}
	})
}
