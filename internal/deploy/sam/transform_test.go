package sam

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/deploy/template"
)

func TestUnsupportedInputIsRefusedByName(t *testing.T) {
	const function = "Type: AWS::Serverless::Function, Properties: {Runtime: provided.al2023, Handler: bootstrap, CodeUri: s3://b/k"
	for _, c := range []struct{ text, want string }{
		{"Resources: {A: {Type: AWS::Serverless::Api}}", "does not support the resource type AWS::Serverless::Api (resource A)"},
		{"Resources: {F: {" + function + ", DeploymentPreference: {}}}}", "[F] is invalid. Lambent does not support the property DeploymentPreference"},
		{"Resources: {F: {" + function + ", Events: {E: {Type: Api, Properties: {Path: /, Method: get}}}}}}", "Event with id [E] is invalid. Lambent does not support the event type Api"},
		{"Resources: {F: {" + function + ", Events: {E: {Type: HttpApi, Properties: {Auth: {Authorizer: x}}}}}}}", "Lambent does not support the property Auth"},
		{"Globals: {Function: {Policies: []}}\nResources: {F: {" + function + "}}}", "'Policies' is not a supported property of 'Function'"},
		{"Resources: {F: {" + function + ", Policies: [{NoSuchPolicy: {}}]}}}", "policy template \"NoSuchPolicy\" does not exist"},
		{"Resources: {F: {" + function + ", Policies: [{S3ReadPolicy: {}}]}}}", "parameters of policy template 'S3ReadPolicy' don't have values: ['BucketName']"},
		{"Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: ./local}}}", "'CodeUri' is not a valid S3 Uri"},
		{"Resources: {F: {" + function + ", Events: {E: {Type: S3, Properties: {Bucket: other, Events: x}}}}}}", "S3 events must reference an S3 bucket in the same template"},
		{"Resources: {A: {Type: AWS::Serverless::HttpApi, Properties: {CorsConfiguration: {Nope: 1}}}}", "Invalid key 'Nope' for 'Cors' property"},
		{"Resources: {A: {Type: AWS::Serverless::HttpApi, Properties: [1]}}", "Properties should be a map"},
		{"Resources: {F: {" + function + ", EventInvokeConfig: {DestinationConfig: {OnSuccess: {Type: Lambda}}}}}}", "Destination is required if Type is not ['SQS', 'SNS']"},
		{"Resources: {F: {" + function + ", EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: blah}}}}}}", "'Type: blah' must be one of ['SQS', 'SNS', 'EventBridge', 'Lambda', 'S3Bucket']"},
		{"Resources: {F: {" + function + ", Events: {E: {Type: SQS, Properties: {Queue: a, DestinationConfig: {OnFailure: {Type: Lambda}}}}}}}}", "The only valid values for 'Type' are"},
	} {
		d, err := template.Parse([]byte(c.text))
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		if _, err = Transform(d, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestImageFunctionNeedsNoHandler(t *testing.T) {
	d, err := template.Parse([]byte("{Transform: AWS::Serverless-2016-10-31, Resources: {F: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: 'repo:tag', ImageConfig: {Command: [a]}}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Transform(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := out.Root["Resources"].(map[string]any)["F"].(map[string]any)["Properties"].(map[string]any)
	if code := f["Code"].(map[string]any); code["ImageUri"] != "repo:tag" || f["PackageType"] != "Image" || f["Handler"] != nil || f["ImageConfig"] == nil {
		t.Errorf("properties %v", f)
	}
	d, err = template.Parse([]byte("{Transform: AWS::Serverless-2016-10-31, Resources: {F: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Transform(d, nil); err == nil || !strings.Contains(err.Error(), "Missing required property 'ImageUri'") {
		t.Errorf("without an image: %v", err)
	}
}

func TestDestinationWithoutAPlaceMakesAQueue(t *testing.T) {
	d, err := template.Parse([]byte("Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: provided.al2023, Handler: bootstrap, CodeUri: s3://b/k, " +
		"EventInvokeConfig: {MaximumRetryAttempts: 0, DestinationConfig: {OnSuccess: {Type: SQS}, OnFailure: {Type: SNS}}}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Transform(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	made := out.Root["Resources"].(map[string]any)
	for id, typ := range map[string]string{
		"FEventInvokeConfig": "AWS::Lambda::EventInvokeConfig", "FEventInvokeConfigOnSuccessQueue": "AWS::SQS::Queue", "FEventInvokeConfigOnFailureTopic": "AWS::SNS::Topic",
	} {
		if r, _ := made[id].(map[string]any); r["Type"] != typ {
			t.Errorf("%s is %v, want %s", id, made[id], typ)
		}
	}
	text, err := canonical(made["FEventInvokeConfig"])
	want := `{"Properties":{"DestinationConfig":{"OnFailure":{"Destination":{"Ref":"FEventInvokeConfigOnFailureTopic"}},"OnSuccess":{"Destination":{"Fn::GetAtt":["FEventInvokeConfigOnSuccessQueue","Arn"]}}},` +
		`"FunctionName":{"Ref":"F"},"MaximumRetryAttempts":0,"Qualifier":"$LATEST"},"Type":"AWS::Lambda::EventInvokeConfig"}`
	if err != nil || text != want {
		t.Errorf("got %s, %v\nwant %s", text, err, want)
	}
}

func TestCanonicalIsPythonsJSON(t *testing.T) {
	// The right side is what json.dumps(v, separators=(",", ":"), sort_keys=True) prints.
	for want, v := range map[string]any{
		`{"a":1,"b":[1.0,true,null]}`:                   map[string]any{"b": []any{1.0, true, nil}, "a": int64(1)},
		`"<\u00e9\ud83d\ude00&>\"\\\n\u0001` + "\x7f\"": "<é😀&>\"\\\n\x01\x7f",
		`1e-05`: 0.00001, `1e+16`: 1e16, `123456789.5`: 123456789.5,
	} {
		if got, err := canonical(v); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if id, err := logicalID("FunctionVersion", map[string]any{"S3Bucket": "sam-demo-bucket", "S3Key": "hello.zip"}); err != nil || id != "FunctionVersion640128d35d" {
		t.Errorf("id is %s, %v", id, err)
	}
}

func TestTheInputIsNotChanged(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "translator", "s3_multiple_functions.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	before, err := canonical(d.Root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Transform(d, nil); err != nil {
		t.Fatal(err)
	}
	if after, err := canonical(d.Root); err != nil || after != before {
		t.Errorf("the template became %s, %v", after, err)
	}
}

func FuzzTransform(f *testing.F) {
	for _, name := range []string{"s3", "implicit_http_api", "http_api_explicit_stage", "simpletable", "function_with_dlq"} {
		text, err := os.ReadFile(filepath.Join("testdata", "translator", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := template.Parse([]byte(text))
		if err != nil {
			return
		}
		_, _ = Transform(d, nil)
	})
}
