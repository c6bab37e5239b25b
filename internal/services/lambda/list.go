package lambda

import (
	"context"
	"iter"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The most entries of a page, where an operation has no limit of its own.
const defaultPage = 50

func pageSize(n *int32, most int) int {
	if n == nil || int(*n) > most || *n < 1 {
		return most
	}
	return int(*n)
}

// listed is a configuration as lists show it: without the state.
func listed(c *api.FunctionConfiguration) api.FunctionConfiguration {
	c.State, c.LastUpdateStatus, c.RuntimeVersionConfig = "", "", nil
	return *c
}

// functionPage is a page of versions that is being filled.
type functionPage struct {
	limit int
	list  []api.FunctionConfiguration
	next  *string
}

// add adds a version, and reports false when the page was full already.
func (p *functionPage) add(r ref, v *version, marker func(last api.FunctionConfiguration) string) bool {
	if len(p.list) == p.limit {
		p.next = ptr(marker(p.list[p.limit-1]))
		return false
	}
	p.list = append(p.list, listed(v.configuration(r)))
	return true
}

// versionsAfter yields the versions of a function after the one with this number; with an empty number, all from $LATEST.
func versionsAfter(rd store.Reader, r ref, f *function, number string) iter.Seq2[*version, error] {
	return func(yield func(*version, error) bool) {
		span := r.versions(r.name).Span()
		if number == "" {
			if !yield(f.shown(), nil) {
				return
			}
		} else if number != latest {
			span.Lo = append(r.scope.version(r.name, number), 0)
		}
		for row, err := range record.Range[version](rd, span) {
			if !yield(&row.Value, err) || err != nil {
				return
			}
		}
	}
}

// listFunctions lists the unpublished versions, or all. There are no replicas of functions of other regions here: asking for them finds none.
func (l *Lambda) listFunctions(ctx context.Context, in *api.ListFunctionsInput) (*api.ListFunctionsOutput, error) {
	all := in.FunctionVersion == api.FunctionVersionAll
	if in.MasterRegion != nil && !all {
		return nil, invalid("FunctionVersion must be set to ALL if MasterRegion is specified.")
	}
	page := &functionPage{limit: pageSize(in.MaxItems, defaultPage), list: []api.FunctionConfiguration{}}
	if in.MasterRegion != nil && *in.MasterRegion != "ALL" {
		return &api.ListFunctionsOutput{Functions: page.list}, nil
	}
	// A marker is the name of the function that was listed last, with ALL followed by the version.
	name, number, _ := strings.Cut(orZero(in.Marker), ":")
	s := scopeOf(ctx)
	span := s.functions().Span()
	if name != "" {
		span.Lo = s.function(name)
	}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		for row, err := range record.Range[function](rd, span) {
			if err != nil {
				return err
			}
			f := &row.Value
			if more, err := page.addFunction(rd, ref{scope: s, name: f.Name}, f, all, name, number); err != nil || !more {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ListFunctionsOutput{Functions: page.list, NextMarker: page.next}, nil
}

// addFunction adds the versions of a function that come after the marker, and reports false when the page is full.
func (p *functionPage) addFunction(rd store.Reader, r ref, f *function, all bool, name, number string) (bool, error) {
	if !all {
		return f.Name == name || p.add(r, f.shown(), func(last api.FunctionConfiguration) string { return *last.FunctionName }), nil
	}
	after := ""
	if f.Name == name {
		after = number
	}
	for v, err := range versionsAfter(rd, r, f, after) {
		if err != nil {
			return false, err
		}
		if !p.add(r.with(v.Number), v, func(last api.FunctionConfiguration) string { return *last.FunctionName + ":" + *last.Version }) {
			return false, nil
		}
	}
	return true, nil
}

func (l *Lambda) listVersionsByFunction(ctx context.Context, in *api.ListVersionsByFunctionInput) (*api.ListVersionsByFunctionOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	r.qualifier = ""
	page := &functionPage{limit: pageSize(in.MaxItems, defaultPage), list: []api.FunctionConfiguration{}}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		f, err := loadFunction(rd, r)
		if err != nil {
			return err
		}
		for v, err := range versionsAfter(rd, r, &f, orZero(in.Marker)) {
			if err != nil {
				return err
			}
			if !page.add(r.with(v.Number), v, func(last api.FunctionConfiguration) string { return *last.Version }) {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ListVersionsByFunctionOutput{Versions: page.list, NextMarker: page.next}, nil
}
