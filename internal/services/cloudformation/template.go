package cloudformation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/sam"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// expanded is a template with its transforms run.
type expanded struct {
	template   *template.Template
	transforms []string
	processed  string
}

// expand reads a template's text and runs its transforms. given are the values that a call passes for its parameters.
func expand(text, region string, given map[string]string) (*expanded, error) {
	d, err := template.Parse([]byte(text))
	if err != nil {
		return nil, visible(err)
	}
	e := &expanded{}
	if e.transforms, err = template.Transforms(d); err != nil {
		return nil, visible(err)
	}
	for _, name := range e.transforms {
		if name != sam.Name && name != "AWS::LanguageExtensions" {
			return nil, invalid("Lambent does not support the transform %s. Supported is %s.", name, sam.Name)
		}
	}
	if slices.Contains(e.transforms, "AWS::LanguageExtensions") && usesForEach(d.Root) {
		return nil, invalid("Lambent does not support Fn::ForEach. Write the repeated entries out.")
	}
	if slices.Contains(e.transforms, sam.Name) {
		if d, err = sam.Transform(d, defaults(d.Root, region, given)); err != nil {
			return nil, visible(err)
		}
	} else if len(e.transforms) > 0 {
		root := maps.Clone(d.Root)
		delete(root, "Transform")
		d = d.WithRoot(root)
	}
	if e.template, err = template.Decode(d); err != nil {
		return nil, visible(err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d.Root); err != nil {
		return nil, invalid("Template format error: %v", err)
	}
	e.processed = b.String()
	return e, nil
}

func usesForEach(v any) bool {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if strings.HasPrefix(k, "Fn::ForEach") || usesForEach(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, usesForEach)
	}
	return false
}

// defaults returns the parameter values that a transform may use.
func defaults(root map[string]any, region string, given map[string]string) map[string]any {
	values := map[string]any{"AWS::Region": region}
	parameters, _ := root["Parameters"].(map[string]any)
	for name, p := range parameters {
		m, _ := p.(map[string]any)
		if v, has := m["Default"]; has {
			values[name] = v
		}
		if v, has := given[name]; has {
			values[name] = v
		}
	}
	return values
}

// capabilities returns what a template needs the caller to acknowledge, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html.
func (e *expanded) capabilities() (needed, because []string) {
	named, has := map[string]string{
		"AWS::IAM::Role": "RoleName", "AWS::IAM::User": "UserName", "AWS::IAM::Group": "GroupName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::InstanceProfile": "InstanceProfileName",
	}, map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(e.template.Resources)) {
		r := e.template.Resources[id]
		if !strings.HasPrefix(r.Type, "AWS::IAM::") {
			continue
		}
		if !slices.Contains(because, r.Type) {
			because = append(because, r.Type)
		}
		name := "CAPABILITY_IAM"
		if property, can := named[r.Type]; can && r.Properties[property] != nil {
			name = "CAPABILITY_NAMED_IAM"
		}
		has[name] = true
	}
	if has["CAPABILITY_NAMED_IAM"] {
		needed = append(needed, "CAPABILITY_NAMED_IAM")
	} else if has["CAPABILITY_IAM"] {
		needed = append(needed, "CAPABILITY_IAM")
	}
	return needed, because
}

