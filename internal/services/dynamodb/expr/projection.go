package expr

import "lambent.dev/lambent/internal/lib/attr"

// Projection is a parsed projection expression.
type Projection struct {
	*attr.Projection
	// Paths are the paths in the order of the expression.
	Paths []attr.Path
}

// parse takes a ProjectionExpression.
func (pr *Projection) parse(p *parser) {
	pr.Paths = append(pr.Paths, p.path())
	for p.take(",") {
		pr.Paths = append(pr.Paths, p.path())
	}
	p.checkPaths(pr.Paths)
}
