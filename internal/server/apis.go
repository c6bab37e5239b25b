package server

import (
	"lambent.dev/lambent/internal/awsapi"
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

// APIs lists every API that Lambent knows. Those without a service answer each operation with an error that names it.
func APIs() []*awsapi.API {
	return []*awsapi.API{
		acm.API, acmpca.API, apigateway.API, apigatewaymanagementapi.API, apigatewayv2.API, applicationautoscaling.API, apprunner.API, appsync.API,
		cloudcontrol.API, cloudformation.API, cloudfront.API, cloudfrontkeyvaluestore.API, cloudwatch.API, codedeploy.API, cognitoidentity.API, cognitoidp.API,
		dynamodb.API, dynamodbstreams.API, ec2.API, ecr.API, ecs.API, efs.API, elasticbeanstalk.API, elbv2.API, events.API, firehose.API, iam.API, kinesis.API, kms.API,
		lambda.API, logs.API, pipes.API, rds.API, rdsdata.API, resourcegroupstaggingapi.API, route53.API, s3.API, s3control.API, scheduler.API, schemas.API, secretsmanager.API,
		servicediscovery.API, sns.API, sqs.API, ssm.API, stepfunctions.API, sts.API, xray.API,
	}
}
