package eventbridge

import (
	"context"
	"errors"

	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// pageSize is how many resources a list gives at once unless the call says less.
const pageSize = 100

// list calls keep with the records under prefix that a call asks for, and returns the token of the next page.
func list[T any](ctx context.Context, s *Service, prefix key.Key, namePrefix, token *string, limit *int32, keep func(name string, v T) bool) (*string, error) {
	size := pageSize
	if limit != nil && int(*limit) < size {
		size = int(*limit)
	}
	next, err := record.Page(ctx, s.deps.Store, prefix, record.Paging{NamePrefix: opt.Value(namePrefix), Token: token, Limit: size}, keep)
	if errors.Is(err, record.ErrToken) {
		return nil, invalid("Parameter NextToken is not valid.")
	}
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
