package sam

import "slices"

const (
	sharedPlan      = "ServerlessUsagePlan"
	sharedCondition = "SharedUsagePlanCondition"
)

// sharedUsagePlan is the usage plan that several APIs share, as far as it is known.
type sharedUsagePlan struct {
	apis                         []any
	stages, keys                 []any
	conditions                   []any
	unconditional                bool
	deletionPolicy, updatePolicy any
}

// attributes adds the attributes of one more API, and returns those of the plan.
func (p *sharedUsagePlan) attributes(api *dict, template *dict, conditions *dict) (*dict, error) {
	if v := api.get("DeletionPolicy"); truthy(v) && (p.deletionPolicy == nil || is(v, "Retain")) {
		p.deletionPolicy = v
	}
	if v := api.get("UpdateReplacePolicy"); truthy(v) && (p.updatePolicy == nil || is(v, "Retain") || is(v, "Snapshot") && is(p.updatePolicy, "Delete")) {
		p.updatePolicy = v
	}
	if err := p.addCondition(api.get("Condition"), template, conditions); err != nil {
		return nil, err
	}
	out := dictOf("DeletionPolicy", p.deletionPolicy, "UpdateReplacePolicy", p.updatePolicy)
	if len(p.conditions) > 0 && !p.unconditional {
		out.set("Condition", sharedCondition)
	}
	return out, nil
}

// addCondition lets the plan exist when one of its APIs does.
func (p *sharedUsagePlan) addCondition(c any, template, conditions *dict) error {
	switch {
	case p.unconditional:
	case c == nil:
		p.unconditional = true
		conditions.remove(sharedCondition)
	case !contains(p.conditions, c):
		if template.dict("Conditions") == nil {
			return invalidTemplate("Can't have condition without having 'Conditions' section in the template")
		}
		if p.conditions = append(p.conditions, c); len(p.conditions) == 1 {
			conditions.set(sharedCondition, c)
		} else {
			conditions.set(sharedCondition, combine("Fn::Or", p.conditions...))
		}
	}
	return nil
}

// usagePlanFor makes the usage plan of the API, with a key for it; nil if it has none.
func (a *restAPI) usagePlanFor(stage *resource) ([]*resource, error) {
	v := a.properties.dict("Auth").get("UsagePlan")
	if v == nil {
		return nil, nil
	}
	given, ok := v.(*dict)
	if !ok {
		return nil, invalid(a.id, "'UsagePlan' must be a dictionary")
	}
	for k := range given.all() {
		if !slices.Contains([]string{"CreateUsagePlan", "Description", "Quota", "Tags", "Throttle", "UsagePlanName"}, k) {
			return nil, invalid(a.id, "Invalid property for 'UsagePlan'")
		}
	}
	mode := given.get("CreateUsagePlan")
	switch {
	case mode == nil:
		return nil, invalid(a.id, "'CreateUsagePlan' is a required field for UsagePlan.")
	case !is(mode, "SHARED", "PER_API", "NONE"):
		return nil, invalid(a.id, "'CreateUsagePlan' accepts one of %s.", texts("SHARED", "PER_API", "NONE"))
	case is(mode, "NONE"):
		return nil, nil
	}
	apiStage, stageKey := dictOf("ApiId", ref(a.id), "Stage", stage.ref()), dictOf("RestApiId", ref(a.id), "StageName", stage.ref())
	planID, keyID, linkID := a.id+"UsagePlan", a.id+"ApiKey", a.id+"UsagePlanKey"
	apis, stages, keys := []any{a.id}, []any{apiStage}, []any{stageKey}
	attributes := a.handedDown()
	if is(mode, "SHARED") {
		planID, keyID, linkID = sharedPlan, "ServerlessApiKey", "ServerlessUsagePlanKey"
		p := &a.usagePlan
		for _, add := range []struct {
			to *[]any
			v  any
		}{{&p.apis, a.id}, {&p.stages, apiStage}, {&p.keys, stageKey}} {
			if !contains(*add.to, add.v) {
				*add.to = append(*add.to, add.v)
			}
		}
		apis, stages, keys = slices.Clone(p.apis), slices.Clone(p.stages), slices.Clone(p.keys)
		var err error
		if attributes, err = p.attributes(attributes, a.out, a.conditions); err != nil {
			return nil, err
		}
	}
	plan := newResource("AWS::ApiGateway::UsagePlan", planID, attributes, dictOf("ApiStages", stages))
	plan.dependsOn = apis
	for _, k := range []string{"UsagePlanName", "Description", "Quota", "Tags", "Throttle"} {
		if v := given.get(k); truthy(v) {
			plan.set(k, v)
		}
	}
	key := newResource("AWS::ApiGateway::ApiKey", keyID, attributes, dictOf("Enabled", true, "StageKeys", keys))
	key.dependsOn = []any{planID}
	link := newResource("AWS::ApiGateway::UsagePlanKey", linkID, attributes, dictOf("KeyId", key.ref(), "KeyType", "API_KEY", "UsagePlanId", ref(planID)))
	link.dependsOn = []any{keyID}
	return []*resource{plan, key, link}, nil
}
