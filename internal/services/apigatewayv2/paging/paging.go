// Package paging reads lists in pages, as all lists of the API are paged: maxResults and nextToken are texts, and both are checked.
package paging

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// maxResults is how many items a page has at most, unsaid how many it has when the caller does not say.
	maxResults = 500
	unsaid     = 100
)

// Limit returns how many items the page may have.
func Limit(results *string) (int, error) {
	if results == nil {
		return unsaid, nil
	}
	n, err := strconv.Atoi(*results)
	if err != nil || n < 1 || n > maxResults {
		return 0, service.Errorf("BadRequestException", "Invalid maxResults %q: give a number from 1 to %d.", *results, maxResults)
	}
	return n, nil
}

func badToken(token string) error {
	return service.Errorf("BadRequestException", "Invalid nextToken %q: give the one that the page before had.", token)
}

// Slice returns one page of list in the order of the ids, and the token of the next one.
func Slice[T any](list []T, results, token *string, idOf func(*T) string) ([]T, *string, error) {
	limit, err := Limit(results)
	if err != nil {
		return nil, nil, err
	}
	after := ""
	if token != nil {
		b, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil || len(b) == 0 {
			return nil, nil, badToken(*token)
		}
		after = string(b)
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
	next := base64.RawURLEncoding.EncodeToString([]byte(idOf(&sorted[limit-1])))
	return sorted[:limit], &next, nil
}

// Listed returns a page of the records under prefix, whose keys end with their ids, as what show makes of them; never nil.
func Listed[T, V any](ctx context.Context, s store.Store, prefix key.Key, results, token *string, show func(*T) V) ([]V, *string, error) {
	limit, err := Limit(results)
	if err != nil {
		return nil, nil, err
	}
	out := []V{}
	next, err := record.Page(ctx, s, prefix, record.Paging{Token: token, Limit: limit}, func(_ string, v T) bool {
		out = append(out, show(&v))
		return true
	})
	if errors.Is(err, record.ErrToken) {
		err = badToken(*token)
	}
	return out, next, err
}
