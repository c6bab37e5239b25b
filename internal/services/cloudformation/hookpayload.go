package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// payloadPath is where the functions of hooks fetch templates and changes. The secret in the URL is the right to do so, as the signature of AWS's URLs is.
const payloadPath = "/_aws/cloudformation/hook/"

// payloadRecord is what one invocation of a hook may fetch while it runs.
type payloadRecord struct {
	Secret string
	Body   json.RawMessage
}

func payloadKey(id string) key.Key { return key.New("cloudformation", "hookpayload").Str(id) }

// openPayload makes a payload readable under a URL until it is shut. An invocation that is repeated after a crash takes the place of the one before.
func (s *Service) openPayload(ctx context.Context, id string, payload any) (url string, shut func(), err error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return "", nil, err
	}
	secret, err := s.uuid()
	if err != nil {
		return "", nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Txn) error { return record.Set(tx, payloadKey(id), payloadRecord{secret, body}) })
	return s.BaseURL + payloadPath + id + "/" + secret, func() {
		_ = s.Store.Update(context.WithoutCancel(ctx), func(tx store.Txn) error {
			tx.Delete(payloadKey(id))
			return nil
		})
	}, err
}

// servePayload answers with what a hook may read.
func (s *Service) servePayload(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := strings.Cut(strings.TrimPrefix(front.RoutePath(r), "/"), "/")
	var p payloadRecord
	err := s.Store.View(r.Context(), func(v store.Reader) (err error) {
		var found bool
		if p, found, err = record.Get[payloadRecord](v, payloadKey(id)); err == nil && (!found || p.Secret != secret) {
			err = store.ErrNotFound
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		http.Error(w, "There is nothing to read here: the hook's invocation is over.", http.StatusForbidden)
	case err != nil:
		http.Error(w, "The payload cannot be read now; try again.", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(p.Body)
	}
}
