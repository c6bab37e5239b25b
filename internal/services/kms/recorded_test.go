package kms

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/wire"
	"lambent.dev/lambent/test/recorded"
)

// replayed is a harness on which recorded cases run.
type replayed struct {
	*harness
	began time.Time
	wire  *wire.API
}

// Advance implements [recorded.Platform].
func (r *replayed) Advance(since time.Duration) {
	synctest.Wait()
	r.clock.Advance(max(since-r.clock.Now().Sub(r.began), 0))
	synctest.Wait()
}

// Call implements [recorded.Platform].
func (r *replayed) Call(name, operation, input string) (string, *recorded.Failure, error) {
	ctx := r.ctx
	if _, region, ok := strings.Cut(name, "@"); ok {
		ctx = r.in(region)
	}
	var bad error
	output, f, err := recorded.Invoke(ctx, &r.desc, operation, input, func(in any) {
		bad = r.wire.Operation(operation).Validate(&wire.Request{Protocol: r.desc.API.Protocols[0]}, in)
		if i, ok := in.(*api.ImportKeyMaterialInput); ok {
			r.wrapAnew(i)
		}
	})
	var e *service.Error
	if errors.As(bad, &e) {
		return "", &recorded.Failure{Code: e.Code, Message: e.Message, Status: http.StatusBadRequest}, nil
	}
	return output, f, err
}

// wrapAnew puts new material into an import: that of the recording was wrapped under a key that is not here.
func (r *replayed) wrapAnew(in *api.ImportKeyMaterialInput) {
	r.t.Helper()
	f, err := r.find(r.ctx, in.KeyId)
	if err != nil {
		return // the call will say so
	}
	sealed, err := r.options.Ring.Open(importPurpose, in.ImportToken)
	if err != nil {
		return
	}
	var token importToken
	if err := json.Unmarshal(sealed, &token); err != nil {
		r.t.Fatal(err)
	}
	secret, err := material.New(f.spec(), r.deps.Random)
	if err != nil {
		r.t.Fatal(err)
	}
	in.EncryptedKeyMaterial = wrapWith(r.t, token.Algorithm, token.Spec, token.Private, secret)
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		return &replayed{harness: h, began: h.clock.Now(), wire: wire.New(h.desc.API, h.desc.Operations)}
	})
}
