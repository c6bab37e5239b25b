package record

import (
	"context"
	"encoding/base64"
	"errors"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// ErrToken is returned by Page for a token that it did not make.
var ErrToken = errors.New("not a token of a page")

// Paging says which records of a list are wanted.
type Paging struct {
	// NamePrefix is what names begin with.
	NamePrefix string
	// Token is the one that the page before ended with; nil or empty means the first page.
	Token *string
	// Limit is how many records a page has at most.
	Limit int
}

// Page calls keep with the records under prefix, whose keys go on with a name, until it has kept p.Limit of them. It returns the token of the next page, nil on the last.
func Page[T any](ctx context.Context, s store.Store, prefix key.Key, p Paging, keep func(name string, v T) bool) (next *string, err error) {
	return PageRows(ctx, s, prefix, p, func(k []byte, v T) bool { return keep(key.Decode(k).Skip(prefix).Str(), v) })
}

// PageRows is [Page] for records whose keys go on in another way than with a name: keep gets the whole key, which is valid until it returns.
func PageRows[T any](ctx context.Context, s store.Store, prefix key.Key, p Paging, keep func(k []byte, v T) bool) (next *string, err error) {
	return page(ctx, s, prefix, p, func(k, value []byte) (bool, error) {
		var v T
		if err := decode(k, value, &v); err != nil {
			return false, err
		}
		return keep(k, v), nil
	})
}

// page is what [PageRows] does for records of all types; keep gets them as they are stored.
func page(ctx context.Context, s store.Store, prefix key.Key, p Paging, keep func(k, value []byte) (bool, error)) (next *string, err error) {
	span := prefix.Span()
	if p.NamePrefix != "" {
		span = prefix.StrPrefix(p.NamePrefix).Span()
	}
	if p.Token != nil && *p.Token != "" {
		b, err := base64.URLEncoding.DecodeString(*p.Token)
		if err != nil {
			return nil, ErrToken
		}
		span.Lo = append(prefix.Raw(b), 0)
	}
	err = s.View(ctx, func(r store.Reader) error {
		n := 0
		last := []byte{0} // before every name
		for row, err := range r.Range(span) {
			if err != nil {
				return err
			}
			if n == p.Limit {
				token := base64.URLEncoding.EncodeToString(last)
				next = &token
				return nil
			}
			kept, err := keep(row.Key, row.Value)
			if err != nil {
				return err
			}
			if kept {
				n++
			}
			last = append(last[:0], row.Key[len(prefix):]...)
		}
		return nil
	})
	return next, err
}
