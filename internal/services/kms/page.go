package kms

import (
	"context"
	"errors"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// paging says which part of a list is wanted: usual is the length of a page when limit is nil.
type paging struct {
	limit  *int32
	usual  int
	marker *string
}

func (p paging) of() record.Paging {
	g := record.Paging{Token: p.marker, Limit: p.usual}
	if p.limit != nil {
		g.Limit = int(*p.limit)
	}
	return g
}

// page calls keep with the records under prefix, and returns the marker of the next page.
func page[T any](ctx context.Context, s *Service, prefix key.Key, p paging, keep func(name string, v T) bool) (*string, error) {
	next, err := record.Page(ctx, s.deps.Store, prefix, p.of(), keep)
	return next, badMarker(err)
}

func badMarker(err error) error {
	if errors.Is(err, record.ErrToken) {
		return refused(codeMarker, "Could not deserialize marker")
	}
	return err
}

// slice returns the part of a list that is in memory whole.
func slice[T any](all []T, p paging, name func(v T) string) (part []T, next *string, err error) {
	g := p.of()
	part = []T{}
	started := g.Token == nil
	for _, v := range all {
		if !started {
			started = name(v) == *g.Token
			continue
		}
		if len(part) == g.Limit {
			return part, new(name(part[len(part)-1])), nil
		}
		part = append(part, v)
	}
	if !started {
		return nil, nil, badMarker(record.ErrToken)
	}
	return part, nil, nil
}

func isMissing(err error) bool { return errors.Is(err, store.ErrNotFound) }
