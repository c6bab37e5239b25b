package cli

import (
	"bufio"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/cli/term"
)

func TestExplainSaysWhatATemplateMaySay(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
	}{
		{"AWS::SQS::Queue", []string{"this Lambent has it", "Fn::GetAtt: Arn", "DelaySeconds", "integer, 0 to 900", "a change replaces the resource"}},
		{"AWS::SQS::Queue.MaximumMessageSize", []string{"integer, 1024 to 1048576"}},
		{"AWS::DynamoDB::Table.GlobalSecondaryIndexes.Projection", []string{"Projection", "required", "ProjectionType"}},
		{"AWS::RDS::DBInstance", []string{"AWS has it, and this Lambent does not"}},
		{"Custom::Thing", []string{"this Lambent has it", "ServiceToken"}},
		{"update_rollback_failed", []string{"UPDATE_ROLLBACK_FAILED: ", "continue-update-rollback"}},
	} {
		code, out, talk := run(t, nil, "explain", c.name)
		for _, want := range c.want {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("explain %s: %d, lacks %q:\n%s%s", c.name, code, want, out, talk)
			}
		}
	}
	for name, want := range map[string]string{
		"AWS::SNS::Queue": "perhaps AWS::SQS::Queue", "AWS::SQS::Queue.Colour": "lambent explain AWS::SQS::Queue lists what there is", "Nope": "no error or status",
	} {
		if code, _, talk := run(t, nil, "explain", name); code != ExitFailed || !strings.Contains(talk, want) {
			t.Errorf("explain %s: %d, %s", name, code, talk)
		}
	}
}

func TestEveryErrorTextIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for line := range strings.Lines(errorTexts) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(strings.TrimSpace(line), " | ")
		if len(parts) != 3 || parts[1] == "" || parts[2] == "" || seen[parts[0]] {
			t.Errorf("%q is not CODE | why | what to do, or is there twice", line)
		}
		seen[parts[0]] = true
	}
}

func TestExportNamesWhatDiffersOnAWS(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "template.yaml"), `Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {Runtime: nodejs14.x, Handler: a.b, CodeUri: src, Environment: {Variables: {URL: "http://127.0.0.1:4566"}}}
  Db: {Type: AWS::RDS::DBInstance}
  What: {Type: My::Own::Type}
`)
	code, out, talk := run(t, nil, "export", dir)
	for _, want := range []string{
		"line 5: F.Runtime: AWS no longer creates functions with the runtime nodejs14.x", "127.0.0.1 is an address or account of this machine",
		"line 6: Db: AWS has the type AWS::RDS::DBInstance, and this Lambent does not", "line 7: What: neither AWS nor this Lambent has the type My::Own::Type",
	} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("export: %d, lacks %q:\n%s%s", code, want, out, talk)
		}
	}
}

func TestInitBeginsProjectsThatDeployUnchanged(t *testing.T) {
	for _, kind := range kinds {
		for name := range languages {
			dir := filepath.Join(t.TempDir(), kind+"-"+name)
			if code, _, talk := run(t, nil, "init", dir, "--language", name, "--kind", kind, "--no-input"); code != 0 {
				t.Fatalf("init: %d, %s", code, talk)
			}
			if code, out, talk := run(t, nil, "export", dir); code != 0 || out != "" {
				t.Errorf("export of %s in %s: %d, %s%s", kind, name, code, out, talk)
			}
			if code, _, _ := run(t, nil, "init", dir, "--language", name, "--kind", kind, "--no-input"); code != ExitFailed {
				t.Errorf("init again over %s: %d", dir, code)
			}
		}
	}
}

func TestInitAsksThreeQuestions(t *testing.T) {
	var talk strings.Builder
	a := &app{Process: Process{Stdin: strings.NewReader("here\nnode\n\n"), Term: &term.Terminal{Out: &talk, Err: &talk}}}
	var p beginning
	if err := a.ask(&p, false); err != nil || p != (beginning{"here", "node", "api"}) {
		t.Errorf("the project is %+v, %v", p, err)
	}
	lines := bufio.NewScanner(strings.NewReader(talk.String()))
	n := 0
	for lines.Scan() {
		n++
	}
	if n != 3 {
		t.Errorf("asked %d questions:\n%s", n, talk.String())
	}
	p = beginning{kind: "nothing"}
	if err := a.ask(&p, true); err == nil || !strings.Contains(err.Error(), "none of api, queue, schedule") {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestStagesAreStacksWithParametersOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "parameters.qa.yaml"), "Size: 3\nName: qa\nLoud: true\n")
	write(t, filepath.Join(dir, "parameters.prod.json"), `[{"ParameterKey": "Size", "ParameterValue": "30"}]`)
	write(t, filepath.Join(dir, "parameters.bad.yaml"), "Size: [1]\n")
	d := deployment{stack: "app", stage: "qa"}
	if err := d.fill([]string{dir}, []string{"Name=mine"}); err != nil || d.stack != "app-qa" || d.parameters["Size"] != "3" || d.parameters["Name"] != "mine" || d.parameters["Loud"] != "true" {
		t.Errorf("qa is %+v, %v", d, err)
	}
	d = deployment{stack: "app", stage: "prod"}
	if err := d.fill([]string{dir}, nil); err != nil || d.parameters["Size"] != "30" {
		t.Errorf("prod is %+v, %v", d, err)
	}
	for stage, want := range map[string]string{"none": "write parameters.none.yaml", "bad": "the value of Size is not a text", "a/b": "other characters"} {
		d = deployment{stack: "app", stage: stage}
		if err := d.fill([]string{dir}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the stage %s: %v, want %s", stage, err, want)
		}
	}
}

func TestURLsOfAWSHaveOnesThatLeadHere(t *testing.T) {
	for value, want := range map[string]string{
		"https://abc123.execute-api.us-east-1.amazonaws.com":        "http://127.0.0.1:4566/_aws/execute-api/abc123",
		"https://abc123.execute-api.us-east-1.amazonaws.com/prod/x": "http://127.0.0.1:4566/_aws/execute-api/abc123/prod/x",
		"wss://abc123.execute-api.us-east-1.amazonaws.com/prod":     "ws://127.0.0.1:4566/_aws/execute-api/abc123/prod",
		"https://abc123.lambda-url.us-east-1.on.aws/":               "http://127.0.0.1:4566/_aws/lambda-url/abc123/",
		"https://example.com/":                                      "", "text": "",
	} {
		if got := localURL("http://127.0.0.1:4566", value); got != want {
			t.Errorf("%s leads to %q, want %q", value, got, want)
		}
	}
}
