package wire

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/s3"
)

// fuzzDecode decodes a body as an operation's input: whatever comes, it must
// end without a panic, and what was decoded must validate without one.
func fuzzDecode(a *API, operation string, protocol awsapi.Protocol, body []byte) {
	op := a.Operation(operation)
	req := &Request{
		Method: "POST", RawPath: "/", Header: http.Header{}, Protocol: protocol,
		Body: bytes.NewReader(body), ContentLength: int64(len(body)),
	}
	in := op.Binding.New()
	if op.Decode(req, in) == nil {
		_ = op.Validate(req, in)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	a := New(dynamodb.API, (&dynamodb.Handlers{}).Bindings())
	f.Add([]byte(`{"TableName":"t","KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"Tags":[{"Key":"k","Value":"\u00e9\ud83d\ude00"}]}`))
	f.Add([]byte(`{"ProvisionedThroughput":{"ReadCapacityUnits":1.5e3,"WriteCapacityUnits":null},"x":[{}]}`))
	f.Fuzz(func(_ *testing.T, body []byte) { fuzzDecode(a, "CreateTable", awsapi.JSON, body) })
}

func FuzzDecodeCBOR(f *testing.F) {
	a := New(cloudwatch.API, (&cloudwatch.Handlers{}).Bindings())
	f.Add([]byte("\xbf\x69Namespace\x61n\x6aMetricData\x81\xa2\x6aMetricName\x61m\x65Value\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00\xff"))
	f.Add([]byte("\xa1\x6aMetricData\x9f\xa1\x69Timestamp\xc1\x1a\x5f\x00\x00\x00\xff"))
	f.Fuzz(func(_ *testing.T, body []byte) { fuzzDecode(a, "PutMetricData", awsapi.CBOR, body) })
}

func FuzzDecodeOldCBOR(f *testing.F) {
	a := New(kinesis.API, (&kinesis.Handlers{}).Bindings())
	f.Add([]byte("\xbf\x6aStreamName\x61s\x67ShardId\x61x\x71ShardIteratorType\x6cAT_TIMESTAMP\x69Timestamp\xc1\x1b\x00\x00\x01\x93\x63\xb3\xf4\x00\xff"))
	f.Fuzz(func(_ *testing.T, body []byte) { fuzzDecode(a, "GetShardIterator", awsapi.OldCBOR, body) })
}

func FuzzDecodeQuery(f *testing.F) {
	a := New(cloudwatch.API, (&cloudwatch.Handlers{}).Bindings())
	f.Add([]byte("Action=PutMetricData&Namespace=n&MetricData.member.1.MetricName=m&MetricData.member.1.Value=1"))
	f.Add([]byte("MetricData.member.2.Dimensions.member.1.Name=%41+b&&=&.&a..b=1"))
	f.Fuzz(func(_ *testing.T, body []byte) { fuzzDecode(a, "PutMetricData", awsapi.Query, body) })
}

func FuzzDecodeEC2(f *testing.F) {
	a := New(ec2.API, (&ec2.Handlers{}).Bindings())
	f.Add([]byte("Action=AuthorizeSecurityGroupIngress&GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"))
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzDecode(a, "AuthorizeSecurityGroupIngress", awsapi.EC2, body)
	})
}

func FuzzDecodeXML(f *testing.F) {
	a := New(s3.API, (&s3.Handlers{}).Bindings())
	f.Add([]byte(`<AccessControlPolicy xmlns="x"><AccessControlList><Grant><Grantee xmlns:xsi="y" xsi:type="Group"><URI>u</URI></Grantee></Grant></AccessControlList></AccessControlPolicy>`))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`))
	f.Fuzz(func(_ *testing.T, body []byte) { fuzzDecode(a, "PutBucketAcl", awsapi.RESTXML, body) })
}

func FuzzMatchPath(f *testing.F) {
	apis := []*API{
		New(s3.API, (&s3.Handlers{}).Bindings()),
		New(lambda.API, (&lambda.Handlers{}).Bindings()),
	}
	f.Add("PUT", "/bucket/a%2Fb//..", "partNumber=1&uploadId=%41")
	f.Add("GET", "/2015-03-31/functions/arn%3Aaws/versions/", "Marker=x;y")
	f.Fuzz(func(t *testing.T, method, path, query string) {
		for _, a := range apis {
			req := &Request{Method: method, RawPath: path, RawQuery: query, Header: http.Header{}}
			op, err := a.Match(req)
			if err != nil {
				_ = a.WriteError(httptest.NewRecorder(), req, err)
				continue
			}
			in := op.Binding.New()
			if op.Decode(req, in) == nil {
				_ = op.Validate(req, in)
			}
		}
	})
}

// FuzzJSONRoundTrip holds that what is decoded and encoded decodes to the same.
func FuzzJSONRoundTrip(f *testing.F) {
	a := New(dynamodb.API, (&dynamodb.Handlers{}).Bindings())
	p, err := a.Operation("CreateTable").compile()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"TableName":"t","BillingMode":"\ud800x","Tags":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		first, second := &dynamodb.CreateTableInput{}, &dynamodb.CreateTableInput{}
		if decodeJSON(body, p.input.field, reflect.ValueOf(first).Elem(), &trail{}) != nil {
			return
		}
		text, err := appendJSON(nil, p.input.field, reflect.ValueOf(first).Elem(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeJSON(text, p.input.field, reflect.ValueOf(second).Elem(), &trail{}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := appendJSON(nil, p.input.field, reflect.ValueOf(second).Elem(), 0)
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("%s became %s, %v", text, again, err)
		}
	})
}
