package lambda

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

type contentProperties struct {
	S3Bucket        string  `cfn:"S3Bucket,required"`
	S3Key           string  `cfn:"S3Key,required"`
	S3ObjectVersion *string `cfn:"S3ObjectVersion"`
}

// layerVersionProperties are the properties of AWS::Lambda::LayerVersion.
type layerVersionProperties struct {
	CompatibleArchitectures []string          `cfn:"CompatibleArchitectures,createOnly"`
	CompatibleRuntimes      []string          `cfn:"CompatibleRuntimes,createOnly"`
	Content                 contentProperties `cfn:"Content,required,createOnly,writeOnly"`
	Description             *string           `cfn:"Description,createOnly"`
	LayerName               *string           `cfn:"LayerName,createOnly"`
	LicenseInfo             *string           `cfn:"LicenseInfo,createOnly"`
}

// layerPermissionProperties are the properties of AWS::Lambda::LayerVersionPermission.
type layerPermissionProperties struct {
	Action          string  `cfn:"Action,required,createOnly"`
	LayerVersionArn string  `cfn:"LayerVersionArn,required,createOnly"`
	OrganizationId  *string `cfn:"OrganizationId,createOnly"`
	Principal       string  `cfn:"Principal,required,createOnly"`
}

func (l *Lambda) createLayerVersionResource(ctx context.Context, c service.ResourceCall, p *layerVersionProperties) (service.Resource, error) {
	name := c.Name(140, nil)
	if p.LayerName != nil {
		name = *p.LayerName
	}
	out, err := service.Call[api.PublishLayerVersionOutput](ctx, l.deps.Door, "lambda", "PublishLayerVersion", &api.PublishLayerVersionInput{
		LayerName: name, Description: p.Description, LicenseInfo: p.LicenseInfo, CompatibleRuntimes: p.CompatibleRuntimes, CompatibleArchitectures: p.CompatibleArchitectures,
		Content: &api.LayerVersionContentInput{S3Bucket: &p.Content.S3Bucket, S3Key: &p.Content.S3Key, S3ObjectVersion: p.Content.S3ObjectVersion},
	})
	if err != nil {
		return service.Resource{}, err
	}
	arn := orZero(out.LayerVersionArn)
	if c.Retry {
		if arn, err = l.firstTry(ctx, arn, out); err != nil {
			return service.Resource{}, err
		}
	}
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"LayerVersionArn": arn}}, nil
}

// firstTry returns the version before the one that was published just now, if that is the same: an earlier try of the step has published it. The
// one of now is deleted then.
func (l *Lambda) firstTry(ctx context.Context, arn string, now *api.PublishLayerVersionOutput) (string, error) {
	number := orZero(now.Version) - 1
	if number < 1 {
		return arn, nil
	}
	before, err := service.Call[api.GetLayerVersionOutput](ctx, l.deps.Door, "lambda", "GetLayerVersion", &api.GetLayerVersionInput{LayerName: orZero(now.LayerArn), VersionNumber: number})
	if service.Code(err) == "ResourceNotFoundException" {
		return arn, nil
	}
	if err != nil {
		return "", err
	}
	if orZero(before.Content.CodeSha256) != orZero(now.Content.CodeSha256) || orZero(before.Description) != orZero(now.Description) {
		return arn, nil
	}
	return orZero(before.LayerVersionArn), l.do(ctx, "DeleteLayerVersion", &api.DeleteLayerVersionInput{LayerName: orZero(now.LayerArn), VersionNumber: number + 1})
}

func (l *Lambda) deleteLayerVersionResource(ctx context.Context, c service.ResourceCall, _ *layerVersionProperties) error {
	r, ok := parseLayer(c.PhysicalID)
	if !ok {
		return nil // it was never made
	}
	return l.do(ctx, "DeleteLayerVersion", &api.DeleteLayerVersionInput{LayerName: r.layer(), VersionNumber: r.number})
}

// layerPermissionID is the physical id: the layer version and the statement, as CloudFormation writes it.
func layerPermissionID(arn, statement string) string { return arn + "#" + statement }

func (l *Lambda) createLayerPermissionResource(ctx context.Context, c service.ResourceCall, p *layerPermissionProperties) (service.Resource, error) {
	r, ok := parseLayer(p.LayerVersionArn)
	if !ok || r.number == 0 {
		return service.Resource{}, invalid("LayerVersionArn %s is not the ARN of a layer version.", p.LayerVersionArn)
	}
	statement := c.Name(100, nil)
	err := l.do(ctx, "AddLayerVersionPermission", &api.AddLayerVersionPermissionInput{
		LayerName: r.layer(), VersionNumber: r.number, StatementId: statement, Action: p.Action, Principal: p.Principal, OrganizationId: p.OrganizationId,
	})
	id := layerPermissionID(p.LayerVersionArn, statement)
	// The id is new for every resource: a statement that has it was made by an earlier try of this step.
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"Id": id}}, service.Unless(err, "ResourceConflictException")
}

func (l *Lambda) deleteLayerPermissionResource(ctx context.Context, c service.ResourceCall, _ *layerPermissionProperties) error {
	arn, statement, _ := strings.Cut(c.PhysicalID, "#")
	r, ok := parseLayer(arn)
	if !ok {
		return nil // it was never made
	}
	return service.Unless(l.do(ctx, "RemoveLayerVersionPermission", &api.RemoveLayerVersionPermissionInput{
		LayerName: r.layer(), VersionNumber: r.number, StatementId: statement,
	}), "ResourceNotFoundException")
}
