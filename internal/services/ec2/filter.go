package ec2

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/glob"
	"lambent.dev/lambent/internal/lib/opt"
)

// query is what a describing call asks for.
type query struct {
	ids     []string
	filters []api.Filter
	max     *int32
	token   *string
}

// fields are what objects are filtered by. A is a pointer to their shape: the compiler makes the methods once for all pointers, and once for each struct.
type fields[A any] struct {
	// id is what lists are sorted by, for those that have pages.
	id     func(A) *string
	tags   func(A) []api.Tag
	values map[string]func(A) []string
}

func text(s *string) []string {
	if s == nil {
		return nil
	}
	return []string{*s}
}

func flag(b *bool) []string     { return []string{strconv.FormatBool(opt.Value(b))} }
func number(n *int32) []string  { return []string{strconv.Itoa(int(opt.Value(n)))} }
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// each returns the values of all elements of a list.
func each[T any](list []T, value func(*T) []string) []string {
	var out []string
	for i := range list {
		out = append(out, value(&list[i])...)
	}
	return out
}

// anyOf compiles the values of a filter. A backslash takes the meaning from the wildcard behind it.
func anyOf(values []string) func(string) bool {
	var patterns []glob.Pattern
	for _, v := range values {
		var b glob.Builder
		for v != "" {
			at := strings.IndexByte(v, '\\')
			if at < 0 || at+1 == len(v) {
				b.Pattern(v)
				break
			}
			b.Pattern(v[:at])
			b.Literal(v[at+1 : at+2])
			v = v[at+2:]
		}
		patterns = append(patterns, b.Build())
	}
	return func(s string) bool {
		return slices.ContainsFunc(patterns, func(p glob.Pattern) bool { return p.Match(s) })
	}
}

// compile returns what tells whether an object matches all filters
// (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html).
func (f *fields[A]) compile(filters []api.Filter) (func(A) bool, error) {
	var tests []func(A) bool
	for _, filter := range filters {
		name := opt.Value(filter.Name)
		values := f.of(name)
		if values == nil {
			return nil, invalid("The filter '%s' is invalid", name)
		}
		if len(filter.Values) > 200 {
			return nil, refuse("FilterLimitExceeded", "The maximum number of filter values specified on a single call is 200")
		}
		match := anyOf(filter.Values)
		tests = append(tests, func(a A) bool { return slices.ContainsFunc(values(a), match) })
	}
	return func(a A) bool {
		for _, test := range tests {
			if !test(a) {
				return false
			}
		}
		return true
	}, nil
}

// of returns what a filter looks at, or nil for a name that is none.
func (f *fields[A]) of(name string) func(A) []string {
	if values := f.values[name]; values != nil || f.tags == nil {
		return values
	}
	tagged := func(value func(*api.Tag) []string) func(A) []string {
		return func(a A) []string { return each(f.tags(a), value) }
	}
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		return tagged(func(t *api.Tag) []string {
			if *t.Key != key {
				return nil
			}
			return []string{*t.Value}
		})
	}
	switch name {
	case "tag-key":
		return tagged(func(t *api.Tag) []string { return text(t.Key) })
	case "tag-value":
		return tagged(func(t *api.Tag) []string { return text(t.Value) })
	}
	return nil
}

// list answers a describing call for the objects of a kind: those with the ids, all without, that match the filters, in pages.
func list[R, A any](ctx context.Context, s *Service, k *kind[R], q query, f *fields[*A], shape func(v *view, r *R) (A, error)) (out []A, next *string, err error) {
	err = s.view(ctx, func(v *view) error {
		records, err := wanted(v, k, q.ids)
		if err != nil {
			return err
		}
		shapes := make([]A, 0, len(records))
		for i := range records {
			a, err := shape(v, &records[i])
			if err != nil {
				return err
			}
			shapes = append(shapes, a)
		}
		out, next, err = choose(shapes, q, f)
		return err
	})
	return out, next, err
}

// wanted returns the objects with ids, all of a kind without ids.
func wanted[R any](v *view, k *kind[R], ids []string) ([]R, error) {
	if len(ids) == 0 {
		return all(v, k)
	}
	var out []R
	var gone []string
	for _, id := range ids {
		if err := k.check(id); err != nil {
			return nil, err
		}
	}
	for i, id := range ids {
		r, err := find(v, k, id)
		switch {
		case err != nil:
			return nil, err
		case r == nil:
			gone = append(gone, id)
		case !slices.Contains(ids[:i], id):
			out = append(out, *r)
		}
	}
	if gone != nil {
		return nil, k.notFound(gone...)
	}
	return out, nil
}

// choose returns the page that a call asks for of those that match its filters.
func choose[A any](from []A, q query, f *fields[*A]) (out []A, next *string, err error) {
	places, next, err := f.choose(len(from), func(i int) *A { return &from[i] }, q)
	if err != nil {
		return nil, nil, err
	}
	out = make([]A, len(places))
	for i, at := range places {
		out[i] = from[at]
	}
	return out, next, nil
}

// choose returns the places of the page that a call asks for, of those among n objects that match its filters. A token is the id behind which the page begins.
func (f *fields[A]) choose(n int, object func(i int) A, q query) (places []int, next *string, err error) {
	match, err := f.compile(q.filters)
	if err != nil {
		return nil, nil, err
	}
	if q.max != nil && len(q.ids) > 0 {
		return nil, nil, refuse(codeCombination, "A list of ids cannot be used with the parameter maxResults")
	}
	var after string
	if q.token != nil && *q.token != "" {
		b, err := base64.URLEncoding.DecodeString(*q.token)
		if err != nil {
			return nil, nil, invalid("Unable to parse pagination token")
		}
		after = string(b)
	}
	size := int(opt.Value(q.max))
	for i := range n {
		if after != "" && *f.id(object(i)) <= after || !match(object(i)) {
			continue
		}
		if size > 0 && len(places) == size {
			return places, new(base64.URLEncoding.EncodeToString([]byte(*f.id(object(places[size-1]))))), nil
		}
		places = append(places, i)
	}
	return places, nil, nil
}
