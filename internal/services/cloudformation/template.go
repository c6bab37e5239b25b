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
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// expanded is a template with its transforms run.
type expanded struct {
	template   *template.Template
	transforms []string
	processed  string
	// macros tells that the template uses other transforms than Lambent's own.
	macros bool
}

// expand reads a template's text and runs its transforms. given are the values that a call passes for its parameters. check, when not nil, may refuse the
// transforms before they run.
func (s *Service) expand(ctx context.Context, text string, given map[string]string, env template.Env, check func(e *expanded) error) (*expanded, error) {
	d, err := template.Parse([]byte(text))
	if err != nil {
		return nil, visible(err)
	}
	e, err := declared(d)
	if err == nil && check != nil {
		err = check(e)
	}
	if err != nil {
		return nil, err
	}
	if len(e.transforms) > 0 || e.macros {
		if env.Template, err = template.Values(d); err != nil {
			return nil, visible(err)
		}
		env.Parameters = lenient(env.Template, given, s.stored(ctx, env.Template, map[string]string{}))
		t := &transformer{s: s, env: &env}
		if d, err = t.run(ctx, d); err != nil {
			return nil, err
		}
	}
	if err := e.decode(d); err != nil {
		return nil, err
	}
	if len(e.transforms) == 0 && !e.macros {
		e.processed = text // nothing was processed: YAML stays YAML
	}
	return e, nil
}

// declared reads which transforms a template asks for.
func declared(d *template.Document) (*expanded, error) {
	uses, err := template.Transforms(d)
	if err != nil {
		return nil, visible(err)
	}
	e := &expanded{macros: usesMacros(d)}
	for _, u := range uses {
		e.transforms = append(e.transforms, u.Name)
	}
	return e, nil
}

func (e *expanded) decode(d *template.Document) (err error) {
	if e.template, err = template.Decode(d); err != nil {
		return visible(err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d.Root); err != nil {
		return invalid("Template format error: %v", err)
	}
	e.processed = b.String()
	return nil
}

// lenient returns the values of parameters that transforms may use: a parameter without a value has none, and is refused later. stored returns the value of one
// that names an entry of the Parameter Store.
func lenient(t *template.Template, given map[string]string, stored func(parameter, name string) (string, error)) map[string]any {
	out := map[string]any{}
	for name, p := range t.Parameters {
		text, ok := given[name]
		if !ok && p.Default != nil {
			text, ok = *p.Default, true
		}
		if p.Stored() && ok {
			var err error
			text, err = stored(name, text)
			ok = err == nil
		}
		if !ok {
			continue
		}
		if !p.IsList() {
			out[name] = text
			continue
		}
		list := []any{}
		for part := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(part))
		}
		out[name] = list
	}
	return out
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
	if direct && (len(e.transforms) > 0 || e.macros) {
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
	// missing are the exports that the template imports and that are not there yet: a change set may come before them.
	missing []string
	// outputs tells that the stack's outputs differ.
	outputs bool
	// live is what was found of the resources as they are; nil when nobody asked.
	live map[string]liveRecord
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
	// resourceTypes are the types that the call allows; nil allows all.
	resourceTypes []string
	// notify are the topics that the call names; nil leaves those of the stack.
	notify []string
	// revert asks to put back what was changed beside the stack.
	revert bool
}

// propose reads the template and the values of a request and plans it against the stack, which is nil for a new one.
func (s *Service) propose(ctx context.Context, q request, stack *stackRecord, stackID, stackName string) (*proposal, error) {
	p, target, err := s.draft(ctx, q, stack, stackID, stackName, nil)
	if err != nil {
		return nil, err
	}
	rows := map[string]*deploy.Resource{}
	if stack != nil {
		if rows, err = s.rows(ctx, stack.ID); err != nil {
			return nil, err
		}
	}
	if q.revert {
		if err := s.readLive(ctx, p, stack, rows); err != nil {
			return nil, err
		}
	}
	past, err := s.past(ctx, stack)
	if err != nil {
		return nil, err
	}
	if p.plan, err = target.Plan(rows, past); err != nil {
		return nil, visible(err)
	}
	p.sync(rows)
	p.outputs = stack != nil && !slices.Equal(stack.Outputs, p.plan.Outputs)
	return p, nil
}

