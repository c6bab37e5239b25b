package secretsmanager

import (
	"context"
	"encoding/json"
	"maps"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
)

// generateProperties say how a value is drawn.
type generateProperties struct {
	ExcludeCharacters       *string `cfn:"ExcludeCharacters"`
	ExcludeLowercase        *bool   `cfn:"ExcludeLowercase"`
	ExcludeNumbers          *bool   `cfn:"ExcludeNumbers"`
	ExcludePunctuation      *bool   `cfn:"ExcludePunctuation"`
	ExcludeUppercase        *bool   `cfn:"ExcludeUppercase"`
	GenerateStringKey       *string `cfn:"GenerateStringKey"`
	IncludeSpace            *bool   `cfn:"IncludeSpace"`
	PasswordLength          *int64  `cfn:"PasswordLength"`
	RequireEachIncludedType *bool   `cfn:"RequireEachIncludedType"`
	SecretStringTemplate    *string `cfn:"SecretStringTemplate"`
}

type replicaProperties struct {
	Region   string  `cfn:"Region,required"`
	KmsKeyID *string `cfn:"KmsKeyId"`
}

// secretProperties are the properties of AWS::SecretsManager::Secret, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html.
type secretProperties struct {
	Description          *string               `cfn:"Description"`
	GenerateSecretString *generateProperties   `cfn:"GenerateSecretString,writeOnly"`
	KmsKeyID             *string               `cfn:"KmsKeyId"`
	Name                 *string               `cfn:"Name,createOnly"`
	ReplicaRegions       []replicaProperties   `cfn:"ReplicaRegions,unordered"`
	SecretString         *string               `cfn:"SecretString,writeOnly"`
	Tags                 []service.TagProperty `cfn:"Tags"`
}

// policyProperties are the properties of AWS::SecretsManager::ResourcePolicy.
type policyProperties struct {
	BlockPublicPolicy *bool  `cfn:"BlockPublicPolicy,writeOnly"`
	ResourcePolicy    any    `cfn:"ResourcePolicy,required"`
	SecretID          string `cfn:"SecretId,required,createOnly"`
}

type rulesProperties struct {
	AutomaticallyAfterDays *int64  `cfn:"AutomaticallyAfterDays"`
	Duration               *string `cfn:"Duration"`
	ScheduleExpression     *string `cfn:"ScheduleExpression"`
}

