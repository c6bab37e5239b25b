package apigateway

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/lib/order"
)

// Limits of a page of a list (https://docs.aws.amazon.com/apigateway/latest/api/API_GetRestApis.html).
const (
	defaultPage = 25
	maxPage     = 500
)

// page returns a page of a list and the position of the next one. The list is put into the order of name, which is unique. A limit outside of what AWS takes is the default, as recorded.
func page[T any](all []T, name func(v *T) string, position *string, limit *int32) (items []T, next *string, err error) {
	order.Sort(all, func(a, b T) int { return strings.Compare(name(&a), name(&b)) })
	n := limitOf(limit)
	from := 0
	if position != nil && *position != "" {
		after, err := base64.URLEncoding.DecodeString(*position)
		if err != nil {
			return nil, nil, badRequest("Invalid position parameter specified")
		}
		from, _ = slices.BinarySearchFunc(all, string(after)+"\x00", func(v T, after string) int { return strings.Compare(name(&v), after) })
	}
	items = all[from:]
	if len(items) > n {
		items = items[:n]
		next = ptr(base64.URLEncoding.EncodeToString([]byte(name(&items[n-1]))))
	}
	if items == nil {
		items = []T{}
	}
	return items, next, nil
}

// limitOf returns how many elements a page has.
func limitOf(limit *int32) int {
	if limit != nil && *limit > 0 && *limit <= maxPage {
		return int(*limit)
	}
	return defaultPage
}

// newest is the name of what was made at a time, in a list with the newest first.
func newest(made time.Time, id string) string {
	return fmt.Sprintf("%020d %s", math.MaxInt64-made.UnixNano(), id)
}

// oldest is the name of what was made at a time, in a list with the oldest first.
func oldest(made time.Time, id string) string { return fmt.Sprintf("%020d %s", made.UnixNano(), id) }
