package sns

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// maxOutbox is how many mails and text messages are kept of a region.
const maxOutbox = 1000

// outgoing is a mail, a text message or a push that the platform keeps instead of sending it.
type outgoing struct {
	// Kind is the protocol: "email", "email-json", "sms" or "application".
	Kind    string `json:"kind"`
	To      string `json:"to"`
	Subject string `json:"subject,omitempty"`
	Body    string `json:"body"`
	// Time is when it would have been sent, in the form of SNS messages.
	Time string `json:"time"`
}

// serveOutbox shows what was kept instead of being sent: GET /_lambent/outbox/ACCOUNT/REGION?limit=10.
func (s *Service) serveOutbox(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > maxOutbox {
		limit = 10
	}
	messages, err := s.kept(r.Context(), place{front.RouteVar(r, "account"), front.RouteVar(r, "region")}, limit)
	if err != nil {
		http.Error(w, "The outbox cannot be read now. Try again.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"messages": messages}) // who went away needs no answer
}

// kept returns the last limit messages that were kept instead of being sent, the newest first.
func (s *Service) kept(ctx context.Context, p place, limit int) ([]outgoing, error) {
	out := []outgoing{}
	span := p.outbox().Span()
	span.Reverse, span.Limit = true, limit
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		out = out[:0]
		for row, err := range record.Range[outgoing](r, span) {
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

// keepInOutbox delivers a message to the outbox, and to the server for mails when there is one.
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
	if err := s.outbox(tx, m.t.place, o); err != nil || o.Kind != protocolEmail && o.Kind != protocolEmailJSON {
		return len(o.Body), err
	}
	j := &mailJob{Account: m.t.place.account, Region: m.t.place.region, TopicID: m.TopicARN, Mail: o, Dead: x.dead}
	if x.dead != "" {
		var err error
		if j.DeadMessage, err = m.queueMessage(ctx, x); err != nil {
			return 0, err
		}
	}
	return len(o.Body), s.mailLater(tx, j)
}
