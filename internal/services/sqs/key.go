package sqs

import (
	"context"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// checkKey refuses a caller who may not use the key of a queue. It does nothing for a queue without one.
func (s *Service) checkKey(ctx context.Context, q *queue, right keycheck.Right) error {
	if q.key == "" {
		return nil
	}
	use := port.KeyUse{Service: "sqs", Key: q.key, Account: q.place.account, Region: q.place.region, Context: map[string]string{"aws:sqs:arn": q.arn}}
	err := s.keys.Check(ctx, right, use, time.Duration(q.keyReuse)*time.Second)
	if cause, message, ok := keycheck.CauseOf(err); ok {
		return service.Errorf("Kms"+string(cause), "%s", message)
	}
	return err
}
