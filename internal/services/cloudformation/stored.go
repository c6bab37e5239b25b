package cloudformation

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
)

// stored reads the values of parameters that name entries of the Parameter Store, as the caller, and notes them in values.
func (s *Service) stored(ctx context.Context, t *template.Template, values map[string]string) func(parameter, name string) (string, error) {
	return func(parameter, name string) (string, error) {
		out, err := service.Call[ssm.GetParameterOutput](ctx, s.Door, "ssm", "GetParameter", &ssm.GetParameterInput{Name: name})
		if missingParameter(err) && t.Parameters[parameter].Default == nil { // in which case CloudFormation says no more
			return "", template.Errorf("Parameter %s should either have input value or default value", parameter)
		}
		if missingParameter(err) {
			return "", template.Errorf("Unable to fetch parameters [%s] from parameter store for this account.", name)
		}
		if err != nil {
			return "", err
		}
		if out.Parameter.Type == ssm.ParameterTypeSecureString {
			return "", template.Errorf("Parameters [%s] referenced by template have types not supported by CloudFormation.", name)
		}
		values[parameter] = deref(out.Parameter.Value)
		return values[parameter], nil
	}
}

func missingParameter(err error) bool {
	return slices.Contains([]string{"ParameterNotFound", "ParameterVersionNotFound"}, service.Code(err))
}

// resolvedIn returns the values that were read before, when the operation was asked for.
func resolvedIn(list []parameterRecord) func(parameter, name string) (string, error) {
	return func(parameter, _ string) (string, error) {
		i := slices.IndexFunc(list, func(p parameterRecord) bool { return p.Key == parameter })
		if i < 0 {
			return "", nil
		}
		return list[i].Resolved, nil
	}
}

// dynamic returns the value of a dynamic reference, read as the principal that deploys.
func (s *Service) dynamic(ctx context.Context, d template.Dynamic) (string, error) {
	if d.Service == "secretsmanager" {
		return s.secret(ctx, d)
	}
	name := d.Name
	if d.Version != "" {
		name += ":" + d.Version
	}
	secure := d.Service == "ssm-secure"
	out, err := service.Call[ssm.GetParameterOutput](ctx, s.Door, "ssm", "GetParameter", &ssm.GetParameterInput{Name: name, WithDecryption: &secure})
	switch {
	case missingParameter(err):
		return "", template.Errorf("Parameters: [%s] cannot be found.", d.Name)
	case err != nil:
		return "", err
	case out.Parameter.Type == ssm.ParameterTypeSecureString && !secure:
		return "", template.Errorf("SSM Secure reference is not supported in: {{resolve:ssm:%s}}. Use ssm-secure.", d.Name)
	}
	return deref(out.Parameter.Value), nil
}

func (s *Service) secret(ctx context.Context, d template.Dynamic) (string, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: d.Name, VersionStage: optional(d.Stage), VersionId: optional(d.VersionID)}
	out, err := service.Call[secretsmanager.GetSecretValueOutput](ctx, s.Door, "secretsmanager", "GetSecretValue", in)
	if err != nil {
		return "", err
	}
	text := deref(out.SecretString)
	if d.Key == "" {
		return text, nil
	}
	var members map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&members); err != nil {
		return "", template.Errorf("Could not parse SecretString JSON of the secret %s", d.Name)
	}
	v, ok := members[d.Key]
	if !ok {
		return "", template.Errorf("Could not find a value associated with JSONKey %s in SecretString of the secret %s", d.Key, d.Name)
	}
	if text, ok := v.(string); ok {
		return text, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// checkTypes refuses resources whose types a call does not allow, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html.
func checkTypes(t *template.Template, allowed []string) error {
	if len(allowed) == 0 {
		return nil
	}
	for _, r := range t.Resources {
		ok := slices.ContainsFunc(allowed, func(pattern string) bool {
			prefix, wild := strings.CutSuffix(pattern, "*")
			return pattern == r.Type || wild && strings.HasSuffix(prefix, "::") && strings.HasPrefix(r.Type, prefix) || pattern == "AWS::*" && strings.HasPrefix(r.Type, "AWS::")
		})
		if !ok {
			return invalid("Resource type %s is not allowed by parameter ResourceTypes [%s]", r.Type, strings.Join(allowed, ", "))
		}
	}
	return nil
}
