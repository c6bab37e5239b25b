package kinesis

import (
	"context"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// keyReuse is for how long a stream uses a data key
// (https://docs.aws.amazon.com/streams/latest/dev/what-is-sse.html).
const keyReuse = 5 * time.Minute

// checkKey refuses a caller who may not use the key of a stream. It does nothing for a stream without one.
func (s *Service) checkKey(ctx context.Context, st *stream, right keycheck.Right) error {
	if st.Key == "" {
		return nil
	}
	use := port.KeyUse{Service: "kinesis", Key: st.Key, Account: st.place.account, Region: st.place.region, Context: map[string]string{"aws:kinesis:arn": st.arn()}}
	err := s.keys.Check(ctx, right, use, keyReuse)
	cause, message, ok := keycheck.CauseOf(err)
	if !ok {
		return err
	}
	if cause == keycheck.Usage {
		cause = keycheck.State // the API has no name for it
	}
	return service.Errorf("KMS"+string(cause)+"Exception", "%s", message)
}
