package cloudformation

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy/template"
)

func (s *Service) getTemplate(ctx context.Context, in *cloudformation.GetTemplateInput) (*cloudformation.GetTemplateOutput, error) {
	stage := in.TemplateStage
	if stage == "" {
		stage = "Original"
	}
	var id string
	if name := deref(in.ChangeSetName); name != "" {
		if deref(in.StackName) == "" && !strings.HasPrefix(name, "arn:") {
			return nil, invalid("StackName is a required parameter.")
		}
		c, err := s.findChangeSet(ctx, *in.ChangeSetName, in.StackName)
		if err != nil {
			return nil, err
		}
		id = c.Deployment.TemplateID
	} else {
		if deref(in.StackName) == "" {
			return nil, invalid("StackName is required if ChangeSetName is not specified.")
		}
		st, err := s.findStack(ctx, *in.StackName)
		if err != nil {
			return nil, err
		}
		if st.Status == "REVIEW_IN_PROGRESS" { // nothing was deployed yet: CDK asks for the template of such a stack to compare with
			return &cloudformation.GetTemplateOutput{TemplateBody: new(""), StagesAvailable: []string{}}, nil
		}
		id = st.TemplateID
	}
	text, err := s.storedTemplate(ctx, id, stage)
	if err != nil {
		return nil, err
	}
	return &cloudformation.GetTemplateOutput{TemplateBody: &text, StagesAvailable: []string{"Original", "Processed"}}, nil
}

func (s *Service) getTemplateSummary(ctx context.Context, in *cloudformation.GetTemplateSummaryInput) (*cloudformation.GetTemplateSummaryOutput, error) {
	text, err := s.text(ctx, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return nil, err
	}
	if deref(in.StackSetName) != "" {
		set, err := s.readSet(ctx, *in.StackSetName, in.CallAs)
		if err != nil {
			return nil, err
		}
		if text, err = s.storedTemplate(ctx, set.TemplateID, "Original"); err != nil {
			return nil, err
		}
	}
	if text == "" && deref(in.StackName) != "" {
		st, err := s.findStack(ctx, *in.StackName)
		if err != nil {
			return nil, err
		}
		if st.Status == "REVIEW_IN_PROGRESS" {
			return nil, invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
		}
		if text, err = s.storedTemplate(ctx, st.TemplateID, "Original"); err != nil {
			return nil, err
		}
	}
	e, err := s.summarise(ctx, text)
	if err != nil {
		return nil, err
	}
	needed, because := e.capabilities()
	out := &cloudformation.GetTemplateSummaryOutput{
		Description: optional(e.template.Description), Capabilities: needed, DeclaredTransforms: e.transforms, Version: ptr("2010-09-09"),
		CapabilitiesReason: because2(because), Parameters: []cloudformation.ParameterDeclaration{}, ResourceTypes: []string{},
	}
	for _, id := range slices.Sorted(maps.Keys(e.template.Resources)) {
		t := e.template.Resources[id].Type
		i := slices.Index(out.ResourceTypes, t)
		if i < 0 {
			i = len(out.ResourceTypes)
			out.ResourceTypes = append(out.ResourceTypes, t)
			out.ResourceIdentifierSummaries = append(out.ResourceIdentifierSummaries, s.identifiers(t))
		}
		of := &out.ResourceIdentifierSummaries[i]
		of.LogicalResourceIds = append(of.LogicalResourceIds, id)
	}
	if e.template.Metadata != nil {
		b, err := json.Marshal(e.template.Metadata)
		if err != nil {
			return nil, err
		}
		out.Metadata = ptr(string(b))
	}
	for _, name := range slices.Sorted(maps.Keys(e.template.Parameters)) {
		p := e.template.Parameters[name]
		d := cloudformation.ParameterDeclaration{ParameterKey: ptr(name), DefaultValue: p.Default, ParameterType: ptr(p.Type), NoEcho: ptr(p.NoEcho), Description: optional(p.Description), ParameterConstraints: &cloudformation.ParameterConstraints{}}
		d.ParameterConstraints.AllowedValues = p.AllowedValues
		out.Parameters = append(out.Parameters, d)
	}
	return out, nil
}

// identifiers tells which keys identify a resource of a type to import; none for a type that cannot be imported.
func (s *Service) identifiers(name string) cloudformation.ResourceIdentifierSummary {
	out := cloudformation.ResourceIdentifierSummary{ResourceType: ptr(name)}
	if typ, _ := s.types().Of(name); typ.Read != nil {
		out.ResourceIdentifiers = typ.Identifier
	}
	return out
}

func because2(types []string) *string {
	if len(types) == 0 {
		return nil
	}
	return ptr("The following resource(s) require capabilities: [" + strings.Join(types, ", ") + "]")
}

// summarise reads a template for its summary.
func (s *Service) summarise(ctx context.Context, text string) (*expanded, error) {
	if text == "" {
		return nil, invalid("Either Template URL or Template Body must be specified.")
	}
	d, err := template.Parse([]byte(text))
	if err != nil {
		return nil, visible(err)
	}
	e, err := declared(d)
	if err != nil {
		return nil, err
	}
	if e.macros {
		// Macros do not run for a summary: what they would make is not known.
		return e, e.decode(withoutTransforms(d))
	}
	e, err = s.expand(ctx, text, nil, s.env(ctx, "", "", nil), nil)
	return e, visible(err)
}

// withoutTransforms returns a document without what transforms would work on.
func withoutTransforms(d *template.Document) *template.Document {
	root, _ := stripped(d.Root).(map[string]any)
	delete(root, "Transform")
	return d.WithRoot(root)
}

func stripped(v any) any {
	switch x := v.(type) {
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = stripped(x[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			if k != fnTransform {
				out[k] = stripped(x[k])
			}
		}
		return out
	}
	return v
}

func (s *Service) validateTemplate(ctx context.Context, in *cloudformation.ValidateTemplateInput) (*cloudformation.ValidateTemplateOutput, error) {
	text, err := s.text(ctx, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return nil, err
	}
	e, err := s.summarise(ctx, text)
	if err != nil {
		return nil, err
	}
	needed, because := e.capabilities()
	out := &cloudformation.ValidateTemplateOutput{
		Description: optional(e.template.Description), Capabilities: needed, CapabilitiesReason: because2(because), DeclaredTransforms: e.transforms,
		Parameters: []cloudformation.TemplateParameter{},
	}
	for _, name := range slices.Sorted(maps.Keys(e.template.Parameters)) {
		out.Parameters = append(out.Parameters, templateParameter(name, e.template.Parameters[name]))
	}
	return out, nil
}

func templateParameter(name string, p template.Parameter) cloudformation.TemplateParameter {
	return cloudformation.TemplateParameter{ParameterKey: ptr(name), DefaultValue: p.Default, NoEcho: ptr(p.NoEcho), Description: optional(p.Description)}
}
