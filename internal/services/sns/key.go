package sns

import (
	"context"
	"net/http"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// keyReuse is for how long a topic uses a data key
// (https://docs.aws.amazon.com/sns/latest/dg/sns-server-side-encryption.html).
const keyReuse = 5 * time.Minute

// checkKey refuses a publisher who may not use the key of a topic. It does nothing for a topic without one.
func (s *Service) checkKey(ctx context.Context, t *topic) error {
	key := t.Attributes["KmsMasterKeyId"]
	if key == "" {
		return nil
	}
	use := port.KeyUse{Service: "sns", Key: key, Account: t.place.account, Region: t.place.region, Context: map[string]string{"aws:sns:topicArn": t.arn}}
	err := s.options.Keys.Check(ctx, keycheck.Write, use, keyReuse)
	cause, message, ok := keycheck.CauseOf(err)
	if !ok {
		return err
	}
	if cause == keycheck.Usage {
		cause = keycheck.State // the API has no name for it
	}
	return service.Errorf("KMS"+string(cause), "%s", message).WithStatus(http.StatusBadRequest)
}
