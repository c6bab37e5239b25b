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

// Outgoing is a mail, a text message or a push that the platform keeps instead of sending it.
type Outgoing struct {
	// Kind is the protocol: "email", "email-json", "sms" or "application".
	Kind    string `json:"kind"`
	To      string `json:"to"`
	Subject string `json:"subject,omitempty"`
	Body    string `json:"body"`
	// Time is when it would have been sent, in the form of SNS messages.
	Time string `json:"time"`
}

// Outbox returns the last limit messages that were kept instead of being sent, the newest first. It asks for no permission.
func (s *Service) Outbox(ctx context.Context, account, region string, limit int) ([]Outgoing, error) {
	out := []Outgoing{}
	span := place{account, region}.outbox().Span()
	span.Reverse, span.Limit = true, limit
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		out = out[:0]
		for row, err := range record.Range[Outgoing](r, span) {
			if err != nil {
				return err
			}
			out = append(out, row.Value)
		}
		return nil
	})
	return out, storeError(err)
}

// outbox keeps an outgoing message, and forgets the oldest beyond the limit.
func (s *Service) outbox(tx store.Txn, p place, o *Outgoing) error {
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
	o := &Outgoing{Kind: x.Protocol, To: x.Endpoint, Body: m.bodyFor(x.Protocol), Time: m.Timestamp}
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
