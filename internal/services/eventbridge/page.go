package eventbridge

import (
	"context"
	"encoding/base64"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// pageSize is how many resources a list gives at once unless the call says less.
const pageSize = 100

// list calls keep with the records under prefix whose name begins with namePrefix and that lie behind token, until it has kept limit of them. It returns the token of
// the next page.
func list[T any](ctx context.Context, s *Service, prefix key.Key, namePrefix, token *string, limit *int32, keep func(name string, v T) bool) (*string, error) {
	span := prefix.StrPrefix(orEmpty(namePrefix)).Span()
	if namePrefix == nil {
		span = prefix.Span()
	}
	if token != nil && *token != "" {
		b, err := base64.URLEncoding.DecodeString(*token)
		if err != nil {
			return nil, invalid("Parameter NextToken is not valid.")
		}
		span.Lo = append(prefix.Raw(b), 0)
	}
	size := pageSize
	if limit != nil && int(*limit) < size {
		size = int(*limit)
	}
	var next *string
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		n := 0
		var last []byte
		for row, err := range record.Range[T](r, span) {
			if err != nil {
				return err
			}
			if n == size {
				if last == nil {
					last = []byte{0} // before every name
				}
				next = ptr(base64.URLEncoding.EncodeToString(last))
				return nil
			}
			if keep(key.Decode(row.Key).Skip(prefix).Str(), row.Value) {
				n++
			}
			last = append(last[:0], row.Key[len(prefix):]...)
		}
		return nil
	})
	return next, storeError(err)
}

// get returns the record at k, or missing when there is none.
func get[T any](r store.Reader, k key.Key, missing error) (T, error) {
	v, ok, err := record.Get[T](r, k)
	if err == nil && !ok {
		err = missing
	}
	return v, err
}

// view returns the record at k, or missing when there is none.
func view[T any](ctx context.Context, s *Service, k key.Key, missing error) (v T, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		v, err = get[T](r, k, missing)
		return err
	})
	return v, storeError(err)
}

// change runs fn on the record at k and stores it; missing is the error when there is none.
func change[T any](ctx context.Context, s *Service, k key.Key, missing error, fn func(tx store.Txn, v *T) error) error {
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		v, err := get[T](tx, k, missing)
		if err != nil {
			return err
		}
		if err := fn(tx, &v); err != nil {
			return err
		}
		return record.Set(tx, k, v)
	}))
}
