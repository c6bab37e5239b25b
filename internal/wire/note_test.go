package wire_test

import (
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/wire"
)

func TestNotesHideWhatIsSensitiveAndLeaveOutBodies(t *testing.T) {
	users := wire.New(iam.API, (&iam.Handlers{}).Bindings())
	objects := wire.New(s3.API, (&s3.Handlers{}).Bindings())
	bucket := "b"
	for _, tc := range []struct {
		op                *wire.Operation
		in, out           any
		request, response string
	}{
		{
			users.Operation("CreateAccessKey"), &iam.CreateAccessKeyInput{}, &iam.CreateAccessKeyOutput{AccessKey: &iam.AccessKey{UserName: "u", AccessKeyId: "AKIA", SecretAccessKey: "s3cret"}},
			`null`, `{"accessKey":{"userName":"u","accessKeyId":"AKIA","status":"","secretAccessKey":"HIDDEN_DUE_TO_SECURITY_REASONS"}}`,
		},
		{
			lambdaAPI().Operation("UpdateFunctionCode"), &lambda.UpdateFunctionCodeInput{FunctionName: "f", ZipFile: []byte("zip"), S3Bucket: &bucket}, nil,
			`{"functionName":"f","s3Bucket":"b"}`, `null`,
		},
		{
			lambdaAPI().Operation("TagResource"), &lambda.TagResourceInput{Resource: "r", Tags: map[string]string{"Upper": "v"}}, (*lambda.TagResourceOutput)(nil),
			`{"resource":"r","tags":{"Upper":"v"}}`, `null`,
		},
		{objects.Operation("PutObject"), &s3.PutObjectInput{Bucket: "b", Key: "k", Body: strings.NewReader("x")}, nil, `{"bucket":"b","key":"k"}`, `null`},
	} {
		request, response, err := tc.op.Note(tc.in, tc.out)
		if err != nil || string(request) != tc.request || string(response) != tc.response {
			t.Errorf("%s: %s, %s, %v\nwant %s, %s", tc.op.Name, request, response, err, tc.request, tc.response)
		}
	}
}
