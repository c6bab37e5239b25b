package sqs

import (
	"encoding/base64"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// maxPage is how many queues a page lists
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html).
const maxPage = 1000

// page is one page of a list of queues.
type page struct {
	limit int
	after string
	next  *string
}

// newPage reads the parameters of a list. Without MaxResults AWS gives one page of up to 1000 queues and no token.
func newPage(limit *int32, token *string) (*page, error) {
	p := &page{limit: maxPage}
	if limit != nil {
		if *limit < 1 || *limit > maxPage {
			return nil, invalid(*limit, "MaxResults", "MaxResults must be an integer between 1 and 1000.")
		}
		p.limit = int(*limit)
	}
	if token != nil && *token != "" {
		b, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil || len(b) == 0 {
			return nil, service.Errorf(codeValue, "Invalid or expired next token.")
		}
		p.after = string(b)
	}
	return p, nil
}

// read calls fn with the queue records of span behind the token, until it took as many as the page holds.
func (p *page) read(r store.Reader, span store.Span, prefix key.Key, fn func(name string, pair store.Pair) (bool, error)) error {
	if p.after != "" {
		if lo := append(prefix.Str(p.after), 0); string(lo) > string(span.Lo) {
			span.Lo = lo
		}
	}
	if string(span.Lo) >= string(span.Hi) {
		return nil
	}
	n, last := 0, ""
	for pair, err := range r.Range(span) {
		if err != nil {
			return err
		}
		name := key.Decode(pair.Key).Skip(prefix).Str()
		if n == p.limit {
			token := base64.RawURLEncoding.EncodeToString([]byte(last))
			p.next = &token
			return nil
		}
		taken, err := fn(name, pair)
		if err != nil {
			return err
		}
		if taken {
			n++
		}
		last = name
	}
	return nil
}
