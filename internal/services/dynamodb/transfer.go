package dynamodb

import (
	"context"
	"errors"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// transfer is what exports and imports have in common: work with S3 that a principal asked for, done by a durable job. Their statuses have the same names.
type transfer struct {
	ID        string            `json:"id"`
	Table     string            `json:"table"`
	TableID   string            `json:"table_id"`
	Token     string            `json:"token,omitempty"`
	Status    string            `json:"status"`
	Begun     time.Time         `json:"begun"`
	Ended     time.Time         `json:"ended,omitzero"`
	Principal service.Principal `json:"principal"`
	Failure   *failure          `json:"failure,omitempty"`
}

// failure says why a transfer failed.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// base returns what a record has in common with others.
func (t *transfer) base() *transfer { return t }

// newTransfer begins a transfer for the principal of a request.
func (s *Service) newTransfer(ctx context.Context, token *string) (transfer, error) {
	now := s.clock.Now().UTC()
	id, err := s.newTimedID(now)
	return transfer{ID: id, Token: deref(token), Status: ddb.ExportStatusInProgress, Begun: now, Principal: service.RequestFrom(ctx).Principal}, err
}

// transferred is the pointer to the record of a transfer.
type transferred[R any] interface {
	*R
	base() *transfer
}

// transferOfToken returns the transfer that was begun with the client token of another, or nil. same tells whether both ask for the same.
func transferOfToken[R any, P transferred[R]](r store.Reader, p place, k kind[R], begun P, conflict string, same func(other *R) bool) (*R, error) {
	t := begun.base()
	if t.Token == "" {
		return nil, nil
	}
	for row, err := range record.Range[R](r, k.all(p).Str(t.Table).Span()) {
		if err != nil {
			return nil, err
		}
		other := P(&row.Value)
		if other.base().Token != t.Token {
			continue
		}
		if !same(other) {
			return nil, service.Errorf(conflict, "A request with the same client token, but different parameters, began %s", k.arn(p, t.Table, other.base().ID))
		}
		return other, nil
	}
	return nil, nil
}

// runTransfer does the work of a transfer, and notes how it ended. A refusal ends it; any other error makes the job be tried again, and work goes on
// where the record says.
func runTransfer[R any, P transferred[R]](ctx context.Context, s *Service, p place, k kind[R], arn string, work func(context.Context, *R) error, save func(context.Context, *R) error) error {
	var r *R
	err := s.store.View(ctx, func(reader store.Reader) (err error) {
		r, err = k.find(reader, p, arn)
		return err
	})
	if service.Code(err) == k.missing {
		return nil
	}
	if err != nil {
		return err
	}
	t := P(r).base()
	if t.Status != ddb.ExportStatusInProgress {
		return nil
	}
	ctx = service.WithRequest(ctx, &service.Request{ID: uuid.Of(arn), Account: p.account, Region: p.region, Principal: t.Principal, Time: s.clock.Now(), Secure: true})
	err = work(ctx, r)
	var refused *service.Error
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	t.Ended, t.Status = s.clock.Now().UTC(), ddb.ExportStatusCompleted
	if err != nil {
		t.Status, t.Failure = ddb.ExportStatusFailed, &failure{"S3" + refused.Code, refused.Message}
	}
	return save(ctx, r)
}
