package logs

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// anomalyDetectorProperties are the properties of AWS::Logs::LogAnomalyDetector
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loganomalydetector.html). The API changes neither the name nor the log group: another one is another detector.
type anomalyDetectorProperties struct {
	AccountId             *string  `cfn:"AccountId,createOnly"` //nolint:revive // the name of the property, by which values are copied
	AnomalyVisibilityTime *int64   `cfn:"AnomalyVisibilityTime"`
	DetectorName          *string  `cfn:"DetectorName,createOnly"`
	EvaluationFrequency   *string  `cfn:"EvaluationFrequency"`
	FilterPattern         *string  `cfn:"FilterPattern"`
	KmsKeyId              *string  `cfn:"KmsKeyId,createOnly"` //nolint:revive // the name of the property, by which values are copied
	LogGroupArnList       []string `cfn:"LogGroupArnList,createOnly"`
}

func (l *Logs) anomalyDetectorType() service.ResourceType {
	return service.NewResourceType("AWS::Logs::LogAnomalyDetector", service.ResourceSpec[anomalyDetectorProperties]{
		Attributes: []string{"AnomalyDetectorArn", "AnomalyDetectorStatus", "CreationTimeStamp", "LastModifiedTimeStamp"},
		Changing:   []string{"AnomalyDetectorStatus", "LastModifiedTimeStamp"},
		Create:     l.createDetectorResource, Update: l.updateDetectorResource, Delete: l.deleteDetectorResource,
		Identifier: []string{"AnomalyDetectorArn"}, Read: l.readDetectorResource, List: l.listDetectorResources, Missing: []string{"ResourceNotFoundException"},
	})
}

func detectorResource(arn string, out *api.GetLogAnomalyDetectorOutput) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{
		"AnomalyDetectorArn": arn, "AnomalyDetectorStatus": out.AnomalyDetectorStatus, "CreationTimeStamp": opt.Value(out.CreationTimeStamp), "LastModifiedTimeStamp": opt.Value(out.LastModifiedTimeStamp),
	}}
}

func (l *Logs) shownDetector(ctx context.Context, arn string) (service.Resource, error) {
	out, err := ask[api.GetLogAnomalyDetectorOutput](ctx, l, "GetLogAnomalyDetector", &api.GetLogAnomalyDetectorInput{AnomalyDetectorArn: arn})
	if err != nil {
		return service.Resource{}, err
	}
	return detectorResource(arn, out), nil
}

func (l *Logs) createDetectorResource(ctx context.Context, c service.ResourceCall, p *anomalyDetectorProperties) (service.Resource, error) {
	if a := opt.Value(p.AccountId); a != "" && a != scopeOf(ctx).account {
		return service.Resource{}, service.Unsupported("InvalidParameterException", "CreateLogAnomalyDetector", "AccountId "+a+", another account")
	}
	in := reshape.To[api.CreateLogAnomalyDetectorInput](p)
	in.Tags = tagsOf(c, nil)
	out, err := ask[api.CreateLogAnomalyDetectorOutput](ctx, l, "CreateLogAnomalyDetector", in)
	if err != nil {
		return service.Resource{}, err
	}
	return l.shownDetector(ctx, *out.AnomalyDetectorArn)
}

// updateDetectorResource changes a detector, and leaves it paused when it is. What the template leaves out gets its default.
func (l *Logs) updateDetectorResource(ctx context.Context, c service.ResourceCall, _, p *anomalyDetectorProperties) (service.Resource, error) {
	before, err := ask[api.GetLogAnomalyDetectorOutput](ctx, l, "GetLogAnomalyDetector", &api.GetLogAnomalyDetectorInput{AnomalyDetectorArn: c.PhysicalID})
	if err != nil {
		return service.Resource{}, err
	}
	in := &api.UpdateLogAnomalyDetectorInput{
		AnomalyDetectorArn: c.PhysicalID, EvaluationFrequency: api.EvaluationFrequencyFiveMin, FilterPattern: ptr(opt.Value(p.FilterPattern)), AnomalyVisibilityTime: ptr(int64(visibleFor)),
		Enabled: before.AnomalyDetectorStatus != api.AnomalyDetectorStatusPaused,
	}
	if p.EvaluationFrequency != nil {
		in.EvaluationFrequency = *p.EvaluationFrequency
	}
	if p.AnomalyVisibilityTime != nil {
		in.AnomalyVisibilityTime = p.AnomalyVisibilityTime
	}
	if err := l.call(ctx, "UpdateLogAnomalyDetector", in); err != nil {
		return service.Resource{}, err
	}
	if err := l.setTags(ctx, c.PhysicalID, nil, tagsOf(c, nil)); err != nil {
		return service.Resource{}, err
	}
	return l.shownDetector(ctx, c.PhysicalID)
}

func (l *Logs) deleteDetectorResource(ctx context.Context, c service.ResourceCall, _ *anomalyDetectorProperties) error {
	return service.Unless(l.call(ctx, "DeleteLogAnomalyDetector", &api.DeleteLogAnomalyDetectorInput{AnomalyDetectorArn: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readDetectorResource(ctx context.Context, id service.Identifier) (*anomalyDetectorProperties, service.Resource, error) {
	out, err := ask[api.GetLogAnomalyDetectorOutput](ctx, l, "GetLogAnomalyDetector", &api.GetLogAnomalyDetectorInput{AnomalyDetectorArn: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[anomalyDetectorProperties](out)
	p.AccountId = ptr(scopeOf(ctx).account)
	return p, detectorResource(id[0], out), nil
}

func (l *Logs) listDetectorResources(ctx context.Context, _ *anomalyDetectorProperties, next string) (service.Page, error) {
	out, err := ask[api.ListLogAnomalyDetectorsOutput](ctx, l, "ListLogAnomalyDetectors", &api.ListLogAnomalyDetectorsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.AnomalyDetectors, out.NextToken, func(d *api.AnomalyDetector) service.Identifier {
		return service.Identifier{opt.Value(d.AnomalyDetectorArn)}
	}), nil
}
