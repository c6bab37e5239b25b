package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/registry"
	"lambent.dev/lambent/internal/deploy/sam"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
)

func (a *app) exportCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "export [DIR]", Short: "Tell what differs between this Lambent and AWS for a template",
		Long: "Export reads the template in DIR (the working folder by default) and names what would not be the same on AWS: resource types and\n" +
			"properties that one of the two does not have, runtimes that AWS no longer creates functions for, and addresses and account ids of this machine.\nThe template itself is the one to deploy there: nothing in it has to be rewritten otherwise. It needs no Lambent that runs.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			found, err := a.differences(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if a.json {
				return a.Term.JSON(nonNil(found))
			}
			for _, f := range found {
				a.Term.Print("%s", f)
			}
			if len(found) == 0 {
				a.Term.Say("Nothing in this template is known to differ on AWS.")
			}
			return nil
		},
	})
}

// difference is one thing that is not the same on AWS.
type difference struct {
	Line     int    `json:"line,omitempty"`
	Resource string `json:"resource"`
	Path     string `json:"path"`
	What     string `json:"what"`
}

// String shows a difference in a line.
func (d difference) String() string {
	where := d.Resource
	if d.Path != "" {
		where += "." + d.Path
	}
	if d.Line > 0 {
		where = fmt.Sprintf("line %d: %s", d.Line, where)
	}
	return where + ": " + d.What
}

// comparison looks for differences in one template.
type comparison struct {
	document *template.Document
	known    registry.Registry
	types    []service.ResourceType
	found    []difference
}

func (a *app) differences(ctx context.Context, dir string) ([]difference, error) {
	p, err := detect(dir)
	if err != nil {
		return nil, usage{err}
	}
	if p.tool != nil {
		return nil, usage{fmt.Errorf("export reads a template, and %s makes that of %s; %s", p.tool.title, p.dir, p.tool.template)}
	}
	file := p.file
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c := comparison{}
	if c.known, err = registry.Load(); err != nil {
		return nil, err
	}
	if c.types, err = a.Types(ctx); err != nil {
		return nil, err
	}
	if c.document, err = template.Parse(text); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	t, err := expand(c.document, a)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		if err := c.resource(t.Resources[id]); err != nil {
			return nil, err
		}
	}
	order.Stable(c.found, func(x, y difference) int { return cmp.Compare(x.Line, y.Line) })
	return c.found, nil
}

// expand runs the transforms that need nothing but the template. Code in local folders stays where it is: its place is only named.
func expand(d *template.Document, a *app) (*template.Template, error) {
	uses, err := template.Transforms(d)
	if err != nil {
		return nil, err
	}
	d = d.WithRoot(withoutFolders(d.Root).(map[string]any))
	values, err := template.Values(d)
	if err != nil {
		return nil, err
	}
	parameters := map[string]any{}
	for name, p := range values.Parameters {
		if p.Default != nil {
			parameters[name] = *p.Default
		}
	}
	for _, use := range uses {
		switch use.Name {
		case sam.Name:
			d, err = sam.Transform(d, sam.Options{Parameters: parameters, Region: "us-east-1", Now: a.Clock.Now()})
		case template.LanguageExtensions:
			d, err = template.Extend(d, &template.Env{Template: values, Parameters: parameters, Region: "us-east-1", Account: "000000000000"})
		default:
			err = fmt.Errorf("the transform %s can only be run by a Lambent that has it", use.Name)
		}
		if err != nil {
			return nil, err
		}
	}
	root := maps.Clone(d.Root)
	delete(root, "Transform")
	return template.Decode(d.WithRoot(root))
}

