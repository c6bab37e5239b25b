package wire

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/awsapi/acm"
	"lambent.dev/lambent/internal/awsapi/acmpca"
	"lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/awsapi/apigatewaymanagementapi"
	"lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/awsapi/applicationautoscaling"
	"lambent.dev/lambent/internal/awsapi/apprunner"
	"lambent.dev/lambent/internal/awsapi/appsync"
	"lambent.dev/lambent/internal/awsapi/cloudcontrol"
	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/awsapi/cloudfront"
	"lambent.dev/lambent/internal/awsapi/cloudfrontkeyvaluestore"
	"lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/awsapi/cognitoidentity"
	"lambent.dev/lambent/internal/awsapi/cognitoidp"
	"lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/awsapi/dynamodbstreams"
	"lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/awsapi/ecr"
	"lambent.dev/lambent/internal/awsapi/ecs"
	"lambent.dev/lambent/internal/awsapi/efs"
	"lambent.dev/lambent/internal/awsapi/elasticbeanstalk"
	"lambent.dev/lambent/internal/awsapi/elbv2"
	"lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/awsapi/rds"
	"lambent.dev/lambent/internal/awsapi/rdsdata"
	"lambent.dev/lambent/internal/awsapi/resourcegroupstaggingapi"
	"lambent.dev/lambent/internal/awsapi/route53"
	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/awsapi/servicediscovery"
	"lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/awsapi/stepfunctions"
	"lambent.dev/lambent/internal/awsapi/sts"
	"lambent.dev/lambent/internal/awsapi/xray"
)

func everyAPI() []*API {
	return []*API{
		New(acm.API, (&acm.Handlers{}).Bindings()),
		New(acmpca.API, (&acmpca.Handlers{}).Bindings()),
		New(apigateway.API, (&apigateway.Handlers{}).Bindings()),
		New(apigatewaymanagementapi.API, (&apigatewaymanagementapi.Handlers{}).Bindings()),
		New(apigatewayv2.API, (&apigatewayv2.Handlers{}).Bindings()),
		New(applicationautoscaling.API, (&applicationautoscaling.Handlers{}).Bindings()),
		New(apprunner.API, (&apprunner.Handlers{}).Bindings()),
		New(appsync.API, (&appsync.Handlers{}).Bindings()),
		New(cloudcontrol.API, (&cloudcontrol.Handlers{}).Bindings()),
		New(cloudformation.API, (&cloudformation.Handlers{}).Bindings()),
		New(cloudfront.API, (&cloudfront.Handlers{}).Bindings()),
		New(cloudfrontkeyvaluestore.API, (&cloudfrontkeyvaluestore.Handlers{}).Bindings()),
		New(cloudwatch.API, (&cloudwatch.Handlers{}).Bindings()),
		New(codedeploy.API, (&codedeploy.Handlers{}).Bindings()),
		New(cognitoidentity.API, (&cognitoidentity.Handlers{}).Bindings()),
		New(cognitoidp.API, (&cognitoidp.Handlers{}).Bindings()),
		New(dynamodb.API, (&dynamodb.Handlers{}).Bindings()),
		New(dynamodbstreams.API, (&dynamodbstreams.Handlers{}).Bindings()),
		New(ec2.API, (&ec2.Handlers{}).Bindings()),
		New(ecr.API, (&ecr.Handlers{}).Bindings()),
		New(ecs.API, (&ecs.Handlers{}).Bindings()),
		New(efs.API, (&efs.Handlers{}).Bindings()),
		New(elasticbeanstalk.API, (&elasticbeanstalk.Handlers{}).Bindings()),
		New(elbv2.API, (&elbv2.Handlers{}).Bindings()),
		New(events.API, (&events.Handlers{}).Bindings()),
		New(firehose.API, (&firehose.Handlers{}).Bindings()),
		New(iam.API, (&iam.Handlers{}).Bindings()),
		New(kinesis.API, (&kinesis.Handlers{}).Bindings()),
		New(kms.API, (&kms.Handlers{}).Bindings()),
		New(lambda.API, (&lambda.Handlers{}).Bindings()),
		New(logs.API, (&logs.Handlers{}).Bindings()),
		New(pipes.API, (&pipes.Handlers{}).Bindings()),
		New(rds.API, (&rds.Handlers{}).Bindings()),
		New(rdsdata.API, (&rdsdata.Handlers{}).Bindings()),
		New(resourcegroupstaggingapi.API, (&resourcegroupstaggingapi.Handlers{}).Bindings()),
		New(route53.API, (&route53.Handlers{}).Bindings()),
		New(s3.API, (&s3.Handlers{}).Bindings()),
		New(s3control.API, (&s3control.Handlers{}).Bindings()),
		New(scheduler.API, (&scheduler.Handlers{}).Bindings()),
		New(schemas.API, (&schemas.Handlers{}).Bindings()),
		New(secretsmanager.API, (&secretsmanager.Handlers{}).Bindings()),
		New(servicediscovery.API, (&servicediscovery.Handlers{}).Bindings()),
		New(sns.API, (&sns.Handlers{}).Bindings()),
		New(sqs.API, (&sqs.Handlers{}).Bindings()),
		New(ssm.API, (&ssm.Handlers{}).Bindings()),
		New(stepfunctions.API, (&stepfunctions.Handlers{}).Bindings()),
		New(sts.API, (&sts.Handlers{}).Bindings()),
		New(xray.API, (&xray.Handlers{}).Bindings()),
	}
}

