// Package opt reads and makes optional members of AWS shapes, which are pointers.
package opt

// Value returns what p points to, or the zero value.
func Value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// Of returns a pointer to v, or nil for the zero value.
func Of[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
