package sam

// capacitySchema are the properties of AWS::Serverless::CapacityProvider.
var capacitySchema = schema{
	{"CapacityProviderName", textOrMap, literal},
	{"VpcConfig", aMap, required | literal},
	{"OperatorRole", textOrMap, literal},
	{"Tags", aMap, literal},
	{"PropagateTags", aBool, literal},
	{"InstanceRequirements", aMap, literal},
	{"ScalingConfig", aMap, literal},
	{"KmsKeyArn", textOrMap, literal},
}

var (
	capacityTexts = orIntrinsic(listModel(orIntrinsic(textModel)))
	capacityModel = objectModel(
		modelField{"CapacityProviderName", anyModel, false},
		modelField{"VpcConfig", objectModel(modelField{"SecurityGroupIds", capacityTexts, false}, modelField{"SubnetIds", capacityTexts, true}), true},
		modelField{"OperatorRole", anyModel, false}, modelField{"Tags", mapModel, false}, modelField{"PropagateTags", boolModel, false},
		modelField{"InstanceRequirements", objectModel(modelField{"Architectures", capacityTexts, false}, modelField{"AllowedTypes", capacityTexts, false}, modelField{"ExcludedTypes", capacityTexts, false}), false},
		modelField{"ScalingConfig", objectModel(modelField{"MaxVCpuCount", orIntrinsic(intModel), false}, modelField{"AverageCPUUtilization", orIntrinsic(numberModel), false}), false},
		modelField{"KmsKeyArn", anyModel, false},
	)
	// capacityUseModel is what a function says about its capacity provider.
	capacityUseModel = objectModel(
		modelField{"Arn", orIntrinsic(textModel), true}, modelField{"PerExecutionEnvironmentMaxConcurrency", orIntrinsic(intModel), false},
		modelField{"ExecutionEnvironmentMemoryGiBPerVCpu", orIntrinsic(numberModel), false},
	)
)

// capacityProvider expands AWS::Serverless::CapacityProvider into a capacity provider, and the role by which it starts instances.
func (t *transform) capacityProvider(s *source) ([]*resource, error) {
	if err := capacityModel.check(s.properties).all(s.id); err != nil {
		return nil, err
	}
	requirements := s.properties.dict("InstanceRequirements")
	if requirements.get("AllowedTypes") != nil && requirements.get("ExcludedTypes") != nil {
		return nil, invalid(s.id, "Cannot specify 'InstanceRequirements.AllowedTypes' and 'InstanceRequirements.ExcludedTypes' together.")
	}
	var made []*resource
	operator := s.get("OperatorRole")
	if !truthy(operator) {
		role := s.beside("AWS::IAM::Role", s.id+"OperatorRole", dictOf("AssumeRolePolicyDocument", assumeRole("lambda.amazonaws.com"),
			"ManagedPolicyArns", []any{t.managedARN("AWSLambdaManagedEC2ResourceOperator")}, "Tags", tagList(dictOf(createdBy, "SAM"))))
		made = append(made, role)
		operator = role.arn()
	}
	given := s.properties.dict("VpcConfig")
	vpc := dictOf("SubnetIds", given.get("SubnetIds"), "SecurityGroupIds", given.get("SecurityGroupIds"))
	tags := s.properties.dict("Tags").copy()
	tags.set(createdBy, "SAM")
	p := dictOf("VpcConfig", vpc, "PermissionsConfig", dictOf("CapacityProviderOperatorRoleArn", operator), "Tags", tagList(tags))
	for _, k := range []string{"CapacityProviderName", "KmsKeyArn"} {
		if v := s.get(k); truthy(v) {
			p.set(k, v)
		}
	}
	if requirements.len() > 0 {
		p.set("InstanceRequirements", dictOf("Architectures", requirements.get("Architectures"), "AllowedInstanceTypes", requirements.get("AllowedTypes"),
			"ExcludedInstanceTypes", requirements.get("ExcludedTypes")))
	}
	if scaling := s.properties.dict("ScalingConfig"); scaling.len() > 0 {
		config := dictOf("MaxVCpuCount", scaling.get("MaxVCpuCount"), "ScalingMode", "Auto")
		if v := scaling.get("AverageCPUUtilization"); v != nil {
			config.set("ScalingMode", "Manual")
			config.set("ScalingPolicies", []any{dictOf("PredefinedMetricType", "LambdaCapacityProviderAverageCPUUtilization", "TargetValue", v)})
		}
		p.set("CapacityProviderScalingConfig", config)
	}
	made = append(made, s.main("AWS::Lambda::CapacityProvider", p))
	if own := s.properties.dict("Tags"); truthy(s.get("PropagateTags")) && own.len() > 0 {
		for _, r := range made {
			combineTags(r, own)
		}
	}
	return made, nil
}

// combineTags adds tags to those that a resource has.
func combineTags(r *resource, tags *dict) {
	all := newDict()
	for _, v := range append(append([]any{}, asList(r.get("Tags"))...), tagList(tags)...) {
		d, _ := v.(*dict)
		k, _ := text(d.get("Key"))
		all.set(k, d.get("Value"))
	}
	r.set("Tags", tagList(all))
}
