package sns

import (
	"context"
	"log/slog"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// maxOutbox is how many mails and text messages are kept of a region.
const maxOutbox = 1000

// outgoing is a mail, a text message or a push that the platform keeps instead of sending it.
type outgoing struct {
	Kind, To string
	Subject  string `json:",omitempty"`
	Body     string
	Time     string
}

// outbox keeps an outgoing message, and forgets the oldest beyond the limit.
func (s *Service) outbox(tx store.Txn, p place, o *outgoing) error {
	if err := record.Append(tx, p.outbox(), o); err != nil {
		return err
	}
	n := 0
	var oldest []key.Key
	for pair, err := range tx.Range(p.outbox().Span()) {
		if err != nil {
			return err
		}
		if n++; len(oldest) < 2 {
			oldest = append(oldest, key.Key(pair.Key))
		}
	}
	if n >= maxOutbox {
		for _, k := range oldest {
			tx.Delete(k)
		}
	}
	tx.OnCommit(func() {
		s.deps.Log.Info("message kept in the outbox", slog.String("kind", o.Kind), slog.String("to", o.To), slog.String("subject", o.Subject))
	})
	return nil
}

// keepInOutbox delivers a message to the outbox.
func (s *Service) keepInOutbox(ctx context.Context, tx store.Txn, m *sealed, x *subscriber) (int, error) {
	o := &outgoing{Kind: x.Protocol, To: x.Endpoint, Body: m.bodyFor(x.Protocol), Time: m.Timestamp}
	if m.Subject != nil {
		o.Subject = *m.Subject
	}
	if x.Protocol == protocolEmailJSON {
		var err error
		if o.Body, err = m.envelope(ctx, x); err != nil {
			return 0, err
		}
	}
	return len(o.Body), s.outbox(tx, m.t.place, o)
}
