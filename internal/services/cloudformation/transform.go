package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/sam"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	include       = "AWS::Include"
	fnTransform   = "Fn::Transform"
	maxTransforms = 100
)

// macro is one use of a transform.
type macro struct {
	name       string
	parameters map[string]any
}

// transformer runs the transforms of one template.
type transformer struct {
	s *Service
	// env has the values that the arguments of transforms may use.
	env *template.Env
	// runs counts the transforms that ran.
	runs int
}

// transformError tells that a transform did not do its work.
type transformError struct{ message string }

func (f *transformError) Error() string { return f.message }

func transformFailed(format string, args ...any) error {
	return &transformError{fmt.Sprintf(format, args...)}
}

// proposed is [Service.propose] for a call that deploys at once: a transform that fails makes an operation that is rolled back, not a refusal.
func (s *Service) proposed(ctx context.Context, q request, stack *stackRecord, stackID, stackName string) (*proposal, error) {
	p, err := s.propose(ctx, q, stack, stackID, stackName)
	var failed *transformError
	if errors.As(err, &failed) {
		return s.failedProposal(ctx, q, stack, failed)
	}
	return p, err
}

// failedProposal is what is kept of a call whose transforms failed.
func (s *Service) failedProposal(ctx context.Context, q request, stack *stackRecord, failed *transformError) (*proposal, error) {
	text, err := s.text(ctx, q.body, q.location)
	if err == nil && q.usePrevious {
		text, err = s.storedTemplate(ctx, stack.TemplateID, "Original")
	}
	if err == nil {
		err = s.checkRole(ctx, q.roleARN)
	}
	d := deployment{Kind: q.kind, Refused: failed.message, Capabilities: q.capabilities, RoleARN: q.roleARN, OnFailure: q.onFailure, Tags: tagMap(q.tags)}
	return &proposal{text: text, expanded: &expanded{}, plan: &deploy.Plan{}, deployment: d}, err
}

// usesMacros tells whether a template needs more than the transforms that are part of Lambent.
func usesMacros(d *template.Document) bool {
	list, err := template.Transforms(d)
	return err != nil || slices.ContainsFunc(list, func(u template.TransformUse) bool { return u.Name != sam.Name && u.Name != template.LanguageExtensions }) || embedsTransform(d.Root)
}

func embedsTransform(v any) bool {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if k == fnTransform || embedsTransform(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, embedsTransform)
	}
	return false
}

