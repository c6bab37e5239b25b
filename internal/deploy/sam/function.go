package sam

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// function expands AWS::Serverless::Function into a function, its role and what its events need.
func (t *transform) function(s source) error {
	code, err := t.code(s)
	if err != nil {
		return err
	}
	f := object{"Code": code}
	s.copyTo(f, "FunctionName", "Handler", "Runtime", "Description", "MemorySize", "Timeout", "VpcConfig", "Role", "Environment", "KmsKeyArn",
		"ReservedConcurrentExecutions", "Layers", "FileSystemConfigs", "PackageType", "Architectures", "SnapStart", "EphemeralStorage",
		"RuntimeManagementConfig", "LoggingConfig", "RecursiveLoop", "ImageConfig", "CodeSigningConfigArn", "DurableConfig",
		"FunctionScalingConfig", "PublishToLatestPublished", "TenancyConfig")
	if f["PackageType"] != "Image" && (f["Handler"] == nil || f["Runtime"] == nil) {
		return invalid(s.id, "Runtime and Handler needs to be present when PackageType is of type `Zip`")
	}
	tags, ok := tagList("lambda:createdBy", s.properties["Tags"])
	if !ok {
		return invalid(s.id, "Type of property 'Tags' is invalid.")
	}
	f["Tags"] = tags
	if mode, has := s.properties["Tracing"]; has && t.resolve(mode) != "Disabled" {
		f["TracingConfig"] = object{"Mode": mode}
	}
	if err := deadLetter(s, f); err != nil {
		return err
	}
	if err := capacityUse(s, f); err != nil {
		return err
	}
	if _, has := f["Role"]; has {
		if name, _, _ := intrinsic(f["Role"]); name == "Fn::If" {
			return invalid(s.id, "Lambent does not support Fn::If in Role. Use two functions with conditions.")
		}
	} else {
		role, err := t.role(s, tags)
		if err != nil {
			return err
		}
		t.out[s.id+"Role"] = role
		f["Role"] = getAtt(s.id+"Role", "Arn")
	}
	t.out[s.id] = s.primary("AWS::Lambda::Function", f)
	if s.target, err = t.alias(s, f); err != nil {
		return err
	}
	if err := t.invokeConfig(s); err != nil {
		return err
	}
	if err := t.functionURL(s, s.target); err != nil {
		return err
	}
	return t.events(s)
}

func deadLetter(s source, f object) error {
	v, has := s.properties["DeadLetterQueue"]
	if !has {
		return nil
	}
	q, _ := v.(object)
	if q["Type"] == nil || q["TargetArn"] == nil {
		return invalid(s.id, "'DeadLetterQueue' requires Type and TargetArn properties to be specified.")
	}
	if q["Type"] != "SQS" && q["Type"] != "SNS" {
		return invalid(s.id, "'DeadLetterQueue' requires Type of ['SQS', 'SNS']")
	}
	f["DeadLetterConfig"] = object{"TargetArn": q["TargetArn"]}
	return nil
}

// code returns the Code property of the function.
func (t *transform) code(s source) (object, error) {
	switch v := s.properties["PackageType"]; v {
	case nil, "Zip":
	case "Image":
		if s.properties["ImageUri"] == nil {
			return nil, invalid(s.id, "Missing required property 'ImageUri'.")
		}
		return object{"ImageUri": s.properties["ImageUri"]}, nil
	default:
		return nil, invalid(s.id, "PackageType needs to be `Zip` or `Image`")
	}
	if s.properties["ImageUri"] != nil {
		return nil, invalid(s.id, "Runtime and Handler needs to be present when PackageType is of type `Zip`")
	}
	if inline, has := s.properties["InlineCode"]; has {
		return object{"ZipFile": inline}, nil
	}
	uri, has := s.properties["CodeUri"]
	if !has {
		return nil, invalid(s.id, "Only one of 'InlineCode' or 'CodeUri' can be set.")
	}
	return location(s.id, "CodeUri", uri, "S3Bucket", "S3Key", "S3ObjectVersion")
}

