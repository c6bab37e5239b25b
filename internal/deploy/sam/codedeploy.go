package sam

import "slices"

const (
	codeDeployApplication = "ServerlessDeploymentApplication"
	codeDeployRole        = "CodeDeployServiceRole"
	codeDeployCondition   = "ServerlessCodeDeployCondition"
)

// deployments are the functions whose new versions take over from the old ones bit by bit.
type deployments struct{ list []*deployment }

// deployment is what a function says about that.
type deployment struct {
	function string
	given    *dict
	enabled  bool
	// condition is that of the function, if what CodeDeploy needs is to depend on it.
	condition any
	tags      *dict
}

// deployGradually reads the function's DeploymentPreference and gives its alias the update policy.
func (f *aFunction) deployGradually() error {
	given := f.properties.dict("DeploymentPreference")
	if given.len() == 0 {
		return nil
	}
	for _, k := range []string{"Enabled", "Type"} {
		if given.has(k) {
			v, err := f.resolveBoth(given.get(k))
			if err != nil {
				return err
			}
			given.set(k, v)
		}
	}
	conditional, err := f.passesCondition(given)
	if err != nil {
		return err
	}
	d := &deployment{function: f.id, given: given}
	d.enabled = !given.has("Enabled") || truthy(given.get("Enabled")) && !is(given.get("Enabled"), "false", "False")
	if d.enabled {
		if !given.has("Type") {
			return invalid(f.id, "'DeploymentPreference' is missing required Property 'Type'")
		}
		if given.has("Hooks") && given.dict("Hooks") == nil {
			return invalid(f.id, "'Hooks' property of 'DeploymentPreference' must be a dictionary")
		}
		if conditional {
			d.condition = f.attributes.get("Condition")
		}
		if truthy(f.get("PropagateTags")) {
			d.tags = f.properties.dict("Tags")
		}
	}
	f.deployments.list = append(f.deployments.list, d)
	if !d.enabled {
		return nil
	}
	if f.alias == nil {
		return invalid(f.id, "'DeploymentPreference' requires AutoPublishAlias property to be specified.")
	}
	hooks := given.dict("Hooks")
	f.alias.attributes.set("UpdatePolicy", dictOf("CodeDeployLambdaAliasUpdate", dictOf("ApplicationName", ref(codeDeployApplication), "DeploymentGroupName", ref(f.id+"DeploymentGroup"),
		"BeforeAllowTrafficHook", hooks.get("PreTraffic"), "AfterAllowTrafficHook", hooks.get("PostTraffic"))))
	return nil
}

// passesCondition tells whether what CodeDeploy needs depends on the function's condition.
func (f *aFunction) passesCondition(given *dict) (bool, error) {
	const key = "PassthroughCondition"
	if !given.has(key) {
		return false, nil
	}
	v, err := f.resolveBoth(given.get(key))
	switch {
	case err != nil:
		return false, err
	case v == true || is(v, "true", "True"):
		return true, nil
	case v == false || is(v, "false", "False"):
		return false, nil
	case isIntrinsic(v):
		return false, invalid(f.id, "Unsupported intrinsic: the only intrinsic functions supported for property %s are FindInMap and parameter Refs.", key)
	}
	return false, invalid(f.id, "Invalid value for property %s.", key)
}

// deployWithCodeDeploy makes the application, the role and the deployment groups of all functions that are deployed bit by bit.
func (t *transform) deployWithCodeDeploy() error {
	all := t.deployments.list
	enabled := slices.DeleteFunc(slices.Clone(all), func(d *deployment) bool { return !d.enabled })
	if len(enabled) == 0 {
		return nil
	}
	attributes, tags := newDict(), newDict()
	if c := t.deploymentCondition(enabled); c != nil {
		attributes.set("Condition", c)
	}
	for _, d := range enabled {
		tags.update(d.tags)
	}
	application := newResource("AWS::CodeDeploy::Application", codeDeployApplication, attributes, dictOf("ComputePlatform", "Lambda"))
	policy := "service-role/AWSCodeDeployRoleForLambda"
	if p := t.partition(); p == "aws-iso" || p == "aws-iso-b" {
		policy += "Limited"
	}
	role := newResource("AWS::IAM::Role", codeDeployRole, attributes, dictOf("AssumeRolePolicyDocument", assumeRole("codedeploy.amazonaws.com"), "ManagedPolicyArns", []any{t.managedARN(policy)}))
	made := []*resource{application}
	if slices.ContainsFunc(enabled, func(d *deployment) bool { return !truthy(d.given.get("Role")) }) {
		made = append(made, role)
	}
	for _, r := range made {
		if tags.len() > 0 {
			r.set("Tags", tagList(tags))
		}
		t.made.set(r.id, r.entry())
	}
	for _, d := range enabled {
		g, err := d.group()
		if err != nil {
			if err := t.collect(err); err != nil {
				return err
			}
			continue
		}
		t.made.set(g.id, g.entry())
	}
	return nil
}