// rotationProperties are the properties of AWS::SecretsManager::RotationSchedule.
type rotationProperties struct {
	RotateImmediatelyOnUpdate *bool            `cfn:"RotateImmediatelyOnUpdate,writeOnly"`
	RotationLambdaARN         *string          `cfn:"RotationLambdaARN"`
	RotationRules             *rulesProperties `cfn:"RotationRules"`
	SecretID                  string           `cfn:"SecretId,required,createOnly"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::SecretsManager::Secret", service.ResourceSpec[secretProperties]{
			Attributes: []string{"Id"}, Create: s.createResource, Update: s.updateResource, Delete: s.deleteResource,
			Identifier: []string{"Id"}, Read: s.readResource, Missing: []string{codeNotFound},
			List: service.Pages(s.deps.Door, "secretsmanager", "ListSecrets", func(_ *secretProperties, next *string) any { return &api.ListSecretsInput{NextToken: next} },
				func(o *api.ListSecretsOutput) ([]api.SecretListEntry, *string) { return o.SecretList, o.NextToken },
				func(_ *secretProperties, v *api.SecretListEntry) service.Identifier {
					return service.Identifier{opt.Value(v.ARN)}
				}),
		}),
		service.NewPolicyType("AWS::SecretsManager::ResourcePolicy", service.PolicySpec[policyProperties]{
			Policy: func(p *policyProperties) any { return p.ResourcePolicy }, On: func(p *policyProperties) []string {
				if p.SecretID == "" {
					return nil
				}
				return []string{p.SecretID}
			},
			Set: s.setPolicy, Get: s.getPolicy, Gone: codeNotFound, Inline: true, Identifier: "Id",
			Fill: func(p *policyProperties, policy any, on []string) { p.ResourcePolicy, p.SecretID = policy, on[0] },
		}),
		service.NewResourceType("AWS::SecretsManager::RotationSchedule", service.ResourceSpec[rotationProperties]{
			Create: s.createRotation, Update: s.updateRotation, Delete: s.deleteRotation,
			Identifier: []string{"Id"}, Read: s.readRotation, Reread: s.rereadRotation, Missing: []string{codeNotFound},
		}),
		service.NewResourceType("AWS::SecretsManager::SecretTargetAttachment", service.ResourceSpec[targetProperties]{
			Create: s.attach, Update: func(ctx context.Context, c service.ResourceCall, _, p *targetProperties) (service.Resource, error) {
				return s.attach(ctx, c, p)
			},
			Delete:     s.detach,
			Identifier: []string{"Id"}, Read: s.readAttachment, Reread: s.rereadAttachment, Missing: []string{codeNotFound},
		}),
	}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "secretsmanager", operation, in)
}

func resourceOf(arn string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"Id": arn}}
}

// text returns the value that properties ask for, or nil.
func (s *Service) text(p *secretProperties) (*string, error) {
	g := p.GenerateSecretString
	switch {
	case g != nil && p.SecretString != nil:
		return nil, badRequest("You can't specify both SecretString and GenerateSecretString.")
	case g == nil:
		return p.SecretString, nil
	case (g.GenerateStringKey == nil) != (g.SecretStringTemplate == nil):
		return nil, badRequest("GenerateStringKey and SecretStringTemplate belong together.")
	}
	drawn, err := s.password(&api.GetRandomPasswordInput{
		ExcludeCharacters: g.ExcludeCharacters, ExcludeLowercase: g.ExcludeLowercase, ExcludeNumbers: g.ExcludeNumbers, ExcludePunctuation: g.ExcludePunctuation,
		ExcludeUppercase: g.ExcludeUppercase, IncludeSpace: g.IncludeSpace, PasswordLength: g.PasswordLength, RequireEachIncludedType: g.RequireEachIncludedType,
	})
	if err != nil || g.GenerateStringKey == nil {
		return &drawn, err
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(*g.SecretStringTemplate), &members); err != nil {
		return nil, badRequest("SecretStringTemplate must be a JSON object: %v", err)
	}
	members[*g.GenerateStringKey] = drawn
	b, err := json.Marshal(members)
	return new(string(b)), err
}

func replicasOf(list []replicaProperties) []api.ReplicaRegionType {
	var out []api.ReplicaRegionType
	for _, r := range list {
		out = append(out, api.ReplicaRegionType{Region: new(r.Region), KmsKeyId: r.KmsKeyID})
	}
	return out
}

// versionToken returns a token for a version that one step of a deploy makes, however often it is tried.
func versionToken(c service.ResourceCall) *string { return new(uuid.Of("secret of a stack", c.Token)) }

func (s *Service) createResource(ctx context.Context, c service.ResourceCall, p *secretProperties) (service.Resource, error) {
	name := c.Name(512, nil)
	if p.Name != nil {
		name = *p.Name
	}
	text, err := s.text(p)
	if err != nil {
		return service.Resource{}, err
	}
	in := &api.CreateSecretInput{
		Name: name, ClientRequestToken: versionToken(c), Description: p.Description, KmsKeyId: p.KmsKeyID, SecretString: text, AddReplicaRegions: replicasOf(p.ReplicaRegions),
	}
	if tags := c.AllTags(p.Tags); len(tags) > 0 {
		in.Tags = tagList(tags)
	}
	out, err := call[api.CreateSecretOutput](ctx, s, "CreateSecret", in)
	if err == nil {
		return resourceOf(*out.ARN), nil
	}
	if !c.Retry || service.Code(err) != codeExists {
		return service.Resource{}, err
	}
	made, err := call[api.DescribeSecretOutput](ctx, s, "DescribeSecret", &api.DescribeSecretInput{SecretId: name})
	if err != nil {
		return service.Resource{}, err
	}
	return resourceOf(*made.ARN), nil
}

func (s *Service) updateResource(ctx context.Context, c service.ResourceCall, old, p *secretProperties) (service.Resource, error) {
	in := &api.UpdateSecretInput{SecretId: c.PhysicalID, ClientRequestToken: versionToken(c), Description: new(opt.Value(p.Description)), KmsKeyId: p.KmsKeyID}
	changed := opt.Value(old.SecretString) != opt.Value(p.SecretString) || (old.GenerateSecretString == nil) != (p.GenerateSecretString == nil) ||
		old.GenerateSecretString != nil && !equal(old.GenerateSecretString, p.GenerateSecretString)
	if changed {
		var err error
		if in.SecretString, err = s.text(p); err != nil {
			return service.Resource{}, err
		}
	}
	if _, err := call[api.UpdateSecretOutput](ctx, s, "UpdateSecret", in); err != nil && (!c.Retry || service.Code(err) != codeExists) {
		return service.Resource{}, err
	}
	err := service.Retag(c.AllTags(old.Tags), c.AllTags(p.Tags), func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{SecretId: c.PhysicalID, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{SecretId: c.PhysicalID, Tags: tagList(tags)})
		return err
	})
	if err != nil {
		return service.Resource{}, err
	}
	return resourceOf(c.PhysicalID), s.moveReplicas(ctx, c.PhysicalID, old.ReplicaRegions, p.ReplicaRegions)
}

func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// moveReplicas brings the replicas of a secret from old to next.
func (s *Service) moveReplicas(ctx context.Context, id string, old, next []replicaProperties) error {
	of := func(list []replicaProperties) map[string]replicaProperties {
		out := map[string]replicaProperties{}
		for _, r := range list {
			out[r.Region] = r
		}
		return out
	}
	before, after := of(old), of(next)
	var gone []string
	var added []replicaProperties
	for region, r := range before {
		if !equal(r, after[region]) {
			gone = append(gone, region)
		} else {
			delete(after, region)
		}
	}
	for r := range maps.Values(after) {
		added = append(added, r)
	}
	if len(gone) > 0 {
		if _, err := call[api.RemoveRegionsFromReplicationOutput](ctx, s, "RemoveRegionsFromReplication", &api.RemoveRegionsFromReplicationInput{SecretId: id, RemoveReplicaRegions: gone}); err != nil {
			return err
		}
	}
	if len(added) == 0 {
		return nil
	}
	_, err := call[api.ReplicateSecretToRegionsOutput](ctx, s, "ReplicateSecretToRegions", &api.ReplicateSecretToRegionsInput{SecretId: id, AddReplicaRegions: replicasOf(added)})
	return err
}

func (s *Service) deleteResource(ctx context.Context, c service.ResourceCall, p *secretProperties) error {
	if len(p.ReplicaRegions) > 0 {
		if err := s.moveReplicas(ctx, c.PhysicalID, p.ReplicaRegions, nil); err != nil && service.Code(err) != codeNotFound && service.Code(err) != codeParameter {
			return err
		}
	}
	_, err := call[api.DeleteSecretOutput](ctx, s, "DeleteSecret", &api.DeleteSecretInput{SecretId: c.PhysicalID, ForceDeleteWithoutRecovery: new(true)})
	return err
}

func (s *Service) setPolicy(ctx context.Context, id, policy string) error {
	if policy == "" {
		_, err := call[api.DeleteResourcePolicyOutput](ctx, s, "DeleteResourcePolicy", &api.DeleteResourcePolicyInput{SecretId: id})
		return err
	}
	_, err := call[api.PutResourcePolicyOutput](ctx, s, "PutResourcePolicy", &api.PutResourcePolicyInput{SecretId: id, ResourcePolicy: policy})
	return err
}

func (s *Service) createRotation(ctx context.Context, c service.ResourceCall, p *rotationProperties) (service.Resource, error) {
	in := &api.RotateSecretInput{SecretId: p.SecretID, ClientRequestToken: versionToken(c), RotationLambdaARN: p.RotationLambdaARN, RotateImmediately: p.RotateImmediatelyOnUpdate}
	if r := p.RotationRules; r != nil {
		in.RotationRules = &api.RotationRulesType{AutomaticallyAfterDays: r.AutomaticallyAfterDays, Duration: r.Duration, ScheduleExpression: r.ScheduleExpression}
	}
	out, err := call[api.RotateSecretOutput](ctx, s, "RotateSecret", in)
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: *out.ARN}, nil
}

func (s *Service) updateRotation(ctx context.Context, c service.ResourceCall, _, p *rotationProperties) (service.Resource, error) {
	return s.createRotation(ctx, c, p)
}

func (s *Service) deleteRotation(ctx context.Context, c service.ResourceCall, _ *rotationProperties) error {
	_, err := call[api.CancelRotateSecretOutput](ctx, s, "CancelRotateSecret", &api.CancelRotateSecretInput{SecretId: c.PhysicalID})
	return service.Unless(err, codeNotFound, codeRequest)
}
