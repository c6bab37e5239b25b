package apigateway

import (
	"context"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

type stageKeyProperties struct {
	RestApiId *string `cfn:"RestApiId"`
	StageName *string `cfn:"StageName"`
}

// keyProperties are those of AWS::ApiGateway::ApiKey.
type keyProperties struct {
	CustomerId         *string               `cfn:"CustomerId"`
	Description        *string               `cfn:"Description"`
	Enabled            *bool                 `cfn:"Enabled"`
	GenerateDistinctId *bool                 `cfn:"GenerateDistinctId,createOnly,writeOnly"`
	Name               *string               `cfn:"Name,createOnly"`
	StageKeys          []stageKeyProperties  `cfn:"StageKeys,unordered"`
	Tags               []service.TagProperty `cfn:"Tags"`
	Value              *string               `cfn:"Value,createOnly"`
}

func (g *Gateway) createKeyResource(ctx context.Context, c service.ResourceCall, p *keyProperties) (service.Resource, error) {
	name := text(p.Name)
	if name == "" {
		name = c.Name(maxKeyName, nil)
	}
	in := &aws.CreateApiKeyInput{
		Name: &name, Description: p.Description, Enabled: p.Enabled, GenerateDistinctId: p.GenerateDistinctId, Value: p.Value, CustomerId: p.CustomerId, Tags: c.AllTags(p.Tags),
	}
	for _, s := range p.StageKeys {
		in.StageKeys = append(in.StageKeys, aws.StageKey{RestApiId: s.RestApiId, StageName: s.StageName})
	}
	out, err := call[aws.CreateApiKeyOutput](service.WithCreateToken(ctx, c.Token), g, "CreateApiKey", in)
	if err != nil {
		return service.Resource{}, err
	}
	return withID(out.Id, "APIKeyId"), nil
}

func (p *keyProperties) stages() []string {
	var out []string
	for _, s := range p.StageKeys {
		out = append(out, text(s.RestApiId)+"/"+text(s.StageName))
	}
	return out
}

func (g *Gateway) updateKeyResource(ctx context.Context, c service.ResourceCall, old, p *keyProperties) (service.Resource, error) {
	var e edits
	e.set("/customerId", old.CustomerId, p.CustomerId)
	e.set("/description", old.Description, p.Description)
	e.set("/enabled", boolText(old.Enabled), boolText(p.Enabled))
	e.list("/stages", old.stages(), p.stages())
	if _, err := call[aws.UpdateApiKeyOutput](ctx, g, "UpdateApiKey", &aws.UpdateApiKeyInput{ApiKey: c.PhysicalID, PatchOperations: e}); err != nil {
		return service.Resource{}, err
	}
	return withID(&c.PhysicalID, "APIKeyId"), g.retag(ctx, c, "apikeys/"+c.PhysicalID, old.Tags, p.Tags)
}

func (g *Gateway) deleteKeyResource(ctx context.Context, c service.ResourceCall, _ *keyProperties) error {
	return drop[aws.DeleteApiKeyOutput](ctx, g, "DeleteApiKey", &aws.DeleteApiKeyInput{ApiKey: c.PhysicalID})
}

type throttleProperties struct {
	BurstLimit *int32   `cfn:"BurstLimit"`
	RateLimit  *float64 `cfn:"RateLimit"`
}

func (p *throttleProperties) settings() *aws.ThrottleSettings {
	if p == nil {
		return nil
	}
	return &aws.ThrottleSettings{BurstLimit: p.BurstLimit, RateLimit: p.RateLimit}
}

type quotaProperties struct {
	Limit  *int32  `cfn:"Limit"`
	Offset *int32  `cfn:"Offset"`
	Period *string `cfn:"Period"`
}

func (p *quotaProperties) settings() *aws.QuotaSettings {
	if p == nil {
		return nil
	}
	return &aws.QuotaSettings{Limit: p.Limit, Offset: p.Offset, Period: text(p.Period)}
}

type planStageProperties struct {
	ApiId    *string                       `cfn:"ApiId"`
	Stage    *string                       `cfn:"Stage"`
	Throttle map[string]throttleProperties `cfn:"Throttle"`
}

func (p *planStageProperties) name() string { return text(p.ApiId) + ":" + text(p.Stage) }

// planProperties are those of AWS::ApiGateway::UsagePlan.
type planProperties struct {
	ApiStages     []planStageProperties `cfn:"ApiStages,unordered"`
	Description   *string               `cfn:"Description"`
	Quota         *quotaProperties      `cfn:"Quota"`
	Tags          []service.TagProperty `cfn:"Tags"`
	Throttle      *throttleProperties   `cfn:"Throttle"`
	UsagePlanName *string               `cfn:"UsagePlanName"`
}

func (g *Gateway) createPlanResource(ctx context.Context, c service.ResourceCall, p *planProperties) (service.Resource, error) {
	name := text(p.UsagePlanName)
	if name == "" {
		name = c.Name(128, nil)
	}
	in := &aws.CreateUsagePlanInput{Name: name, Description: p.Description, Throttle: p.Throttle.settings(), Quota: p.Quota.settings(), Tags: c.AllTags(p.Tags)}
	for _, s := range p.ApiStages {
		st := aws.ApiStage{ApiId: s.ApiId, Stage: s.Stage}
		for _, method := range sortedKeys(s.Throttle) {
			if st.Throttle == nil {
				st.Throttle = map[string]aws.ThrottleSettings{}
			}
			t := s.Throttle[method]
			st.Throttle[methodPath(method)] = *t.settings()
		}
		in.ApiStages = append(in.ApiStages, st)
	}
	out, err := call[aws.CreateUsagePlanOutput](service.WithCreateToken(ctx, c.Token), g, "CreateUsagePlan", in)
	if err != nil {
		return service.Resource{}, err
	}
	return withID(out.Id, "Id"), nil
}

// edits returns the operations that bring a plan from old properties to p. The throttles of methods are set anew.
func (p *planProperties) edits(old *planProperties) edits {
	var e edits
	e.set("/description", old.Description, p.Description)
	if p.UsagePlanName != nil {
		e.set("/name", old.UsagePlanName, p.UsagePlanName)
	}
	switch {
	case old.Quota != nil && p.Quota == nil:
		e.add("remove", "/quota", nil)
	case p.Quota != nil:
		e.add("replace", "/quota/period", p.Quota.Period)
		e.add("replace", "/quota/limit", intText(p.Quota.Limit))
		if p.Quota.Offset != nil {
			e.add("replace", "/quota/offset", intText(p.Quota.Offset))
		}
	}
	switch {
	case old.Throttle != nil && p.Throttle == nil:
		e.add("remove", "/throttle", nil)
	case p.Throttle != nil:
		if p.Throttle.BurstLimit != nil {
			e.add("replace", "/throttle/burstLimit", intText(p.Throttle.BurstLimit))
		}
		if p.Throttle.RateLimit != nil {
			e.add("replace", "/throttle/rateLimit", floatText(p.Throttle.RateLimit))
		}
	}
	var was, now []string
	for i := range old.ApiStages {
		was = append(was, old.ApiStages[i].name())
	}
	for i := range p.ApiStages {
		now = append(now, p.ApiStages[i].name())
	}
	e.list("/apiStages", was, now)
	for i := range p.ApiStages {
		at := "/apiStages/" + p.ApiStages[i].name() + "/throttle"
		e.add("remove", at, nil)
		for _, method := range sortedKeys(p.ApiStages[i].Throttle) {
			t := p.ApiStages[i].Throttle[method]
			if t.RateLimit != nil {
				e.add("replace", at+"/"+patch.Escape(method)+"/rateLimit", floatText(t.RateLimit))
			}
			if t.BurstLimit != nil {
				e.add("replace", at+"/"+patch.Escape(method)+"/burstLimit", intText(t.BurstLimit))
			}
		}
	}
	return e
}

func (g *Gateway) updatePlanResource(ctx context.Context, c service.ResourceCall, old, p *planProperties) (service.Resource, error) {
	if _, err := call[aws.UpdateUsagePlanOutput](ctx, g, "UpdateUsagePlan", &aws.UpdateUsagePlanInput{UsagePlanId: c.PhysicalID, PatchOperations: p.edits(old)}); err != nil {
		return service.Resource{}, err
	}
	return withID(&c.PhysicalID, "Id"), g.retag(ctx, c, "usageplans/"+c.PhysicalID, old.Tags, p.Tags)
}

// deletePlanResource takes the stages out of a plan first, as it cannot be deleted with them.
func (g *Gateway) deletePlanResource(ctx context.Context, c service.ResourceCall, _ *planProperties) error {
	plan, err := call[aws.GetUsagePlanOutput](ctx, g, "GetUsagePlan", &aws.GetUsagePlanInput{UsagePlanId: c.PhysicalID})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var e edits
	for _, st := range plan.ApiStages {
		e.add("remove", "/apiStages", ptr(text(st.ApiId)+":"+text(st.Stage)))
	}
	if len(e) > 0 {
		if _, err := call[aws.UpdateUsagePlanOutput](ctx, g, "UpdateUsagePlan", &aws.UpdateUsagePlanInput{UsagePlanId: c.PhysicalID, PatchOperations: e}); err != nil {
			return err
		}
	}
	return drop[aws.DeleteUsagePlanOutput](ctx, g, "DeleteUsagePlan", &aws.DeleteUsagePlanInput{UsagePlanId: c.PhysicalID})
}

// planKeyProperties are those of AWS::ApiGateway::UsagePlanKey.
type planKeyProperties struct {
	KeyId       string `cfn:"KeyId,required,createOnly"`
	KeyType     string `cfn:"KeyType,required,createOnly"`
	UsagePlanId string `cfn:"UsagePlanId,required,createOnly"`
}

func (g *Gateway) createPlanKeyResource(ctx context.Context, c service.ResourceCall, p *planKeyProperties) (service.Resource, error) {
	_, err := call[aws.CreateUsagePlanKeyOutput](ctx, g, "CreateUsagePlanKey", &aws.CreateUsagePlanKeyInput{UsagePlanId: p.UsagePlanId, KeyId: p.KeyId, KeyType: p.KeyType})
	if c.Retry && service.Code(err) == "ConflictException" {
		err = nil
	}
	return withID(ptr(p.KeyId+":"+p.UsagePlanId), "Id"), err
}

func (g *Gateway) deletePlanKeyResource(ctx context.Context, c service.ResourceCall, _ *planKeyProperties) error {
	key, plan, _ := strings.Cut(c.PhysicalID, ":")
	return drop[aws.DeleteUsagePlanKeyOutput](ctx, g, "DeleteUsagePlanKey", &aws.DeleteUsagePlanKeyInput{UsagePlanId: plan, KeyId: key})
}