// draft reads the template and the values of a request; the proposal lacks its plan. stack is nil for a new one. imports, when not nil, finds exports instead of the store.
func (s *Service) draft(
	ctx context.Context, q request, stack *stackRecord, stackID, stackName string, imports func(name string) (string, error),
) (*proposal, *deploy.Target, error) {
	text, err := s.requested(ctx, q, stack)
	if err != nil {
		return nil, nil, err
	}
	given, err := values(q.parameters, stack)
	if err != nil {
		return nil, nil, err
	}
	p := &proposal{text: text}
	env := s.env(ctx, stackID, stackName, nil)
	if imports != nil {
		env.Import = imports
	}
	p.expanded, err = s.expand(ctx, text, given, env, func(e *expanded) error {
		if q.direct && e.macros && !slices.Contains(q.capabilities, "CAPABILITY_AUTO_EXPAND") {
			return lacking([]string{"CAPABILITY_AUTO_EXPAND"})
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if err := p.expanded.checkCapabilities(q.capabilities, q.direct); err != nil {
		return nil, nil, err
	}
	t := p.expanded.template
	if err := checkTypes(t, q.resourceTypes); err != nil {
		return nil, nil, err
	}
	stored := map[string]string{}
	resolved, err := t.Values(given, s.stored(ctx, t, stored))
	if err != nil {
		return nil, nil, visible(err)
	}
	if err := s.checkExist(ctx, t, resolved); err != nil {
		return nil, nil, err
	}
	p.deployment = q.deployment(p.expanded, parameterRecords(t, given, stored), stack)
	if err := s.checkRole(ctx, q.roleARN); err != nil {
		return nil, nil, err
	}
	env.Template, env.Parameters = t, resolved
	if !q.direct {
		env.Import = p.lenientImport(env.Import)
	}
	env.Notifications = q.notify
	if q.notify == nil && stack != nil {
		env.Notifications = stack.topics()
	}
	if err := env.CheckRules(); err != nil {
		return nil, nil, visible(err)
	}
	as, err := s.deployStack(stackID, stackName, p.deployment.Tags)
	if err != nil {
		return nil, nil, err
	}
	target, err := deploy.NewTarget(env, s.types(), as)
	return p, target, visible(err)
}

// requested returns the text of the template that a request brings or means.
func (s *Service) requested(ctx context.Context, q request, stack *stackRecord) (string, error) {
	text, err := s.text(ctx, q.body, q.location)
	if err != nil {
		return "", err
	}
	if q.usePrevious {
		if text != "" || stack == nil || stack.TemplateID == "" {
			return "", invalid("UsePreviousTemplate needs a stack that has a template, and neither TemplateBody nor TemplateURL")
		}
		return s.storedTemplate(ctx, stack.TemplateID, "Original")
	}
	if text == "" {
		return "", invalid("Either Template URL or Template Body must be specified.")
	}
	return text, nil
}

// deployment returns what a request wants a stack to become; what it does not say stays as the stack has it.
func (q *request) deployment(e *expanded, parameters []parameterRecord, stack *stackRecord) deployment {
	d := deployment{
		Kind: q.kind, Description: e.template.Description, Parameters: parameters, Capabilities: q.capabilities,
		RoleARN: q.roleARN, OnFailure: q.onFailure, Tags: tagMap(q.tags), Expanded: len(e.transforms) > 0 || e.macros,
	}
	if q.tags == nil && stack != nil {
		d.Tags = stack.Tags
	}
	if q.roleARN == "" && stack != nil {
		d.RoleARN = stack.RoleARN
	}
	return d
}

// lenientImport notes exports that are missing instead of failing.
func (p *proposal) lenientImport(find func(name string) (string, error)) func(name string) (string, error) {
	return func(name string) (string, error) {
		v, err := find(name)
		var missing *template.Error
		if errors.As(err, &missing) {
			if !slices.Contains(p.missing, name) {
				p.missing = append(p.missing, name)
			}
			return "", template.ErrNotYet
		}
		return v, err
	}
}

// past returns what a stack was deployed from; nil for a new one, and for one whose template this version no longer reads: a plan then tells less about
// the reasons of changes.
func (s *Service) past(ctx context.Context, stack *stackRecord) (*deploy.Past, error) {
	if stack == nil || stack.TemplateID == "" {
		return nil, nil
	}
	text, err := s.storedTemplate(ctx, stack.TemplateID, "Processed")
	if err != nil {
		return nil, err
	}
	return readPast(text, stack.Parameters), nil
}

func readPast(text string, parameters []parameterRecord) *deploy.Past {
	given := map[string]string{}
	for _, v := range parameters {
		given[v.Key] = v.Value
	}
	d, err := template.Parse([]byte(text))
	if err != nil {
		return nil
	}
	t, err := template.Decode(d)
	if err != nil {
		return nil
	}
	values, err := t.Values(given, resolvedIn(parameters))
	if err != nil {
		return nil
	}
	return &deploy.Past{Template: t, Parameters: values}
}

func (s *Service) checkRole(ctx context.Context, role string) error {
	return s.checkRoleFor(ctx, role, stackService)
}

// checkRoleFor refuses a role that the caller may not pass to a service.
func (s *Service) checkRoleFor(ctx context.Context, role, to string) error {
	if role == "" {
		return nil
	}
	if s.options.Roles == nil {
		return unsupported("CreateChangeSet", "RoleARN")
	}
	err := s.options.Roles.CheckPassRole(ctx, role, to)
	if errors.Is(err, port.ErrUntrusted) {
		return &service.Error{Code: "ValidationError", Status: 400, Message: "Role " + role + " is invalid or cannot be assumed", Err: err}
	}
	return err
}

// env returns the environment of a stack's template, without the template and its values; imported, when not nil, learns the names of the exports that are used.
func (s *Service) env(ctx context.Context, stackID, stackName string, imported func(name string)) template.Env {
	p := placeOf(ctx)
	return template.Env{
		StackID: stackID, StackName: stackName, Account: p.account, Region: p.region,
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

func parameterRecords(t *template.Template, given, stored map[string]string) []parameterRecord {
	var out []parameterRecord
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		p := t.Parameters[name]
		v, ok := given[name]
		if !ok && p.Default != nil {
			v = *p.Default
		}
		out = append(out, parameterRecord{Key: name, Value: v, NoEcho: p.NoEcho, Resolved: stored[name]})
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
