package sam

import "slices"

// capacityProvider expands AWS::Serverless::CapacityProvider into a capacity provider and the role of its operator.
func (t *transform) capacityProvider(s source) error {
	if _, ok := s.properties["VpcConfig"].(object); !ok {
		return invalid(s.id, "Missing required property 'VpcConfig'.")
	}
	tags, ok := tagList("lambda:createdBy", s.properties["Tags"])
	if !ok {
		return invalid(s.id, "Type of property 'Tags' is invalid.")
	}
	p := object{"Tags": tags}
	s.copyTo(p, "CapacityProviderName", "VpcConfig", "KmsKeyArn")
	role, has := s.properties["OperatorRole"]
	if !has {
		roleTags := []any{object{"Key": "lambda:createdBy", "Value": "SAM"}}
		if s.properties["PropagateTags"] == true {
			roleTags = tags
		}
		t.out[s.id+"OperatorRole"] = s.derived("AWS::IAM::Role", object{
			"AssumeRolePolicyDocument": assumeRole(), "Tags": roleTags, "ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/AWSLambdaManagedEC2ResourceOperator"},
		})
		role = getAtt(s.id+"OperatorRole", "Arn")
	}
	p["PermissionsConfig"] = object{"CapacityProviderOperatorRoleArn": role}
	if err := instanceRequirements(s, p); err != nil {
		return err
	}
	if err := capacityScaling(s, p); err != nil {
		return err
	}
	t.out[s.id] = s.primary("AWS::Lambda::CapacityProvider", p)
	return nil
}

// nested reads a property that is a mapping with some of these keys; nil where it is absent.
func nested(s source, property string, keys ...string) (object, error) {
	v, has := s.properties[property]
	if !has || v == nil {
		return nil, nil
	}
	m, ok := v.(object)
	if !ok {
		return nil, invalid(s.id, "Type of property '%s' is invalid.", property)
	}
	for k := range m {
		if !slices.Contains(keys, k) {
			return nil, invalid(s.id, "Invalid key '%s' for '%s' property", k, property)
		}
	}
	return m, nil
}

func instanceRequirements(s source, p object) error {
	m, err := nested(s, "InstanceRequirements", "Architectures", "AllowedTypes", "ExcludedTypes")
	if err != nil || m == nil {
		return err
	}
	if m["AllowedTypes"] != nil && m["ExcludedTypes"] != nil {
		return invalid(s.id, "Cannot specify 'InstanceRequirements.AllowedTypes' and 'InstanceRequirements.ExcludedTypes' together.")
	}
	out := object{}
	for from, to := range map[string]string{"Architectures": "Architectures", "AllowedTypes": "AllowedInstanceTypes", "ExcludedTypes": "ExcludedInstanceTypes"} {
		if v := m[from]; v != nil {
			out[to] = v
		}
	}
	p["InstanceRequirements"] = out
	return nil
}

func capacityScaling(s source, p object) error {
	m, err := nested(s, "ScalingConfig", "MaxVCpuCount", "AverageCPUUtilization")
	if err != nil || m == nil {
		return err
	}
	out := object{"ScalingMode": "Auto"}
	if v := m["MaxVCpuCount"]; v != nil {
		out["MaxVCpuCount"] = v
	}
	if v := m["AverageCPUUtilization"]; v != nil {
		out["ScalingMode"] = "Manual"
		out["ScalingPolicies"] = []any{object{"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": v}}
	}
	p["CapacityProviderScalingConfig"] = out
	return nil
}

// capacityUse sets what runs a function on a capacity provider.
func capacityUse(s source, f object) error {
	m, err := nested(s, "CapacityProviderConfig", "Arn", "PerExecutionEnvironmentMaxConcurrency", "ExecutionEnvironmentMemoryGiBPerVCpu")
	if err != nil {
		return err
	}
	if m == nil {
		if s.properties["FunctionScalingConfig"] != nil {
			return invalid(s.id, "'FunctionScalingConfig' requires 'CapacityProviderConfig'.")
		}
		return nil
	}
	for _, k := range []string{"ProvisionedConcurrencyConfig", "VpcConfig"} {
		if s.properties[k] != nil {
			return invalid(s.id, "Cannot specify 'CapacityProviderConfig' and '%s' together.", k)
		}
	}
	if m["Arn"] == nil {
		return invalid(s.id, "Missing required property 'CapacityProviderConfig.Arn'.")
	}
	out := object{"CapacityProviderArn": m["Arn"]}
	for _, k := range []string{"PerExecutionEnvironmentMaxConcurrency", "ExecutionEnvironmentMemoryGiBPerVCpu"} {
		if v := m[k]; v != nil {
			out[k] = v
		}
	}
	f["CapacityProviderConfig"] = object{"LambdaManagedInstancesCapacityProviderConfig": out}
	return nil
}