func (e *expanded) checkCapabilities(given []string, direct bool) error {
	needed, _ := e.capabilities()
	if direct && len(e.transforms) > 0 {
		needed = append(needed, "CAPABILITY_AUTO_EXPAND")
	}
	var missing []string
	for _, c := range needed {
		if !slices.Contains(given, c) && !(c == "CAPABILITY_IAM" && slices.Contains(given, "CAPABILITY_NAMED_IAM")) {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		return lacking(missing)
	}
	return nil
}

// proposal is what a call asks for, read and planned.
type proposal struct {
	text       string
	expanded   *expanded
	deployment deployment
	plan       *deploy.Plan
	// outputs tells that the stack's outputs differ.
	outputs bool
}

type request struct {
	kind               string
	body, location     *string
	usePrevious        bool
	parameters         []cloudformation.Parameter
	capabilities       []string
	tags               []cloudformation.Tag
	roleARN, onFailure string
	direct             bool
}

// propose reads the template and the values of a request and plans it against the stack, which is nil for a new one.
func (s *Service) propose(ctx context.Context, q request, stack *stackRecord, stackID, stackName string) (*proposal, error) {
	text, err := s.text(ctx, q.body, q.location)
	if err != nil {
		return nil, err
	}
	if q.usePrevious {
		if text != "" || stack == nil || stack.TemplateID == "" {
			return nil, invalid("UsePreviousTemplate needs a stack that has a template, and neither TemplateBody nor TemplateURL")
		}
		if text, err = s.storedTemplate(ctx, stack.TemplateID, "Original"); err != nil {
			return nil, err
		}
	}
	if text == "" {
		return nil, invalid("Either Template URL or Template Body must be specified.")
	}
	given, err := values(q.parameters, stack)
	if err != nil {
		return nil, err
	}
	p := &proposal{text: text}
	if p.expanded, err = expand(text, placeOf(ctx).region, given); err != nil {
		return nil, err
	}
	if err := p.expanded.checkCapabilities(q.capabilities, q.direct); err != nil {
		return nil, err
	}
	t := p.expanded.template
	resolved, err := t.Values(given)
	if err != nil {
		return nil, visible(err)
	}
	p.deployment = deployment{
		Kind: q.kind, Description: t.Description, Parameters: parameterRecords(t, given), Capabilities: q.capabilities,
		RoleARN: q.roleARN, OnFailure: q.onFailure, Tags: tagMap(q.tags),
	}
	if q.tags == nil && stack != nil {
		p.deployment.Tags = stack.Tags
	}
	if q.roleARN == "" && stack != nil {
		p.deployment.RoleARN = stack.RoleARN
	}
	if err := s.checkRole(ctx, q.roleARN); err != nil {
		return nil, err
	}
	env := s.env(ctx, t, resolved, stackID, stackName, nil)
	target, err := deploy.NewTarget(env, s.types(), deploy.Stack{ID: stackID, Name: stackName, Tags: p.deployment.Tags})
	if err != nil {
		return nil, visible(err)
	}
	rows := map[string]*deploy.Resource{}
	if stack != nil {
		if rows, err = s.rows(ctx, stack.ID); err != nil {
			return nil, err
		}
	}
	if p.plan, err = target.Plan(rows); err != nil {
		return nil, visible(err)
	}
	p.outputs = stack != nil && !slices.Equal(stack.Outputs, p.plan.Outputs)
	return p, nil
}

func (s *Service) checkRole(ctx context.Context, role string) error {
	if role == "" {
		return nil
	}
	if s.options.Roles == nil {
		return unsupported("CreateChangeSet", "RoleARN")
	}
	return s.options.Roles.CheckPassRole(ctx, role, "cloudformation.amazonaws.com")
}

// env returns the environment of a template; imported, when not nil, learns the names of the exports that are used.
func (s *Service) env(ctx context.Context, t *template.Template, values map[string]any, stackID, stackName string, imported func(name string)) template.Env {
	p := placeOf(ctx)
	return template.Env{
		Template: t, Parameters: values, StackID: stackID, StackName: stackName, Account: p.account, Region: p.region,
		Import: func(name string) (string, error) {
			var e exportRecord
			var found bool
			err := s.Store.View(ctx, func(r store.Reader) (err error) {
				e, found, err = record.Get[exportRecord](r, p.export(name))
				return err
			})
			if err == nil && !found {
				err = template.Errorf("No export named %s found.", name)
			}
			if err == nil && imported != nil {
				imported(name)
			}
			return e.Value, err
		},
	}
}

func (s *Service) storedTemplate(ctx context.Context, id, stage string) (string, error) {
	var text string
	err := s.Store.View(ctx, func(r store.Reader) error {
		b, err := r.Get(placeOf(ctx).template(id, stage))
		text = string(b)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", invalid("The stack has no template of stage %s.", stage)
	}
	return text, err
}

// values returns the parameter values of a call, with those that it keeps from the stack.
func values(given []cloudformation.Parameter, stack *stackRecord) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range given {
		name := deref(p.ParameterKey)
		if !deref(p.UsePreviousValue) {
			out[name] = deref(p.ParameterValue)
			continue
		}
		i := -1
		if stack != nil {
			i = slices.IndexFunc(stack.Parameters, func(r parameterRecord) bool { return r.Key == name })
		}
		if i < 0 {
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", name)
		}
		out[name] = stack.Parameters[i].Value
	}
	return out, nil
}

func parameterRecords(t *template.Template, given map[string]string) []parameterRecord {
	var out []parameterRecord
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		p := t.Parameters[name]
		v, ok := given[name]
		if !ok && p.Default != nil {
			v = *p.Default
		}
		out = append(out, parameterRecord{Key: name, Value: v, NoEcho: p.NoEcho})
	}
	return out
}

func tagMap(tags []cloudformation.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}