// run carries out all transforms of a document: those inside of its sections first, from the inside out, then those of its Transform section in their order.
func (t *transformer) run(ctx context.Context, d *template.Document) (*template.Document, error) {
	list, err := template.Transforms(d)
	if err != nil {
		return nil, visible(err)
	}
	root := maps.Clone(d.Root)
	delete(root, "Transform")
	for k, v := range root {
		if root[k], err = t.embedded(ctx, v); err != nil {
			return nil, err
		}
	}
	// A use of Fn::Transform beside the sections is one more transform of the whole.
	if use, ok := root[fnTransform]; ok {
		delete(root, fnTransform)
		more, err := readMacros(use)
		if err != nil {
			return nil, err
		}
		for _, m := range more {
			list = append(list, template.TransformUse{Name: m.name, Parameters: m.parameters})
		}
	}
	d = d.WithRoot(root)
	for _, use := range list {
		if d, err = t.whole(ctx, d, use); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// whole runs one transform on the whole template.
func (t *transformer) whole(ctx context.Context, d *template.Document, use template.TransformUse) (*template.Document, error) {
	var out *template.Document
	var err error
	switch use.Name {
	case sam.Name:
		out, err = sam.Transform(d, sam.Options{Parameters: t.env.Parameters, Region: placeOf(ctx).region, Now: t.s.Clock.Now()})
	case template.LanguageExtensions:
		out, err = template.Extend(d, t.env)
	default:
		return t.macro(ctx, d, use)
	}
	if e, refused := errors.AsType[*template.Error](err); refused {
		return nil, transformFailed("Transform %s failed with: %s", use.Name, e.Error())
	}
	return out, err
}

// macro runs one transform that is not part of Lambent on the whole template.
func (t *transformer) macro(ctx context.Context, d *template.Document, use template.TransformUse) (*template.Document, error) {
	v, err := t.apply(ctx, macro{use.Name, use.Parameters}, d.Root)
	if err != nil {
		return nil, err
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, transformFailed("Template format error: unsupported structure.")
	}
	delete(root, "Transform")
	return d.WithRoot(root), nil
}

// embedded copies a value with the uses of Fn::Transform in it carried out.
func (t *transformer) embedded(ctx context.Context, v any) (any, error) {
	switch x := v.(type) {
	case []any:
		out := make([]any, len(x))
		for i := range x {
			var err error
			if out[i], err = t.embedded(ctx, x[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(x))
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if k == fnTransform {
				continue
			}
			var err error
			if out[k], err = t.embedded(ctx, x[k]); err != nil {
				return nil, err
			}
		}
		use, has := x[fnTransform]
		if !has {
			return out, nil
		}
		list, err := readMacros(use)
		if err != nil {
			return nil, err
		}
		return t.applyAll(ctx, list, out)
	}
	return v, nil
}

// applyAll runs transforms on a fragment, one after the other.
func (t *transformer) applyAll(ctx context.Context, list []macro, fragment map[string]any) (any, error) {
	var v any = fragment
	for _, m := range list {
		part, ok := v.(map[string]any)
		if !ok {
			return nil, transformFailed("Transform %s has no fragment to work on: the transform before it returned something that is not an object", m.name)
		}
		var err error
		if v, err = t.apply(ctx, m, part); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// readMacros reads the argument of Fn::Transform: a name, an object with Name and Parameters, or a list of these.
func readMacros(v any) ([]macro, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []macro
	for _, e := range list {
		if name, ok := e.(string); ok {
			out = append(out, macro{name: name})
			continue
		}
		m, _ := e.(map[string]any)
		name, ok := m["Name"].(string)
		if !ok {
			return nil, invalid("Key Name of transform definition must be a string.")
		}
		parameters, _ := m["Parameters"].(map[string]any)
		out = append(out, macro{name, parameters})
	}
	return out, nil
}

// apply runs one transform on a fragment.
func (t *transformer) apply(ctx context.Context, m macro, fragment map[string]any) (any, error) {
	if t.runs++; t.runs > maxTransforms {
		return nil, invalid("Template format error: a template may use at most %d transforms.", maxTransforms)
	}
	arguments := map[string]any{}
	for k, v := range m.parameters {
		r, err := t.env.Resolve(v)
		if err != nil {
			return nil, visible(err)
		}
		arguments[k] = r
	}
	if m.name == include {
		return t.include(ctx, arguments, fragment)
	}
	return t.invoke(ctx, macro{m.name, arguments}, fragment)
}

// include merges the content of an object in S3 into a fragment, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-include.html.
func (t *transformer) include(ctx context.Context, arguments, fragment map[string]any) (any, error) {
	location, ok := arguments["Location"].(string)
	if !ok {
		return nil, transformFailed("Transform AWS::Include failed with: The location parameter is not a string.")
	}
	text, err := t.s.object(ctx, location)
	if service.Code(err) == "NoSuchBucket" {
		bucket, _, _, _ := objectOf(location)
		return nil, transformFailed("Transform AWS::Include failed with: S3 bucket [%s] does not exist.", bucket)
	}
	if err != nil {
		return nil, transformFailed("Transform AWS::Include failed with: The specified S3 object's content should be valid Yaml/JSON. (%v)", err)
	}
	v, err := template.ParseValue([]byte(text))
	if err != nil {
		return nil, transformFailed("Transform AWS::Include failed with: The specified S3 object's content should be valid Yaml/JSON. (%v)", err)
	}
	content, ok := v.(map[string]any)
	if !ok {
		if len(fragment) > 0 {
			return nil, transformFailed("Transform AWS::Include failed with: The specified S3 object's content should be valid Yaml/JSON.")
		}
		return v, nil
	}
	merge(fragment, content)
	return fragment, nil
}

// merge adds content to into; sections that both have are joined.
func merge(into, content map[string]any) {
	for k, v := range content {
		a, ok := into[k].(map[string]any)
		b, ok2 := v.(map[string]any)
		if ok && ok2 {
			joined := maps.Clone(a)
			maps.Copy(joined, b)
			into[k] = joined
			continue
		}
		into[k] = v
	}
}

// macroRecord is a macro that templates of the account and region can name.
type macroRecord struct{ Name, FunctionName, StackID string }

// invoke asks the function of a macro, as the principal that deploys, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-author.html.
func (t *transformer) invoke(ctx context.Context, m macro, fragment map[string]any) (any, error) {
	p := placeOf(ctx)
	full := p.account + "::" + m.name
	var have macroRecord
	var found bool
	err := t.s.Store.View(ctx, func(r store.Reader) (err error) {
		have, found, err = record.Get[macroRecord](r, p.macro(m.name))
		return err
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, invalid("No transform named %s found.", m.name)
	}
	payload, err := json.Marshal(map[string]any{
		"accountId": p.account, "region": p.region, "fragment": fragment, "transformId": full, "params": m.parameters,
		"requestId": service.RequestFrom(ctx).ID, "templateParameterValues": t.env.Parameters,
	})
	if err != nil {
		return nil, transformFailed("Transform %s cannot be given its fragment: %v", full, err)
	}
	out, err := service.Call[lambda.InvokeOutput](ctx, t.s.Door, "lambda", "Invoke", &lambda.InvokeInput{FunctionName: have.FunctionName, Payload: payload})
	if err != nil {
		var e *service.Error
		if errors.As(err, &e) {
			return nil, transformFailed("Transform %s cannot be run: %s", full, e.Message)
		}
		return nil, err
	}
	var answer struct {
		RequestID    string          `json:"requestId"`
		Status       string          `json:"status"`
		ErrorMessage string          `json:"errorMessage"`
		Fragment     json.RawMessage `json:"fragment"`
	}
	if out.FunctionError != nil || json.Unmarshal(out.Payload, &answer) != nil || answer.Status == "" {
		return nil, transformFailed("Received malformed response from transform %s", full)
	}
	switch {
	case !strings.EqualFold(answer.Status, "success") && answer.ErrorMessage != "":
		return nil, transformFailed("Transform %s failed with: %s", full, answer.ErrorMessage)
	case !strings.EqualFold(answer.Status, "success"):
		return nil, transformFailed("Transform %s failed without an error message.", full)
	}
	v, err := template.ParseValue(answer.Fragment)
	if err != nil {
		return nil, transformFailed("Received malformed response from transform %s", full)
	}
	return v, nil
}
