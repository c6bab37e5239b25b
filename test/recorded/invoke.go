package recorded

import (
	"context"
	"encoding/json"
	"errors"

	"lambent.dev/lambent/internal/service"
)

// Invoke runs an operation of a service with its input in JSON, past the door: the targets of its access rule are computed, as the door would, and nobody is asked for
// permission. prepare, when not nil, may change the input. It is what a [Platform] calls.
func Invoke(ctx context.Context, s *service.Service, operation, input string, prepare func(in any)) (output string, failure *Failure, err error) {
	for _, b := range s.Operations {
		if b.Name != operation || b.Call == nil {
			continue
		}
		in := b.New()
		if err := json.Unmarshal([]byte(input), in); err != nil {
			return "", nil, err
		}
		if prepare != nil {
			prepare(in)
		}
		if a, ok := s.Access[operation]; ok && a.Targets != nil {
			if _, err := a.Targets(ctx, in); err != nil {
				return refused(err)
			}
		}
		out, err := b.Call(ctx, in)
		if err != nil {
			return refused(err)
		}
		text, err := json.Marshal(out)
		return string(text), nil, err
	}
	return "", nil, errors.New("no such operation")
}

func refused(err error) (string, *Failure, error) {
	var e *service.Error
	if !errors.As(err, &e) {
		return "", nil, err
	}
	return "", &Failure{Code: e.Code, Message: e.Message, Status: e.Status}, nil
}
