package sam

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed policies.json
var policyData []byte

type policyTemplate struct {
	Parameters []string
	Definition object
}

var policyTemplates = sync.OnceValues(func() (map[string]policyTemplate, error) {
	var m map[string]policyTemplate
	if err := json.Unmarshal(policyData, &m); err != nil {
		return nil, fmt.Errorf("read the policy templates: %w", err)
	}
	return m, nil
})

// servicePolicies are the AWS managed policies under the path service-role/ that functions use.
var servicePolicies = []string{
	"AWSLambdaBasicDurableExecutionRolePolicy", "AWSLambdaBasicExecutionRole", "AWSLambdaDynamoDBExecutionRole", "AWSLambdaENIManagementAccess",
	"AWSLambdaKinesisExecutionRole", "AWSLambdaMSKExecutionRole", "AWSLambdaRole", "AWSLambdaSQSQueueExecutionRole", "AWSLambdaVPCAccessExecutionRole",
	"AmazonAPIGatewayPushToCloudWatchLogs",
}

func managedARN(name string) string {
	if slices.Contains(servicePolicies, name) {
		name = "service-role/" + name
	}
	return "arn:aws:iam::aws:policy/" + name
}

// managedPrefixes begin the names of the policies that AWS manages.
var managedPrefixes = []string{"AWS", "Amazon", "CloudWatch", "AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess", "SecurityAudit", "ViewOnlyAccess"}

// policies splits the Policies property into managed policies and inline documents.
func policies(s source) (managed, inline []any, err error) {
	var list []any
	switch v := s.properties["Policies"].(type) {
	case nil:
		return nil, nil, nil
	case []any:
		list = v
	case string, object:
		list = []any{v}
	default:
		return nil, nil, invalid(s.id, "Type of property 'Policies' is invalid.")
	}
	for i, p := range list {
		switch v := p.(type) {
		case string:
			if !strings.HasPrefix(v, "arn:") && slices.ContainsFunc(managedPrefixes, func(prefix string) bool { return strings.HasPrefix(v, prefix) }) {
				v = managedARN(v)
			}
			managed = append(managed, v)
		case object:
			document, isInline, err := policyDocument(s.id, v)
			if err != nil {
				return nil, nil, err
			}
			if !isInline {
				managed = append(managed, v)
				continue
			}
			inline = append(inline, object{"PolicyName": fmt.Sprintf("%sRolePolicy%d", s.id, i), "PolicyDocument": document})
		default:
			return nil, nil, invalid(s.id, "Type of property 'Policies' is invalid.")
		}
	}
	return managed, inline, nil
}

// policyDocument returns the document of a statement list or a policy template; anything else is a reference to a managed policy.
func policyDocument(id string, p object) (object, bool, error) {
	if _, has := p["Statement"]; has {
		return p, true, nil
	}
	if name, _, ok := intrinsic(p); ok {
		if name == "Fn::If" {
			return nil, false, invalid(id, "Lambent does not support Fn::If in Policies. Use a condition on the function, or attach the policy to the role.")
		}
		return nil, false, nil
	}
	templates, err := policyTemplates()
	if err != nil {
		return nil, false, err
	}
	if len(p) != 1 {
		return nil, false, invalid(id, "A policy must be a name, a document with a Statement, or one policy template with its parameters.")
	}
	for name, given := range p {
		t, known := templates[name]
		if !known {
			return nil, false, invalid(id, "Specified policy template %q does not exist. The known ones are %s.", name, strings.Join(slices.Sorted(maps.Keys(templates)), ", "))
		}
		values, ok := given.(object)
		if !ok && given != nil {
			return nil, false, invalid(id, "Must specify valid parameter values for policy template '%s'", name)
		}
		var missing []string
		for _, parameter := range t.Parameters {
			if _, has := values[parameter]; !has {
				missing = append(missing, "'"+parameter+"'")
			}
		}
		if len(missing) > 0 {
			return nil, false, invalid(id, "Following required parameters of policy template '%s' don't have values: [%s]", name, strings.Join(missing, ", "))
		}
		if err := checkKeys(id, values, t.Parameters); err != nil {
			return nil, false, err
		}
		return substitute(clone(t.Definition), values).(object), true, nil
	}
	return nil, false, nil
}

// substitute replaces the references to a policy template's parameters.
func substitute(v any, values object) any {
	switch x := v.(type) {
	case object:
		if name, a, ok := intrinsic(x); ok && name == "Ref" {
			if s, ok := a.(string); ok {
				if value, has := values[s]; has {
					return value
				}
			}
		}
		for k, e := range x {
			x[k] = substitute(e, values)
		}
	case []any:
		for i, e := range x {
			x[i] = substitute(e, values)
		}
	}
	return v
}
