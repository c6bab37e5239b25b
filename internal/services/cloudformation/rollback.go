package cloudformation

import (
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
)

// checkRollback refuses rollback triggers: what CloudFormation refuses in its words, and the others because this platform has no alarms. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackTrigger.html.
func checkRollback(operation string, c *cloudformation.RollbackConfiguration) error {
	if c == nil {
		return nil
	}
	for _, t := range c.RollbackTriggers {
		if t.Type != "AWS::CloudWatch::Alarm" && t.Type != "AWS::CloudWatch::CompositeAlarm" {
			return invalid("Rollback Trigger Type not supported")
		}
		if parts := strings.Split(t.Arn, ":"); len(parts) < 7 || parts[5] != "alarm" {
			return invalid("RelativeId of a Rollback Trigger's ARN is incorrect")
		}
	}
	if len(c.RollbackTriggers) > 0 || deref(c.MonitoringTimeInMinutes) > 0 {
		return unsupported(operation, "RollbackConfiguration")
	}
	return nil
}
