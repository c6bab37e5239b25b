package sns

import (
	"context"
	"encoding/base64"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// pageSize is how many resources a list gives at once (https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html).
const pageSize = 100

// list calls fn with the rows under prefix behind a token, up to a page, with the first element of each key behind the prefix. It returns the next token.
func (s *Service) list(ctx context.Context, prefix key.Key, token *string, fn func(r store.Reader, name string, p store.Pair) error) (*string, error) {
	span := prefix.Span()
	if token != nil && *token != "" {
		b, err := base64.URLEncoding.DecodeString(*token)
		if err != nil {
			return nil, invalid("NextToken")
		}
		span.Lo = append(prefix.Raw(b), 0)
	}
	var next *string
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		n := 0
		var last []byte
		for p, err := range r.Range(span) {
			if err != nil {
				return err
			}
			if n == pageSize {
				next = new(base64.URLEncoding.EncodeToString(last))
				return nil
			}
			n++
			last = p.Key[len(prefix):]
			if err := fn(r, key.Decode(p.Key).Skip(prefix).Str(), p); err != nil {
				return err
			}
		}
		return nil
	})
	return next, storeError(err)
}