// deploymentCondition is the condition under which at least one of the functions is there; nil if one always is.
func (t *transform) deploymentCondition(enabled []*deployment) any {
	var conditions []any
	for _, d := range enabled {
		if !truthy(d.condition) {
			return nil
		}
		if !contains(conditions, d.condition) {
			conditions = append(conditions, d.condition)
		}
	}
	if len(conditions) == 1 {
		return conditions[0]
	}
	t.conditions.update(orConditions(conditions, codeDeployCondition))
	return codeDeployCondition
}

// group is the deployment group of a function.
func (d *deployment) group() (*resource, error) {
	alarms, err := d.alarms(d.given.get("Alarms"))
	if err != nil {
		return nil, err
	}
	p := dictOf("AlarmConfiguration", alarms, "ApplicationName", ref(codeDeployApplication),
		"AutoRollbackConfiguration", dictOf("Enabled", true, "Events", []any{"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"}),
		"DeploymentConfigName", deploymentConfig(clone(d.given.get("Type")), ""),
		"DeploymentStyle", dictOf("DeploymentType", "BLUE_GREEN", "DeploymentOption", "WITH_TRAFFIC_CONTROL"),
		"ServiceRoleArn", getAtt(codeDeployRole, "Arn"))
	if v := d.given.get("Role"); truthy(v) {
		p.set("ServiceRoleArn", v)
	}
	if v := d.given.get("TriggerConfigurations"); truthy(v) {
		p.set("TriggerConfigurations", v)
	}
	if d.tags.len() > 0 {
		p.set("Tags", tagList(d.tags))
	}
	attributes := newDict()
	if truthy(d.condition) {
		attributes.set("Condition", d.condition)
	}
	return newResource("AWS::CodeDeploy::DeploymentGroup", d.function+"DeploymentGroup", attributes, p), nil
}

func (d *deployment) alarms(v any) (any, error) {
	if !truthy(v) || isNoValue(v) {
		return nil, nil
	}
	arguments, ok, err := asIf(v)
	if err != nil {
		return nil, invalid(d.function, "%v", err)
	}
	if !ok {
		return d.alarmConfiguration(v)
	}
	then, err := d.alarmConfiguration(arguments[1])
	if err != nil {
		return nil, err
	}
	otherwise, err := d.alarmConfiguration(arguments[2])
	return dictOf("Fn::If", []any{arguments[0], then, otherwise}), err
}

func (d *deployment) alarmConfiguration(v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, invalid(d.function, "Alarms must be a list")
	}
	if len(list) == 0 || isNoValue(list[0]) {
		return newDict(), nil
	}
	alarms := make([]any, len(list))
	for i, e := range list {
		alarms[i] = dictOf("Name", e)
	}
	return dictOf("Enabled", true, "Alarms", alarms), nil
}

// predefinedDeployments are the ways of CodeDeploy to shift traffic, see
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html.
var predefinedDeployments = []string{
	"Canary10Percent5Minutes", "Canary10Percent10Minutes", "Canary10Percent15Minutes", "Canary10Percent30Minutes", "Linear10PercentEvery1Minute", "Linear10PercentEvery2Minutes",
	"Linear10PercentEvery3Minutes", "Linear10PercentEvery10Minutes", "AllAtOnce",
}

// deploymentConfig replaces the short names of CodeDeploy's configurations anywhere in a value; in is the function that the value is the argument of.
func deploymentConfig(v any, in string) any {
	switch x := v.(type) {
	case []any:
		for i, e := range x {
			x[i] = deploymentConfig(e, "")
		}
	case *dict:
		if isIntrinsic(x) {
			k := x.names()[0].text
			x.set(k, deploymentConfig(x.get(k), k))
		}
	}
	if !is(v, predefinedDeployments...) {
		return v
	}
	full := sub("CodeDeployDefault.Lambda${ConfigName}", "ConfigName", v)
	if in == "Fn::Sub" {
		return full.get("Fn::Sub")
	}
	return full
}
