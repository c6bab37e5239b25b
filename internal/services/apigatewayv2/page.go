package apigatewayv2

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// maxPage is how many items a page has at most, in every list of this API.
const maxPage = 500

// paging is the part of a list's input that says which page is wanted.
type paging struct{ results, token *string }

// limit returns how many items the page may have.
func (p paging) limit() (int, error) {
	if p.results == nil {
		return 100, nil
	}
	n, err := strconv.Atoi(*p.results)
	if err != nil || n < 1 || n > maxPage {
		return 0, badRequest("Invalid maxResults %q: give a number from 1 to %d.", *p.results, maxPage)
	}
	return n, nil
}

// after returns the id that the page before ended with; empty for the first page.
func (p paging) after() (string, error) {
	if p.token == nil {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*p.token)
	if err != nil || len(b) == 0 {
		return "", badRequest("Invalid nextToken %q: give the one that the page before had.", *p.token)
	}
	return string(b), nil
}

// tokenOf returns the token of the page after the item with an id.
func tokenOf(id string) *string {
	return ptr(base64.RawURLEncoding.EncodeToString([]byte(id)))
}

// page returns one page of list in the order of the ids, and the token of the next one.
func page[T any](list []T, p paging, idOf func(*T) string) ([]T, *string, error) {
	limit, err := p.limit()
	if err != nil {
		return nil, nil, err
	}
	after, err := p.after()
	if err != nil {
		return nil, nil, err
	}
	sorted := order.Sorted(list, func(a, b T) int { return strings.Compare(idOf(&a), idOf(&b)) })
	from := 0
	for from < len(sorted) && idOf(&sorted[from]) <= after && after != "" {
		from++
	}
	sorted = sorted[from:]
	if len(sorted) <= limit {
		return sorted, nil, nil
	}
	return sorted[:limit], tokenOf(idOf(&sorted[limit-1])), nil
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
	limit, err := p.limit()
	if err != nil {
		return nil, nil, err
	}
	out := []V{}
	next, err := record.Page(ctx, g.deps.Store, prefix, record.Paging{Token: p.token, Limit: limit}, func(_ string, v T) bool {
		out = append(out, show(&v))
		return true
	})
	if errors.Is(err, record.ErrToken) {
		err = badRequest("Invalid nextToken %q: give the one that the page before had.", *p.token)
	}
	return out, next, err
}
