package wire_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/wire"
)

func jsonRequest(target, body string) *wire.Request {
	return &wire.Request{
		Method: "POST", RawPath: "/", Body: strings.NewReader(body), ContentLength: int64(len(body)), ID: "id-1",
		Header: http.Header{"X-Amz-Target": {target}, "Content-Type": {"application/x-amz-json-1.0"}},
	}
}

func formRequest(form string) *wire.Request {
	return &wire.Request{
		Method: "POST", RawPath: "/", Body: strings.NewReader(form), ContentLength: int64(len(form)), ID: "id-1",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	}
}

func decode(t *testing.T, a *wire.API, req *wire.Request) (*wire.Operation, any, error) {
	t.Helper()
	op, err := a.Match(req)
	if err != nil {
		return nil, nil, err
	}
	in := op.Binding.New()
	if err := op.Decode(req, in); err != nil {
		return op, nil, err
	}
	return op, in, op.Validate(req, in)
}

func dynamoAPI() *wire.API {
	return wire.New(dynamodb.API, (&dynamodb.Handlers{}).Bindings())
}

func gatewayAPI() *wire.API {
	return wire.New(apigateway.API, (&apigateway.Handlers{}).Bindings())
}

func lambdaAPI() *wire.API {
	return wire.New(lambda.API, (&lambda.Handlers{}).Bindings())
}

func restRequest(method, path, body string) *wire.Request {
	return &wire.Request{Method: method, RawPath: path, Header: http.Header{"Content-Type": {"application/json"}}, Body: strings.NewReader(body), ContentLength: int64(len(body))}
}

func TestValidateSpeaksAsAWSDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		api  *wire.API
		req  *wire.Request
		want string
	}{
		"too short": {
			dynamoAPI(), jsonRequest("DynamoDB_20120810.DeleteTable", `{"TableName":""}`),
			"ValidationException: 1 validation error detected: Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1",
		},
		"missing": {
			dynamoAPI(), jsonRequest("DynamoDB_20120810.DeleteTable", `{}`),
			"ValidationException: 1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null",
		},
		"nested and several": {
			dynamoAPI(), jsonRequest("DynamoDB_20120810.CreateTable",
				`{"TableName":"abc","BillingMode":"FREE","KeySchema":[{"AttributeName":"a"}],"AttributeDefinitions":[]}`),
			"ValidationException: 2 validation errors detected: " +
				"Value null at 'keySchema.1.member.keyType' failed to satisfy constraint: Member must not be null; " +
				"Value 'FREE' at 'billingMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]",
		},
		"query": {
			wire.New(iam.API, (&iam.Handlers{}).Bindings()), formRequest("Action=CreateUser&Version=2010-05-08&UserName=a%20b"),
			`ValidationError: 1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+`,
		},
		"list of one service": {
			lambdaAPI(), restRequest("POST", "/2015-03-31/functions", `{"FunctionName":"f","Role":"arn:aws:iam::123456789012:role/r","Code":{},"Runtime":"new","Architectures":["X86"]}`),
			"ValidationException: 1 validation error detected: Value '[X86]' at 'architectures' failed to satisfy constraint: " +
				"Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
		},
		"map of one service": {
			lambdaAPI(), restRequest("POST", "/2015-03-31/functions/f/aliases", `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"2":2}}}`),
			"ValidationException: 1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: " +
				"Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]",
		},
		"keys of a map of one service": {
			lambdaAPI(), restRequest("POST", "/2015-03-31/functions/f/aliases", `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"$LATEST":0.5}}}`),
			"ValidationException: 1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: " +
				"[Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]",
		},
		"wrong type": {
			dynamoAPI(), jsonRequest("DynamoDB_20120810.DeleteTable", `{"TableName":7}`),
			"SerializationException: NUMBER_VALUE cannot be converted to String",
		},
		"wrong type of one service": {
			gatewayAPI(), restRequest("PUT", "/restapis/a/resources/r/methods/GET/integration/responses/200", `{"responseTemplates":{"application/json":123}}`),
			"SerializationException: class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String",
		},
		"wrong word of one service": {
			gatewayAPI(), restRequest("PUT", "/restapis/a/resources/r/methods/GET/integration", `{"type":"HTTP_PROXY","requestParameters":{"true":true}}`),
			"SerializationException: class java.lang.Boolean can not be converted to an String",
		},
		"broken body": {
			dynamoAPI(), jsonRequest("DynamoDB_20120810.DeleteTable", `{"TableName"`),
			"SerializationException: ':' is expected (at byte 12)",
		},
		"unknown operation": {
			dynamoAPI(), jsonRequest("DynamoDB_20120810.Fly", `{}`),
			"UnknownOperationException: The operation Fly is not known. Check the X-Amz-Target header or the path.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := decode(t, tc.api, tc.req)
			var got *service.Error
			if !errors.As(err, &got) || got.Code+": "+got.Message != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestMatchTellsS3OperationsApart(t *testing.T) {
	a := wire.New(s3.API, nil)
	for request, want := range map[string]string{
		"GET /":                            "ListBuckets",
		"PUT /b":                           "CreateBucket",
		"PUT /b/":                          "CreateBucket",
		"GET /b":                           "ListObjects",
		"GET /b/?list-type=2&prefix=x":     "ListObjectsV2",
		"GET /b?acl":                       "GetBucketAcl",
		"GET /b?location=":                 "GetBucketLocation",
		"GET /b/k":                         "GetObject",
		"GET /b/k?acl":                     "GetObjectAcl",
		"GET /b/a//b/../c":                 "GetObject",
		"GET /b/k?uploadId=7":              "ListParts",
		"PUT /b/k":                         "PutObject",
		"PUT /b/k x-amz-copy-source":       "CopyObject",
		"PUT /b/k?partNumber=1&uploadId=u": "UploadPart",
		"PUT /b/k?partNumber=1&uploadId=u x-amz-copy-source": "UploadPartCopy",
		"POST /b/k?uploads":      "CreateMultipartUpload",
		"POST /b/k?uploadId=u":   "CompleteMultipartUpload",
		"DELETE /b/k":            "DeleteObject",
		"DELETE /b/k?uploadId=u": "AbortMultipartUpload",
		"POST /b?delete":         "DeleteObjects",
		"HEAD /b/k":              "HeadObject",
		"GET /b?analytics&id=1":  "GetBucketAnalyticsConfiguration",
		"GET /b?analytics":       "ListBucketAnalyticsConfigurations",
	} {
		line, header, _ := strings.Cut(strings.Replace(request, " ", "\x00", 1), " ")
		method, target, _ := strings.Cut(line, "\x00")
		path, query, _ := strings.Cut(target, "?")
		req := &wire.Request{Method: method, RawPath: path, RawQuery: query, Header: http.Header{}}
		if header != "" {
			req.Header.Set(header, "/x/y")
		}
		op, err := a.Match(req)
		if err != nil || op.Name != want {
			t.Errorf("%s: got %v, %v, want %s", request, op, err, want)
		}
	}
}

func TestDecodeKeepsAwkwardKeys(t *testing.T) {
	a := wire.New(s3.API, (&s3.Handlers{}).Bindings())
	for raw, want := range map[string]string{
		"/b/a//b": "a//b", "/b/../x": "../x", "/b/a%2Fb%20c+d": "a/b c+d", "/b/dir/": "dir/", "/b//x": "/x", "/b/%E2%82%AC": "€",
	} {
		req := &wire.Request{Method: "GET", RawPath: raw, Header: http.Header{}}
		_, in, err := decode(t, a, req)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := in.(*s3.GetObjectInput).Key; got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}

func TestStreamingBodyIsPassedOn(t *testing.T) {
	a := wire.New(s3.API, (&s3.Handlers{}).Bindings())
	req := &wire.Request{
		Method: "PUT", RawPath: "/b/k", Body: strings.NewReader("hello"), ContentLength: 5,
		Header: http.Header{"X-Amz-Meta-Colour": {"red"}},
	}
	op, in, err := decode(t, a, req)
	if err != nil || !op.Streaming() {
		t.Fatal(err, op.Streaming())
	}
	put := in.(*s3.PutObjectInput)
	body, err := io.ReadAll(put.Body)
	if err != nil || string(body) != "hello" || put.Metadata["colour"] != "red" || *put.ContentLength != 5 {
		t.Errorf("got %+v, body %q, %v", put, body, err)
	}
}

func TestSQSAnswersQueryAndJSON(t *testing.T) {
	a := wire.New(sqs.API, (&sqs.Handlers{}).Bindings())
	for _, attributes := range []string{"MessageAttribute", "MessageAttributes"} { // AWS takes both names
		form := "Action=SendMessageBatch&Version=2012-11-05&QueueUrl=q" +
			"&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=x" +
			"&SendMessageBatchRequestEntry.1." + attributes + ".1.Name=n&SendMessageBatchRequestEntry.1." + attributes + ".1.Value.DataType=String"
		_, in, err := decode(t, a, formRequest(form))
		if err != nil {
			t.Fatal(err)
		}
		entries := in.(*sqs.SendMessageBatchInput).Entries
		if len(entries) != 1 || entries[0].Id != "a" || entries[0].MessageAttributes["n"].DataType != "String" {
			t.Errorf("query with %s: %+v", attributes, entries)
		}
	}
	_, in, err := decode(t, a, jsonRequest("AmazonSQS.SendMessageBatch", `{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"x"}]}`))
	if err != nil || len(in.(*sqs.SendMessageBatchInput).Entries) != 1 {
		t.Errorf("json: %+v, %v", in, err)
	}
	req := jsonRequest("AmazonSQS.ReceiveMessage", `{}`)
	req.Header.Set("X-Amzn-Query-Mode", "true")
	op, err := a.Match(req)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := op.WriteError(w, req, service.Errorf("QueueDoesNotExist", "The specified queue does not exist.")); err != nil {
		t.Fatal(err)
	}
	if got, want := w.Body.String(), `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	if got := w.Header().Get("X-Amzn-Query-Error"); got != "AWS.SimpleQueueService.NonExistentQueue;Sender" {
		t.Errorf("query error %q", got)
	}
}

func TestErrorsCarryTheirDetail(t *testing.T) {
	a := dynamoAPI()
	req := jsonRequest("DynamoDB_20120810.PutItem", `{}`)
	op, err := a.Match(req)
	if err != nil {
		t.Fatal(err)
	}
	item := &dynamodb.ConditionalCheckFailedException{}
	if _, err := item.Item.DecodeJSON([]byte(`{"pk":{"S":"x"}}`)); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := op.WriteError(w, req, service.Errorf("ConditionalCheckFailedException", "The conditional request failed").WithDetail(item)); err != nil {
		t.Fatal(err)
	}
	want := `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Item":{"pk":{"S":"x"}},"message":"The conditional request failed"}`
	if got := w.Body.String(); w.Code != 400 || got != want {
		t.Errorf("%d %s\nwant %s", w.Code, got, want)
	}
	if w.Header().Get("X-Amz-Crc32") == "" || w.Header().Get("Content-Length") == "" {
		t.Errorf("headers %v", w.Header())
	}
}

func TestUnknownErrorsStayInside(t *testing.T) {
	w := httptest.NewRecorder()
	req := jsonRequest("DynamoDB_20120810.PutItem", `{}`)
	if err := dynamoAPI().WriteError(w, req, errors.New("disk sdb is on fire")); err != nil {
		t.Fatal(err)
	}
	if w.Code != 500 || strings.Contains(w.Body.String(), "sdb") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestNotImplementedNamesTheOperationInEveryProtocol(t *testing.T) {
	for name, tc := range map[string]struct {
		api *wire.API
		req *wire.Request
		op  string
	}{
		"json":  {wire.New(dynamodb.API, nil), jsonRequest("DynamoDB_20120810.ListTables", "{}"), "ListTables"},
		"query": {wire.New(sts.API, nil), formRequest("Action=GetCallerIdentity&Version=2011-06-15"), "GetCallerIdentity"},
		"rest":  {wire.New(lambda.API, nil), &wire.Request{Method: "GET", RawPath: "/2015-03-31/functions/", Header: http.Header{}}, "ListFunctions"},
		"s3":    {wire.New(s3.API, nil), &wire.Request{Method: "GET", RawPath: "/", Header: http.Header{}}, "ListBuckets"},
		"cbor": {wire.New(cloudwatch.API, nil), &wire.Request{
			Method: "POST", RawPath: "/service/GraniteServiceVersion20100801/operation/ListMetrics", Header: http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}},
		}, "ListMetrics"},
	} {
		t.Run(name, func(t *testing.T) {
			op, err := tc.api.Match(tc.req)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			if err := op.WriteError(w, tc.req, op.NotImplemented()); err != nil {
				t.Fatal(err)
			}
			if body := w.Body.String(); w.Code != http.StatusNotImplemented || !strings.Contains(body, tc.op) || !strings.Contains(body+w.Header().Get("X-Amzn-Errortype"), "NotImplemented") {
				t.Errorf("%d %s", w.Code, body)
			}
		})
	}
}

func TestGzipBodyIsDecompressedWhereTheModelSaysSo(t *testing.T) {
	var body bytes.Buffer
	zw := gzip.NewWriter(&body)
	io.WriteString(zw, "Action=PutMetricData&Version=2010-08-01&Namespace=n")
	zw.Close()
	req := formRequest(body.String())
	req.Header.Set("Content-Encoding", "gzip")
	a := wire.New(cloudwatch.API, (&cloudwatch.Handlers{}).Bindings())
	if _, in, err := decode(t, a, req); err != nil || in.(*cloudwatch.PutMetricDataInput).Namespace != "n" {
		t.Errorf("%+v %v", in, err)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	req := jsonRequest("DynamoDB_20120810.PutItem", `{"TableName":"aaaaaaaaaaaaaaaaaaaaaa"}`)
	req.MaxBody = 8
	if _, _, err := decode(t, dynamoAPI(), req); service.Code(err) != "RequestEntityTooLargeException" {
		t.Errorf("announced: %v", err)
	}
	req = jsonRequest("DynamoDB_20120810.PutItem", `{"TableName":"aaaaaaaaaaaaaaaaaaaaaa"}`)
	req.MaxBody, req.ContentLength = 8, -1
	if _, _, err := decode(t, dynamoAPI(), req); service.Code(err) != "RequestEntityTooLargeException" {
		t.Errorf("unannounced: %v", err)
	}
	deep := `{"TableName":"t","Unknown":` + strings.Repeat("[", 100_000)
	if _, _, err := decode(t, dynamoAPI(), jsonRequest("DynamoDB_20120810.PutItem", deep)); service.Code(err) != "SerializationException" {
		t.Errorf("deep: %v", err)
	}
}

func TestIdentifyFindsTheAPI(t *testing.T) {
	set := wire.NewServices(dynamoAPI(), wire.New(sts.API, nil), wire.New(s3.API, nil), wire.New(cloudwatch.API, nil))
	for name, tc := range map[string]struct {
		signing string
		req     *wire.Request
		want    string
	}{
		"target":   {"", jsonRequest("DynamoDB_20120810.PutItem", ""), "dynamodb"},
		"signed":   {"s3", &wire.Request{Method: "GET", RawPath: "/b", Header: http.Header{}}, "s3"},
		"unsigned": {"", formRequest("Action=AssumeRoleWithWebIdentity&Version=2011-06-15"), "sts"},
		"smithy": {"", &wire.Request{
			Method: "POST", RawPath: "/service/GraniteServiceVersion20100801/operation/ListMetrics", Header: http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}},
		}, "cloudwatch"},
	} {
		a, err := set.Identify(tc.signing, tc.req)
		if err != nil || a.Name != tc.want {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
	if _, err := set.Identify("sagemaker", &wire.Request{Header: http.Header{}}); service.Code(err) != "UnknownServiceException" {
		t.Errorf("unknown service: %v", err)
	}
}

func TestEventStreamSendsFramedEvents(t *testing.T) {
	a := wire.New(lambda.API, (&lambda.Handlers{}).Bindings())
	req := &wire.Request{Method: "POST", RawPath: "/2021-11-15/functions/f/response-streaming-invocations", Header: http.Header{}}
	op, err := a.Match(req)
	if err != nil {
		t.Fatal(err)
	}
	out := &lambda.InvokeWithResponseStreamOutput{
		EventStream: func(_ context.Context, send func(*lambda.InvokeWithResponseStreamResponseEvent) error) error {
			if err := send(&lambda.InvokeWithResponseStreamResponseEvent{PayloadChunk: &lambda.InvokeResponseStreamUpdate{Payload: []byte("chunk")}}); err != nil {
				return err
			}
			return send(&lambda.InvokeWithResponseStreamResponseEvent{InvokeComplete: &lambda.InvokeWithResponseStreamCompleteEvent{}})
		},
	}
	w := httptest.NewRecorder()
	if err := op.WriteResponse(t.Context(), w, req, out); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/vnd.amazon.eventstream" {
		t.Errorf("content type %q", got)
	}
	for _, part := range []string{"PayloadChunk", "chunk", "InvokeComplete"} {
		if !bytes.Contains(w.Body.Bytes(), []byte(part)) {
			t.Errorf("no %q in %q", part, w.Body.Bytes())
		}
	}
}

func TestS3AnswersHaveTheirRoots(t *testing.T) {
	a := wire.New(s3.API, (&s3.Handlers{}).Bindings())
	region := "eu-west-1"
	for name, tc := range map[string]struct {
		op   string
		out  any
		want string
	}{
		"list":     {"ListObjectsV2", &s3.ListObjectsV2Output{Contents: []s3.Object{{Key: &region}}}, `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Contents><Key>eu-west-1</Key></Contents></ListBucketResult>`},
		"location": {"GetBucketLocation", &s3.GetBucketLocationOutput{LocationConstraint: region}, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>`},
		"empty":    {"GetBucketVersioning", &s3.GetBucketVersioningOutput{}, `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></VersioningConfiguration>`},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			req := &wire.Request{Method: "GET", RawPath: "/b", Protocol: awsapi.RESTXML, Header: http.Header{}}
			if err := a.Operation(tc.op).WriteResponse(t.Context(), w, req, tc.out); err != nil {
				t.Fatal(err)
			}
			if got := strings.SplitN(w.Body.String(), "\n", 2)[1]; got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestKeysOfHeaderMapsKeepTheirCase(t *testing.T) {
	op, err := wire.New(s3.API, (&s3.Handlers{}).Bindings()).Match(restRequest("HEAD", "/bucket/key", ""))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	out := &s3.HeadObjectOutput{Metadata: map[string]string{"another-key": "value"}}
	if err := op.WriteResponse(t.Context(), w, restRequest("HEAD", "/bucket/key", ""), out); err != nil {
		t.Fatal(err)
	}
	const name = "x-amz-meta-another-key" // as it is sent
	if got := map[string][]string(w.Header())[name]; len(got) != 1 || got[0] != "value" {
		t.Errorf("the head is %v: clients make the key of the metadata of the name as it is sent", w.Header())
	}
}

func TestMistakesOutsideOfTheBodyAreInvalidArguments(t *testing.T) {
	a := wire.New(s3.API, (&s3.Handlers{}).Bindings())
	for query, want := range map[string]string{"max-keys=many": "InvalidArgument", "max-keys=7": ""} {
		req := restRequest("GET", "/bucket", "")
		req.RawQuery = query
		op, err := a.Match(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := service.Code(op.Decode(req, op.Binding.New())); got != want {
			t.Errorf("%s: code is %q, want %q", query, got, want)
		}
	}
}
