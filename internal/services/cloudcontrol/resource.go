package cloudcontrol

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudcontrol"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
)

// listPage is how many resources a page has when the call does not say.
const listPage = 20

// kind is a resource type as this API works with it.
type kind struct {
	service.ResourceType

	shape *property.Shape
}

// kind finds a resource type that can do an action. version must be nil: types have one version.
func (s *Service) kind(name, action string, version *string) (*kind, error) {
	t, ok := s.types()[name]
	if !ok {
		return nil, noType(name)
	}
	if version != nil {
		return nil, service.Unsupported("ValidationException", action, "TypeVersionId")
	}
	if t.Read == nil || action == "UPDATE" && t.Update == nil || action == "LIST" && t.List == nil {
		return nil, noAction(name, action)
	}
	shape, err := property.Of(t.NewProperties())
	return &kind{t, shape}, err
}

// identifier reads an identifier: its parts joined by |, or a JSON object of them.
func (k *kind) identifier(text string) (service.Identifier, error) {
	wrong := func() error {
		return invalid("Identifier %s is not valid for identifier [%s]", text, k.paths(k.Identifier))
	}
	var named map[string]string
	if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &named) == nil {
		var id service.Identifier
		for _, name := range k.Identifier {
			if named[name] == "" {
				return nil, wrong()
			}
			id = append(id, named[name])
		}
		return id, nil
	}
	id := service.Identifier(strings.SplitN(text, "|", len(k.Identifier)))
	if len(id) != len(k.Identifier) || slices.Contains(id, "") {
		return nil, wrong()
	}
	return id, nil
}

// paths names properties as the registry's schemas do.
func (*kind) paths(names []string) string {
	return "/properties/" + strings.ReplaceAll(strings.Join(names, ", /properties/"), ".", "/")
}

// model reads the JSON of a model.
func model(text string) (map[string]any, error) {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil || m == nil {
		return nil, invalid("Model validation failed (#: the desired state is not a JSON object)")
	}
	return m, nil
}

// check refuses a model that the type does not take. whole tells that it is to have what can only be written too.
func (k *kind) check(m map[string]any, whole bool) error {
	if faults := k.shape.CheckModel(m, whole); faults != nil {
		return invalid("Model validation failed (%s)", strings.Join(faults, ", "))
	}
	return nil
}

// decode fills the type's struct from normalised properties.
func (k *kind) decode(properties map[string]any) (any, error) {
	into := k.NewProperties()
	return into, k.shape.Decode(properties, into)
}

func (s *Service) getResource(ctx context.Context, in *cloudcontrol.GetResourceInput) (*cloudcontrol.GetResourceOutput, error) {
	k, err := s.kind(in.TypeName, "READ", in.TypeVersionId)
	if err != nil {
		return nil, err
	}
	id, err := k.identifier(in.Identifier)
	if err != nil {
		return nil, err
	}
	if ctx, err = s.as(ctx, in.RoleArn); err != nil {
		return nil, err
	}
	actual, err := s.read(ctx, k, id)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(actual.Model(k.Identifier, id))
	if err != nil {
		return nil, fmt.Errorf("encode the model: %w", err)
	}
	return &cloudcontrol.GetResourceOutput{
		TypeName:            &in.TypeName,
		ResourceDescription: &cloudcontrol.ResourceDescription{Identifier: opt.Of(id.String()), Properties: opt.Of(string(text))},
	}, nil
}

func (s *Service) read(ctx context.Context, k *kind, id service.Identifier) (*deploy.Actual, error) {
	actual, err := s.types().Read(ctx, k.Name, id)
	if err != nil {
		token, tokenErr := uuid.New(s.Random)
		if tokenErr != nil {
			return nil, tokenErr
		}
		return nil, failed(k.Name, token, err)
	}
	return actual, nil
}

// cursor is a place in a list: a page of the type's, and how many of its resources are behind.
type cursor struct {
	Next string
	Skip int
}

func readCursor(text *string) (c cursor, err error) {
	if opt.Value(text) == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*text)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.Skip < 0 {
		return c, invalid("NextToken is not one that ListResources returned")
	}
	return c, nil
}

func (c cursor) token() (*string, error) {
	if c == (cursor{}) {
		return nil, nil
	}
	b, err := json.Marshal(c)
	return opt.Of(base64.RawURLEncoding.EncodeToString(b)), err
}

func (s *Service) listResources(ctx context.Context, in *cloudcontrol.ListResourcesInput) (*cloudcontrol.ListResourcesOutput, error) {
	k, err := s.kind(in.TypeName, "LIST", in.TypeVersionId)
	if err != nil {
		return nil, err
	}
	narrow := k.NewProperties()
	var given map[string]any
	if in.ResourceModel != nil {
		if given, err = model(*in.ResourceModel); err != nil {
			return nil, err
		}
		if err := k.shape.Decode(k.shape.Known(given), narrow); err != nil {
			return nil, invalid("Model validation failed (#: %s)", err)
		}
	}
	for _, name := range k.ListBy {
		if text, ok := template.Text(given[name]); !ok || text == "" {
			return nil, service.Errorf("InvalidRequestException", "Missing or invalid ResourceModel property in %s list handler request input. Required property:  [%s]", k.Name, strings.Join(k.ListBy, ", "))
		}
	}
	at, err := readCursor(in.NextToken)
	if err != nil {
		return nil, err
	}
	if ctx, err = s.as(ctx, in.RoleArn); err != nil {
		return nil, err
	}
	limit := listPage
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	return s.list(ctx, k, narrow, at, limit)
}

// list collects a page of at most limit resources from the pages of a type.
func (s *Service) list(ctx context.Context, k *kind, narrow any, at cursor, limit int) (*cloudcontrol.ListResourcesOutput, error) {
	out := &cloudcontrol.ListResourcesOutput{TypeName: &k.Name, ResourceDescriptions: []cloudcontrol.ResourceDescription{}}
	for {
		page, err := k.List(ctx, narrow, at.Next)
		if err != nil {
			token, tokenErr := uuid.New(s.Random)
			if tokenErr != nil {
				return nil, tokenErr
			}
			return nil, failed(k.Name, token, err)
		}
		rest := page.Identifiers[min(at.Skip, len(page.Identifiers)):]
		take := min(limit-len(out.ResourceDescriptions), len(rest))
		for _, id := range rest[:take] {
			shown, err := describe(k, id)
			if err != nil {
				return nil, err
			}
			out.ResourceDescriptions = append(out.ResourceDescriptions, shown)
		}
		if take < len(rest) {
			at.Skip += take
			out.NextToken, err = at.token()
			return out, err
		}
		at = cursor{Next: page.Next}
		if at.Next == "" || len(out.ResourceDescriptions) == limit {
			out.NextToken, err = at.token()
			return out, err
		}
	}
}

// describe shows a resource by what identifies it.
func describe(k *kind, id service.Identifier) (cloudcontrol.ResourceDescription, error) {
	m := map[string]string{}
	for i, name := range k.Identifier {
		if i < len(id) {
			m[name] = id[i]
		}
	}
	text, err := json.Marshal(m)
	return cloudcontrol.ResourceDescription{Identifier: opt.Of(id.String()), Properties: opt.Of(string(text))}, err
}
