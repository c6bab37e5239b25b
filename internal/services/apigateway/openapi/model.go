package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// notName is what the name of a model cannot have.
var notName = regexp.MustCompile(`[^a-zA-Z0-9]`)

// schemas returns the named schemas of the document.
func (d *document) schemas() object {
	if d.v3 {
		return child(child(d.root, "components"), "schemas")
	}
	return child(d.root, "definitions")
}

// readModels makes a model of each schema.
func (i *importer) readModels(base *api.Tree) error {
	schemas := i.schemas()
	for _, name := range sorted(schemas) {
		clean := notName.ReplaceAllString(name, "")
		if clean == "" {
			i.warn("The schema %q is ignored: its name has neither letters nor digits", name)
			continue
		}
		if clean != name {
			i.warn("The schema %q becomes the model %s: the name of a model has letters and digits only", name, clean)
		}
		i.models[name] = clean
	}
	for _, name := range sorted(i.models) {
		schema, ok := schemas[name].(object)
		if !ok {
			i.warn("The schema %q is ignored: it is no object", name)
			delete(i.models, name)
			continue
		}
		if err := i.addModel(base, i.models[name], schema); err != nil {
			return err
		}
	}
	return nil
}

// addModel puts a model into the tree; one of that name keeps its id.
func (i *importer) addModel(base *api.Tree, name string, schema object) error {
	b, err := json.Marshal(i.rewrite(schema))
	if err != nil {
		return err
	}
	m := &aws.Model{Name: ptr(name), Schema: ptr(string(b)), ContentType: ptr("application/json"), Description: optional(text(schema["description"]))}
	for _, t := range []*api.Tree{i.tree, base} {
		if old := t.Models[name]; m.Id == nil && old != nil {
			m.Id = old.Id
		}
	}
	if m.Id == nil {
		id, err := i.options.NewID(6)
		if err != nil {
			return err
		}
		m.Id = ptr(id)
	}
	if i.tree.Models == nil {
		i.tree.Models = map[string]*aws.Model{}
	}
	i.tree.Models[name] = m
	return nil
}

// rewrite returns a schema whose references name models.
func (i *importer) rewrite(v any) any {
	switch v := v.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			if name := i.models[schemaName(ref)]; name != "" {
				return object{"$ref": api.ModelURL(i.options.APIID, name)}
			}
			i.warn("The reference %q leads to no schema of the document", ref)
			return object{}
		}
		out := make(object, len(v))
		for k, e := range v {
			out[k] = i.rewrite(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n, e := range v {
			out[n] = i.rewrite(e)
		}
		return out
	}
	return v
}

// schemaName returns the name of the schema that a reference names, or "".
func schemaName(ref string) string {
	for _, prefix := range []string{"#/definitions/", "#/components/schemas/"} {
		if name, ok := strings.CutPrefix(ref, prefix); ok {
			return unescape.Replace(name)
		}
	}
	return ""
}

// model returns the name of the model of a schema within an operation. A schema without a name becomes a model of its own.
func (i *importer) model(schema any) string {
	o, ok := schema.(object)
	if !ok {
		return ""
	}
	if ref, ok := o["$ref"].(string); ok {
		name := i.models[schemaName(ref)]
		if name == "" {
			i.warn("The reference %q leads to no schema of the document", ref)
		}
		return name
	}
	b, err := json.Marshal(o)
	if err != nil || len(o) == 0 {
		return ""
	}
	sum := sha256.Sum256(b)
	name := "MODEL" + hex.EncodeToString(sum[:3])
	if err := i.addModel(i.tree, name, o); err != nil {
		i.problem("Unable to make a model: %v", err)
		return ""
	}
	return name
}