func TestEveryGeneratedPackageIsInTheCatalog(t *testing.T) {
	packages, err := filepath.Glob("../awsapi/*/schema.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) != len(everyAPI()) {
		t.Errorf("%d generated packages, %d in everyAPI", len(packages), len(everyAPI()))
	}
}

// TestEveryOperationCompiles joins every shape with its Go type, and sends each
// REST operation a request of its own form, which has to come back to it.
func TestEveryOperationCompiles(t *testing.T) {
	count := 0
	for _, a := range everyAPI() {
		l, err := a.load()
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		for _, name := range sortedNames(l.operations) {
			count++
			if _, err := l.operations[name].compile(); err != nil {
				t.Errorf("%s: %v", a.Name, err)
			}
		}
		for i := range l.routes {
			r := &l.routes[i]
			op, err := a.Match(r.example())
			if err != nil || op != r.op {
				t.Errorf("%s %s: its own request goes to %v, %v", a.Name, r.op.Name, op, err)
			}
		}
	}
	t.Logf("%d operations", count)
}

// example is a request that takes the route.
func (r *route) example() *Request {
	req := &Request{Method: r.method, Header: http.Header{}}
	for _, s := range r.segments {
		req.RawPath += "/" + firstOf(s.literal, "x")
	}
	var query []string
	for _, l := range r.literals {
		query = append(query, l.name+"="+l.value)
	}
	for _, p := range r.params {
		query = append(query, p+"=1")
	}
	for _, h := range r.headers {
		req.Header.Set(h, "x")
	}
	req.RawPath = firstOf(req.RawPath, "/")
	req.RawQuery = strings.Join(query, "&")
	return req
}

// TestPatternsCompile lists the patterns that RE2 cannot hold, and which are
// therefore not checked, in testdata/patterns.txt.
func TestPatternsCompile(t *testing.T) {
	var got []string
	for _, a := range everyAPI() {
		schema, err := a.Schema()
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range schema.Shapes {
			if s.Pattern != "" && compilePattern(s.Pattern) == nil {
				got = append(got, a.Name+" "+name+" "+s.Pattern)
			}
		}
	}
	slices.Sort(got)
	file := filepath.Join("testdata", "patterns.txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), strings.Join(got, "\n")); diff != "" {
		t.Errorf("run with UPDATE=1 if this is right:\n%s", diff)
	}
}

func TestPatternOfAnythingTakesLines(t *testing.T) {
	if !compilePattern(".*").MatchString("{\n}\n") {
		t.Error("the pattern .* refuses a document of several lines")
	}
	if compilePattern("a.*b").MatchString("a\nb") {
		t.Error("a dot in another pattern takes the end of a line")
	}
}
