package ec2

import (
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/order"
)

// interfaceServices are the services that interface endpoints lead to, by the last part of their names
// (https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html).
var interfaceServices = []string{
	"appconfig", "apprunner", "appsync-api", "athena", "autoscaling", "bedrock-runtime", "cloudformation", "cloudtrail", "codebuild", "cognito-idp", "comprehend", "databrew", "datasync", "dynamodb",
	"ebs", "ec2", "ec2messages", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "elasticache", "elasticbeanstalk", "elasticfilesystem", "elasticloadbalancing",
	"events", "execute-api", "glue", "kinesis-firehose", "kinesis-streams", "kms", "lambda", "logs", "monitoring", "pipes", "rds", "rds-data", "rekognition", "s3", "sagemaker.runtime",
	"scheduler", "schemas", "secretsmanager", "servicediscovery", "sns", "sqs", "ssm", "ssmmessages", "states", "sts", "sync-states", "textract", "xray",
}

// servesEndpoint tells whether a service has endpoints of a type in a region.
func servesEndpoint(region, name, typ string) bool {
	short, ok := strings.CutPrefix(name, "com.amazonaws."+region+".")
	if typ == gatewayEndpoint {
		return ok && slices.Contains(gatewayServices, short)
	}
	return ok && slices.Contains(interfaceServices, short)
}

var endpointServiceFields = fields[*api.ServiceDetail]{
	id:   func(d *api.ServiceDetail) *string { return d.ServiceId },
	tags: func(d *api.ServiceDetail) []api.Tag { return d.Tags },
	values: map[string]func(*api.ServiceDetail) []string{
		"owner":          func(d *api.ServiceDetail) []string { return text(d.Owner) },
		"service-name":   func(d *api.ServiceDetail) []string { return text(d.ServiceName) },
		"service-region": func(d *api.ServiceDetail) []string { return text(d.ServiceRegion) },
		"service-type": func(d *api.ServiceDetail) []string {
			return each(d.ServiceType, func(t *api.ServiceTypeDetail) []string { return []string{t.ServiceType} })
		},
		"supported-ip-address-types": func(d *api.ServiceDetail) []string { return d.SupportedIpAddressTypes },
	},
}

func endpointService(region, short, typ string) api.ServiceDetail {
	name := "com.amazonaws." + region + "." + short
	var names, ids []string
	for _, z := range zonesOf(region) {
		names, ids = append(names, z.name), append(ids, z.id)
	}
	d := api.ServiceDetail{
		ServiceName: &name, ServiceId: new("vpce-svc-" + hexOf(region+" "+typ+" "+short, 17)), ServiceType: []api.ServiceTypeDetail{{ServiceType: typ}}, ServiceRegion: &region,
		AvailabilityZones: names, AvailabilityZoneIds: ids, Owner: new("amazon"), VpcEndpointPolicySupported: new(true), AcceptanceRequired: new(false), ManagesVpcEndpoints: new(false),
		Tags: []api.Tag{}, SupportedIpAddressTypes: []string{"ipv4"},
	}
	base := short + "." + region
	if typ == gatewayEndpoint {
		d.BaseEndpointDnsNames = []string{base + ".amazonaws.com"}
		return d
	}
	private := base + ".amazonaws.com"
	d.BaseEndpointDnsNames = []string{base + ".vpce.amazonaws.com"}
	d.PrivateDnsName, d.PrivateDnsNames, d.PrivateDnsNameVerificationState = &private, []api.PrivateDnsDetails{{PrivateDnsName: &private}}, "verified"
	return d
}

func (s *Service) describeVpcEndpointServices(ctx context.Context, in *api.DescribeVpcEndpointServicesInput) (*api.DescribeVpcEndpointServicesOutput, error) {
	region := scopeOf(ctx).region
	for _, r := range in.ServiceRegions {
		if r != region {
			return nil, refuse(codeUnsupported, "Endpoints lead to services of their own region, and not of %s", r)
		}
	}
	var shapes []api.ServiceDetail
	add := func(names []string, typ string) {
		for _, short := range names {
			d := endpointService(region, short, typ)
			if len(in.ServiceNames) == 0 || slices.Contains(in.ServiceNames, *d.ServiceName) {
				shapes = append(shapes, d)
			}
		}
	}
	add(gatewayServices, gatewayEndpoint)
	add(interfaceServices, ifaceEndpoint)
	for _, name := range in.ServiceNames {
		if !servesEndpoint(region, name, gatewayEndpoint) && !servesEndpoint(region, name, ifaceEndpoint) {
			return nil, refuse("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", name)
		}
	}
	order.Sort(shapes, func(a, b api.ServiceDetail) int { return strings.Compare(*a.ServiceId, *b.ServiceId) })
	out := &api.DescribeVpcEndpointServicesOutput{ServiceNames: []string{}}
	var err error
	out.ServiceDetails, out.NextToken, err = choose(shapes, query{filters: in.Filters, max: in.MaxResults, token: in.NextToken}, &endpointServiceFields)
	for _, d := range out.ServiceDetails {
		if !slices.Contains(out.ServiceNames, *d.ServiceName) {
			out.ServiceNames = append(out.ServiceNames, *d.ServiceName)
		}
	}
	slices.Sort(out.ServiceNames)
	return out, err
}
