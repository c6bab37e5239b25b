package logs

import (
	"context"
	"slices"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
)

// vendor is a kind of resources whose logs can be delivered.
type vendor struct {
	service, resource string
	// types are the log types of a resource, of which each record has one.
	types []string
	// fields are those of a record, in their order, and mandatory those that every delivery has.
	fields, mandatory []string
	// folder is the part of an object's key that names the logs, and suffix what follows it when a delivery does not say.
	folder, suffix string
	// stream is the log stream that the records go to.
	stream string
	// id is the variable of a suffix path for the name of the resource.
	id string
}

// vendors are the kinds of resources that write logs for deliveries here
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html lists AWS's).
var vendors = []vendor{{
	service: "events", resource: "event-bus", types: []string{"ERROR_LOGS", "INFO_LOGS", "TRACE_LOGS"},
	fields:    []string{"resource_arn", "message_timestamp_ms", "event_bus_name", "request_id", "event_id", "invocation_id", "message_type", "log_level", "details", "error"},
	mandatory: []string{"resource_arn", "message_timestamp_ms"},
	folder:    "EventBusLogs", suffix: "{region}/{event-bus}/{yyyy}/{MM}/{dd}", stream: "EventBridgeEventBusLogs", id: "event-bus",
}}

// vendorOf returns the kind of a resource and the resource's name, or the refusal of one that writes no logs for deliveries here.
func vendorOf(resource string) (*vendor, string, error) {
	a, err := arn.Parse(resource)
	if err != nil {
		return nil, "", badDelivery("resourceArn %q is not an ARN.", resource)
	}
	kind, name := a.Split()
	for i := range vendors {
		if v := &vendors[i]; v.service == a.Service && v.resource == kind {
			return v, name, nil
		}
	}
	return nil, "", badDelivery("Lambent has no logs of %s for deliveries: the sources are event buses of EventBridge. docs/events.md says what else writes logs by settings of its own.", resource)
}

func badDelivery(format string, args ...any) *service.Error {
	return service.Errorf("ValidationException", format, args...)
}

// formats are the output formats of destinations; the first is the default
// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutDeliveryDestination.html).
var formats = map[string][]string{
	api.DeliveryDestinationTypeCwl: {api.OutputFormatJson, api.OutputFormatPlain},
	api.DeliveryDestinationTypeS3:  {api.OutputFormatJson, api.OutputFormatPlain, api.OutputFormatW3c},
	api.DeliveryDestinationTypeFh:  {api.OutputFormatJson, api.OutputFormatPlain, api.OutputFormatRaw},
}

// variables are those that a suffix path may have.
func (v *vendor) variables() []string {
	return []string{"accountid", "region", v.id, "yyyy", "MM", "dd", "HH"}
}

// template is what a delivery of a log type to a type of destination may say.
func (v *vendor) template(logType, to string) api.ConfigurationTemplate {
	t := api.ConfigurationTemplate{
		Service: &v.service, LogType: &logType, ResourceType: &v.resource, DeliveryDestinationType: to, AllowedOutputFormats: formats[to], AllowedFieldDelimiters: []string{"\t", " ", ",", "|"},
		AllowedActionForAllowVendedLogsDeliveryForResource: ptr(v.service + ":AllowVendedLogDeliveryForResource"),
		DefaultDeliveryConfigValues:                        &api.ConfigurationTemplateDeliveryConfigValues{RecordFields: v.fields, FieldDelimiter: ptr("\t")},
	}
	for _, f := range v.fields {
		t.AllowedFields = append(t.AllowedFields, api.RecordField{Name: &f, Mandatory: ptr(slices.Contains(v.mandatory, f))})
	}
	if to == api.DeliveryDestinationTypeS3 {
		t.AllowedSuffixPathFields = v.variables()
		t.DefaultDeliveryConfigValues.S3DeliveryConfiguration = &api.S3DeliveryConfiguration{SuffixPath: &v.suffix, EnableHiveCompatiblePath: ptr(false)}
	}
	return t
}

func (l *Logs) describeConfigurationTemplates(_ context.Context, in *api.DescribeConfigurationTemplatesInput) (*api.DescribeConfigurationTemplatesOutput, error) {
	from := 0
	if in.NextToken != nil {
		var err error
		if from, err = strconv.Atoi(*in.NextToken); err != nil || from < 0 {
			return nil, badDelivery("The specified nextToken is invalid.")
		}
	}
	wanted := func(all []string, one string) bool { return len(all) == 0 || slices.Contains(all, one) }
	out := &api.DescribeConfigurationTemplatesOutput{ConfigurationTemplates: []api.ConfigurationTemplate{}}
	for i := range vendors {
		v := &vendors[i]
		if in.Service != nil && *in.Service != v.service || !wanted(in.ResourceTypes, v.resource) {
			continue
		}
		for _, logType := range v.types {
			for _, to := range []string{api.DeliveryDestinationTypeCwl, api.DeliveryDestinationTypeFh, api.DeliveryDestinationTypeS3} {
				if wanted(in.LogTypes, logType) && wanted(in.DeliveryDestinationTypes, to) {
					out.ConfigurationTemplates = append(out.ConfigurationTemplates, v.template(logType, to))
				}
			}
		}
	}
	all, limit := out.ConfigurationTemplates[min(from, len(out.ConfigurationTemplates)):], limitOf(in.Limit, 50)
	if len(all) > limit {
		all, out.NextToken = all[:limit], ptr(strconv.Itoa(from+limit))
	}
	out.ConfigurationTemplates = all
	return out, nil
}
