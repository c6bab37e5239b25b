package sam

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/deploy/template"
)

// refused returns the message of the error about a template.
func refused(t *testing.T, text string) string {
	t.Helper()
	d, err := template.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	_, err = Transform(d, Options{Region: "us-east-1"})
	var e *template.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: got %v", text, err)
	}
	return e.Message
}

func TestBadTemplatesAreRefusedInAWSsWords(t *testing.T) {
	const function = "Type: AWS::Serverless::Function, Properties: {Runtime: provided.al2023, Handler: bootstrap, CodeUri: s3://b/k"
	for _, c := range []struct{ text, want string }{
		{"Resources: {A: {Type: AWS::Serverless::Api}}", "[A] is invalid. Missing required property 'StageName'."},
		{"Resources: {F: {" + function + ", Nope: 1}}}", "[F] is invalid. property Nope not defined for resource of type AWS::Serverless::Function"},
		{"Resources: {F: {" + function + ", Events: {E: {Type: Nope}}}}}", "[F] is invalid. Event with id [E] is invalid. Resource dict has missing or invalid value for key Type. Event Type is: Nope."},
		{"Resources: {F: {" + function + ", Events: {E: {Type: SQS, Properties: {Queue: q, Nope: 1}}}}}}", "[FE] is invalid. property Nope not defined for resource of type SQS"},
		{"Globals: {Function: {Policies: []}}\nResources: {F: {" + function + "}}}", "'Policies' is not a supported property of 'Function'"},
		{"Resources: {F: {" + function + ", Policies: [{NoSuchPolicy: {}}]}}}", "Policy at index 0 in the 'Policies' property is not valid"},
		{"Resources: {F: {" + function + ", Policies: [{S3ReadPolicy: {}}]}}}", "Following required parameters of template 'S3ReadPolicy' don't have values: ['BucketName']"},
		{"Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: a, Handler: b, CodeUri: ./local}}}", "'CodeUri' is not a valid S3 Uri"},
		{"Resources: {F: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}}", "'ImageUri' must be set."},
		{"Resources: {F: {" + function + ", Events: {E: {Type: S3, Properties: {Bucket: other, Events: x}}}}}}", "S3 events must reference an S3 bucket in the same template"},
		{"Resources: {A: {Type: AWS::Serverless::HttpApi, Properties: {CorsConfiguration: {Nope: 1}}}}", "Invalid key 'Nope' for 'Cors' property"},
		{"Resources: {A: {Type: AWS::Serverless::HttpApi, Properties: [1]}}", "Attribute 'Properties' should be a map."},
		{"Resources: {A: {Type: AWS::Serverless::Application, Properties: {Location: {ApplicationId: a, SemanticVersion: 1.0.0}}}}", "Serverless Application Repository is not available in this region."},
		{"Resources: {F: {" + function + ", EventInvokeConfig: {DestinationConfig: {OnSuccess: {Type: Lambda}}}}}}", "Destination is required if Type is not ['SQS', 'SNS']"},
	} {
		got := refused(t, c.text)
		if !strings.HasPrefix(got, "Invalid Serverless Application Specification document. Number of errors found: 1. ") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.text, got, c.want)
		}
	}
}

func TestAllFaultsAreFound(t *testing.T) {
	got := refused(t, "Resources: {B: {Type: AWS::Serverless::Function, Properties: {}}, A: {Type: AWS::Serverless::SimpleTable, Properties: {PrimaryKey: {Name: id, Type: Date}}}}")
	want := `Number of errors found: 2. Resource with id [A] is invalid. Invalid 'Type' "Date". Resource with id [B] is invalid. Only one of 'InlineCode' or 'CodeUri' can be set.`
	if !strings.HasSuffix(got, want) {
		t.Errorf("got %s", got)
	}
}

func TestParametersThatReferToThemselves(t *testing.T) {
	d, err := template.Parse([]byte("Parameters: {P: {Type: String, Default: {a: !Ref P}}}\nResources: {A: {Type: AWS::Serverless::Api, Properties: {StageName: s, Auth: {DefaultAuthorizer: !Ref P}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	// The default is no value of a parameter; what matters is that the transform ends.
	if _, err := Transform(d, Options{}); err != nil {
		t.Error(err)
	}
}

func TestPythonsText(t *testing.T) {
	// The right side is what json.dumps(v, separators=(",", ":"), sort_keys=True) prints.
	for want, v := range map[string]any{
		`{"a":1,"b":[1.0,true,null]}`:                   &dict{values: map[string]any{"b": []any{1.0, true, nil}, "a": int64(1)}, keys: []name{{"b", false}, {"a", false}}},
		`"<\u00e9\ud83d\ude00&>\"\\\n\u0001` + "\x7f\"": "<é😀&>\"\\\n\x01\x7f",
		`1e-05`: 0.00001, `1e+16`: 1e16, `123456789.5`: 123456789.5,
	} {
		if got := compactJSON.format(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	// And this what repr prints, in Python 2 and in Python 3.
	for want, v := range map[string]any{
		`[u'it\\s', u"it's", 'é', u'\xe9\u4e2d\U0001f600']`: []any{unicode(`it\s`), unicode("it's"), "é", unicode("é中😀")},
		`{u'a': True, 'b': None}`:                           newDict().with(unicode("a"), true, "b", []any{}),
	} {
		if d, ok := v.(*dict); ok {
			d.values["b"] = nil
		}
		if got := python2(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if id := logicalID("FunctionVersion", dictOf("S3Bucket", "sam-demo-bucket", "S3Key", "hello.zip")); id != "FunctionVersion640128d35d" {
		t.Errorf("id is %s", id)
	}
}

// TestOrderOfPython2 has the orders of keys that Python 2.7 prints for mappings written in the order of the left side.
func TestOrderOfPython2(t *testing.T) {
	for _, c := range []struct{ written, order string }{
		{"swagger info paths", "info paths swagger"},
		{"a b c d e f g h", "a c b e d g f h"},
		{"get put post delete options head patch any", "head get any patch put post options delete"},
	} {
		d := newHashed()
		for _, k := range strings.Fields(c.written) {
			d.set(k, true)
		}
		var got []string
		for k := range d.all() {
			got = append(got, k)
		}
		if !slices.Equal(got, strings.Fields(c.order)) {
			t.Errorf("%s: got %v", c.written, got)
		}
	}
}

func TestTheInputIsNotChanged(t *testing.T) {
	d := parsed(t, filepath.Join("testdata", "translator", "s3_multiple_functions.yaml"))
	before := asJSON(d.Root)
	if _, err := Transform(d, Options{}); err != nil {
		t.Fatal(err)
	}
	if after := asJSON(d.Root); after != before {
		t.Errorf("the template became %s", after)
	}
}

func FuzzTransform(f *testing.F) {
	for _, name := range []string{
		"s3", "implicit_http_api", "http_api_explicit_stage", "simpletable", "function_with_dlq", "api_with_auth_all_maximum", "connector_function_to_table", "graphqlapi_lambda_and_ddb_datasource", "state_machine_with_api_auth_default_scopes",
		"websocket_api_with_lambda_auth", "function_with_deployment_preference",
	} {
		f.Add(asJSON(parsed(f, filepath.Join("testdata", "translator", name+".yaml")).Root))
	}
	f.Fuzz(func(_ *testing.T, text string) {
		d, err := template.Parse([]byte(text))
		if err != nil {
			return
		}
		_, _ = Transform(d, Options{Region: "us-east-1"})
	})
}
