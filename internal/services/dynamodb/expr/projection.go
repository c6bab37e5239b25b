package expr

import "lambent.dev/lambent/internal/lib/attr"

// Projection is a parsed projection expression.
type Projection struct {
	*attr.Projection
	// Paths are the paths in the order of the expression.
	Paths []attr.Path
}

// ParseProjection parses a ProjectionExpression.
func ParseProjection(src string, p *Placeholders) (*Projection, error) {
	var paths []attr.Path
	err := run("ProjectionExpression", src, p, func(ps *parser) {
		paths = append(paths, ps.path())
		for ps.take(",") {
			paths = append(paths, ps.path())
		}
		ps.checkPaths(paths)
	})
	if err != nil {
		return nil, err
	}
	return &Projection{attr.NewProjection(paths), paths}, nil
}
