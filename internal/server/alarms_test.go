package server

import (
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/lib/opt"
)

// shifted is an application whose function gets its traffic bit by bit, as long as no alarm goes off.
const shifted = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Late:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: late
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions: [{Name: FunctionName, Value: board}]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 1
      ComparisonOperator: GreaterThanOrEqualToThreshold
      TreatMissingData: ignore
  Board:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: board
      Handler: index.handler
      Runtime: python3.13
      InlineCode: 'WORD = "one"'
      AutoPublishAlias: live
      DeploymentPreference: {Type: Canary10Percent5Minutes, Alarms: [!Ref Late]}
`

// alias returns the version that the alias live of board has, and how much of the traffic other versions get.
func (c *contract) alias() (version string, weights map[string]float64) {
	c.Helper()
	out := ask[lambda.GetAliasOutput](c, "lambda", "GetAlias", &lambda.GetAliasInput{FunctionName: "board", Name: "live"})
	if out.RoutingConfig != nil {
		weights = out.RoutingConfig.AdditionalVersionWeights
	}
	return opt.Value(out.FunctionVersion), weights
}

// TestAnAlarmStopsADeployment deploys a function with a DeploymentPreference twice. The second time an alarm goes off while its new version has a part of the traffic: the old version has it all
// again, and the stack is as it was.
func TestAnAlarmStopsADeployment(t *testing.T) {
	c := &contract{T: t, s: run(t, machine{clock: clock.System{}}, func(cfg *config.Config) { cfg.Ephemeral, cfg.Sandbox = true, config.SandboxOff })}
	c.ctx = asRoot(t, c.s)
	ask[cloudformation.CreateStackOutput](c, "cloudformation", "CreateStack", &cloudformation.CreateStackInput{
		StackName: "app", TemplateBody: new(shifted), Capabilities: []string{"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"},
	})
	if status := c.settled("app"); status != "CREATE_COMPLETE" {
		t.Fatalf("the stack is %s", status)
	}
	ask[cloudformation.UpdateStackOutput](c, "cloudformation", "UpdateStack", &cloudformation.UpdateStackInput{
		StackName: "app", TemplateBody: new(strings.Replace(shifted, "one", "two", 1)), Capabilities: []string{"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"},
	})
	c.until("a tenth of the traffic goes to the new version", func() bool {
		version, weights := c.alias()
		return version == "1" && weights["2"] == 0.1
	})
	under := ask[codedeploy.ListDeploymentsOutput](c, "codedeploy", "ListDeployments", &codedeploy.ListDeploymentsInput{}).Deployments
	if len(under) != 1 {
		t.Fatalf("the deployments are %v", under)
	}
	ask[cloudwatch.SetAlarmStateOutput](c, "cloudwatch", "SetAlarmState", &cloudwatch.SetAlarmStateInput{AlarmName: "late", StateValue: cloudwatch.StateValueAlarm, StateReason: "trying it out"})
	c.until("the stack is rolled back", func() bool {
		out := ask[cloudformation.DescribeStacksOutput](c, "cloudformation", "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: new("app")})
		return out.Stacks[0].StackStatus == "UPDATE_ROLLBACK_COMPLETE"
	})
	d := ask[codedeploy.GetDeploymentOutput](c, "codedeploy", "GetDeployment", &codedeploy.GetDeploymentInput{DeploymentId: under[0]}).DeploymentInfo
	if d.Status != codedeploy.DeploymentStatusStopped || d.ErrorInformation == nil || d.ErrorInformation.Code != "ALARM_ACTIVE" || d.RollbackInfo == nil {
		t.Errorf("the deployment is %s: %+v, rolled back by %+v", d.Status, d.ErrorInformation, d.RollbackInfo)
	}
	if version, weights := c.alias(); version != "1" || len(weights) != 0 {
		t.Errorf("the alias has the version %s, and %v", version, weights)
	}
}
