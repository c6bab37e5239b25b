package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
)

// Live is a resource of a stack as it is.
type Live struct {
	// Row is the resource with what was changed beside the stack; its physical id is empty when the resource is gone.
	Row *Resource
	// Drift is what was changed and is in Row.
	Drift []property.Drift
}

// Live reads a resource for a deploy that puts back what was changed beside the stack, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html. Three kinds of properties stay as they are recorded: those that cannot be changed without making the
// resource anew, those whose values are dynamic references, which are not to be written down, and tags that the template does not name.
func (r *Reader) Live(ctx context.Context, row *Resource) (*Live, error) {
	c, err := r.Compare(ctx, row)
	if errors.Is(err, service.ErrGone) {
		gone := row.clone()
		gone.PhysicalID, gone.Ref, gone.Attributes = "", "", nil
		return &Live{Row: gone}, nil
	}
	if err != nil {
		return nil, err
	}
	typ, _ := r.Types.Of(row.Type)
	shape, err := property.Of(typ.NewProperties())
	if err != nil {
		return nil, err
	}
	live := &Live{Row: row.clone()}
	for _, name := range drifted(c.Drift) {
		next := maps.Clone(live.Row.Properties)
		if v, has := said(name, c); has {
			next[name] = v
		} else {
			delete(next, name)
		}
		fixed := slices.ContainsFunc(shape.Diff(row.Properties, next), func(d property.Difference) bool { return d.Replaces && propertyOf(d.Path) == name })
		if fixed || refersToSecrets(row.Properties[name]) || name == "Tags" && property.Equal(tagsOf(next[name]), tagsOf(row.Properties[name])) {
			continue
		}
		live.Row.Properties = next
		live.Drift = append(live.Drift, slices.DeleteFunc(slices.Clone(c.Drift), func(d property.Drift) bool { return propertyOf(d.Path) != name })...)
	}
	return live, nil
}

// drifted lists the properties that differ.
func drifted(list []property.Drift) (names []string) {
	for _, d := range list {
		if name := propertyOf(d.Path); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// propertyOf returns the property that a path begins with.
func propertyOf(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return name
}

// said returns the actual value of a property; of tags those that the template names.
func said(name string, c *Compared) (any, bool) {
	v, has := c.Actual[name]
	if name != "Tags" {
		return v, has
	}
	own := tagsOf(c.Expected[name])
	switch list := v.(type) {
	case map[string]any:
		kept := maps.Clone(list)
		maps.DeleteFunc(kept, func(key string, _ any) bool { _, is := own[key]; return !is })
		return kept, has
	case []any:
		return slices.DeleteFunc(slices.Clone(list), func(e any) bool {
			tag, _ := e.(map[string]any)
			key, _ := tag["Key"].(string)
			_, is := own[key]
			return !is
		}), has
	}
	return v, has
}

// refersToSecrets tells whether a value has a dynamic reference.
func refersToSecrets(v any) bool {
	text, err := json.Marshal(v)
	return err != nil || template.HasDynamic(string(text))
}