// withoutFolders copies a template with local folders of code replaced by the places that they would be uploaded to.
func withoutFolders(v any) any {
	switch x := v.(type) {
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = withoutFolders(x[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			text, isText := e.(string)
			if isText && slices.Contains([]string{"CodeUri", "ContentUri", "DefinitionUri", "Location"}, k) && !strings.Contains(text, "://") && !strings.HasPrefix(text, "arn:") {
				e = "s3://code/" + strings.TrimLeft(text, "./")
			}
			out[k] = withoutFolders(e)
		}
		return out
	}
	return v
}

func (c *comparison) add(r template.Resource, path []string, format string, args ...any) {
	line := 0
	for n := len(path); n >= 0 && line == 0; n-- {
		if p, ok := c.document.Position(append([]string{"Resources", r.LogicalID, "Properties"}, path[:n]...)...); ok {
			line = p.Line
		}
	}
	if p, ok := c.document.Position("Resources", r.LogicalID); ok && line == 0 {
		line = p.Line
	}
	c.found = append(c.found, difference{Line: line, Resource: r.LogicalID, Path: strings.Join(path, "."), What: fmt.Sprintf(format, args...)})
}

func (c *comparison) resource(r template.Resource) error {
	t, known := typeNamed(c.types, r.Type), c.known[r.Type]
	switch {
	case t == nil && known != nil:
		c.add(r, nil, "AWS has the type %s, and this Lambent does not", r.Type)
	case t == nil && !strings.HasPrefix(r.Type, "AWS::"):
		c.add(r, nil, "neither AWS nor this Lambent has the type %s unless somebody registers it", r.Type)
	case t == nil:
		c.add(r, nil, "this Lambent does not have the type %s", r.Type)
	}
	var shape *property.Shape
	if t != nil {
		var err error
		if shape, err = property.Of(t.NewProperties()); err != nil {
			return err
		}
	}
	c.walk(r, shape, known, nil, r.Properties)
	return nil
}

// walk compares the properties at a path.
func (c *comparison) walk(r template.Resource, shape *property.Shape, known *registry.Type, path []string, v any) {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			c.walk(r, shape, known, path, e)
		}
	case string:
		c.text(r, path, x)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if k == "Ref" || k == "Condition" && len(x) == 1 || strings.HasPrefix(k, "Fn::") {
				c.walk(r, nil, nil, path, x[k])
				continue
			}
			c.member(r, shape, known, append(slices.Clone(path), k), x[k])
		}
	}
}

func (c *comparison) member(r template.Resource, shape *property.Shape, known *registry.Type, path []string, v any) {
	here, there := true, true
	if shape != nil {
		_, here = shape.Lookup(path...)
	}
	if known != nil {
		_, there = known.Property(path...)
		there = there || known.Open(path...)
	}
	switch {
	case shape != nil && known != nil && here && !there:
		c.add(r, path, "AWS does not have the property %s of %s", path[len(path)-1], r.Type)
	case shape != nil && known != nil && !here && there:
		c.add(r, path, "AWS has the property, and this Lambent refuses it")
	}
	if !here {
		shape = nil
	}
	if !there {
		known = nil
	}
	c.walk(r, shape, known, path, v)
}

var (
	// retired are the runtimes for which AWS creates no functions any more, see
	// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html (as of November 2026).
	retired = regexp.MustCompile(`^(nodejs(0|4|6|8|10|12|14|16|18|20)\..*|python(2\.7|3\.[6-9])|ruby2\..*|java8|dotnetcore.*|dotnet[567]|go1\.x|provided)$`)
	// here are addresses and the account of this machine.
	here = regexp.MustCompile(`\b(localhost|127\.0\.0\.1|host\.docker\.internal|000000000000)\b`)
)

// text looks at one text of a property.
func (c *comparison) text(r template.Resource, path []string, text string) {
	if r.Type == "AWS::Lambda::Function" && slices.Equal(path, []string{"Runtime"}) && retired.MatchString(text) {
		c.add(r, path, "AWS no longer creates functions with the runtime %s; this Lambent does", text)
	}
	if found := here.FindString(text); found != "" {
		c.add(r, path, "%s is an address or account of this machine; use AWS::AccountId, AWS::Region or a parameter", found)
	}
}