// location reads a place in S3, written as a URI or as a mapping.
func location(id, property string, v any, bucket, key, version string) (object, error) {
	switch u := v.(type) {
	case object:
		if u["Bucket"] == nil || u["Key"] == nil {
			return nil, invalid(id, "'%s' requires Bucket and Key properties to be specified.", property)
		}
		out := object{bucket: u["Bucket"], key: u["Key"]}
		if u["Version"] != nil {
			out[version] = u["Version"]
		}
		return out, nil
	case string:
		rest, ok := strings.CutPrefix(u, "s3://")
		b, k, ok2 := strings.Cut(rest, "/")
		if ok && ok2 && b != "" && k != "" {
			out := object{bucket: b, key: k}
			if path, query, has := strings.Cut(k, "?"); has {
				values, err := url.ParseQuery(query)
				if err == nil && values.Get("versionId") != "" {
					out[key], out[version] = path, values.Get("versionId")
				}
			}
			return out, nil
		}
	}
	return nil, invalid(id, "'%s' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter. Package local folders first: lambent deploy does.", property)
}

// role makes the function's execution role.
func (t *transform) role(s source, tags []any) (object, error) {
	managed := []any{managedARN("AWSLambdaBasicExecutionRole")}
	if mode, has := s.properties["Tracing"]; has && t.resolve(mode) != "Disabled" {
		managed = append(managed, "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess")
	}
	if s.properties["VpcConfig"] != nil {
		managed = append(managed, managedARN("AWSLambdaVPCAccessExecutionRole"))
	}
	if s.properties["DurableConfig"] != nil {
		managed = append(managed, managedARN("AWSLambdaBasicDurableExecutionRolePolicy"))
	}
	p := object{"AssumeRolePolicyDocument": assumeRole(), "Tags": tags}
	if v, has := s.properties["AssumeRolePolicyDocument"]; has {
		p["AssumeRolePolicyDocument"] = v
	}
	var inline []any
	if q, ok := s.properties["DeadLetterQueue"].(object); ok {
		action := map[any]string{"SQS": "sqs:SendMessage", "SNS": "sns:Publish"}[q["Type"]]
		inline = append(inline, object{"PolicyName": "DeadLetterQueuePolicy", "PolicyDocument": object{
			"Version":   "2012-10-17",
			"Statement": []any{object{"Action": action, "Resource": q["TargetArn"], "Effect": "Allow"}},
		}})
	}
	more, documents, err := policies(s)
	if err != nil {
		return nil, err
	}
	for _, arn := range append(more, t.eventPolicies(s)...) {
		if !slices.ContainsFunc(managed, func(have any) bool { return same(have, arn) }) {
			managed = append(managed, arn)
		}
	}
	sending, err := t.destinationPolicies(s)
	if err != nil {
		return nil, err
	}
	if inline = append(append(inline, documents...), sending...); len(inline) > 0 {
		p["Policies"] = inline
	}
	p["ManagedPolicyArns"] = managed
	if v, has := s.properties["RolePath"]; has {
		p["Path"] = v
	}
	s.copyTo(p, "PermissionsBoundary")
	return s.derived("AWS::IAM::Role", p), nil
}

func assumeRole() object {
	return object{"Version": "2012-10-17", "Statement": []any{object{
		"Action": []any{"sts:AssumeRole"}, "Effect": "Allow", "Principal": object{"Service": []any{"lambda.amazonaws.com"}},
	}}}
}

func same(a, b any) bool {
	x, err1 := canonical(a)
	y, err2 := canonical(b)
	return err1 == nil && err2 == nil && x == y
}

// events expands the function's event sources, the default route first, so that it can save the permissions of others.
func (t *transform) events(s source) error {
	v, has := s.properties["Events"]
	if !has || v == nil {
		return nil
	}
	events, ok := v.(object)
	if !ok {
		return invalid(s.id, "Type of property 'Events' is invalid.")
	}
	names := slices.SortedFunc(maps.Keys(events), func(a, b string) int {
		if c := strings.Compare(eventOrder(a, events[a]), eventOrder(b, events[b])); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		e, _ := events[name].(object)
		typ, _ := e["Type"].(string)
		p, ok := e["Properties"].(object)
		if typ == "" || !ok && e["Properties"] != nil {
			return invalid(s.id, "Event with id [%s] is invalid. It needs a Type and Properties that are a map.", name)
		}
		expand, known := eventTypes[typ]
		if !known {
			return invalid(s.id, "Event with id [%s] is invalid. Lambent does not support the event type %s. Supported are %s.", name, typ, strings.Join(slices.Sorted(maps.Keys(eventTypes)), ", "))
		}
		if err := expand(t, event{source: s, name: name, properties: p}); err != nil {
			return err
		}
	}
	return nil
}

func eventOrder(name string, e any) string {
	m, _ := e.(object)
	p, _ := m["Properties"].(object)
	if path, ok := p["Path"].(string); ok {
		return path
	}
	return name
}
