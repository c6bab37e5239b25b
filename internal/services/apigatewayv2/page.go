package apigatewayv2

import (
	"context"

	paged "lambent.dev/lambent/internal/services/apigatewayv2/paging"
	"lambent.dev/lambent/internal/store/key"
)

// paging is the part of a list's input that says which page is wanted.
type paging struct{ results, token *string }

// limit returns how many items the page may have.
func (p paging) limit() (int, error) { return paged.Limit(p.results) }

// page returns one page of list in the order of the ids, and the token of the next one.
func page[T any](list []T, p paging, idOf func(*T) string) ([]T, *string, error) {
	return paged.Slice(list, p.results, p.token, idOf)
}

// items returns a page of list as what the API shows of its elements; never nil.
func items[T, V any](list []T, p paging, idOf func(*T) string, show func(*T) V) ([]V, *string, error) {
	list, next, err := page(list, p, idOf)
	out := make([]V, 0, len(list))
	for i := range list {
		out = append(out, show(&list[i]))
	}
	return out, next, err
}

// listed returns a page of the records under prefix, whose keys end with their ids, as what the API shows of them; never nil.
func listed[T, V any](ctx context.Context, g *Gateway, prefix key.Key, p paging, show func(*T) V) ([]V, *string, error) {
	return paged.Listed(ctx, g.deps.Store, prefix, p.results, p.token, show)
}
