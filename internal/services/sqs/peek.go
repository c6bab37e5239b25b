package sqs

import (
	"context"
	"time"

	"lambent.dev/lambent/internal/store"
)

// Peeked is a message as [Service.Peek] shows it.
type Peeked struct {
	MessageID string    `json:"messageId"`
	Sent      time.Time `json:"sent"`
	// State is "visible", "delayed" or "in flight"; Until is when a message that is not visible will be.
	State      string            `json:"state"`
	Until      time.Time         `json:"until,omitzero"`
	Received   uint64            `json:"received"`
	Group      string            `json:"group,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Body       string            `json:"body"`
}

// Peek returns the first limit messages of a queue in the order of sending, whatever their state, without receiving them. It asks for no permission.
func (s *Service) Peek(ctx context.Context, account, region, name string, limit int) ([]Peeked, error) {
	out := []Peeked{}
	err := s.store.View(ctx, func(r store.Reader) error {
		q, err := s.get(r, place{account, region}, name)
		if err != nil {
			return err
		}
		span := q.base("ms").Span()
		if oldest := q.live.at().oldest; oldest != nil {
			span.Lo = oldest
		}
		span.Limit = limit
		for p, err := range r.Range(span) {
			if err != nil {
				return err
			}
			m, err := q.peeked(r, idAt(p.Key), p.Value)
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out, storeError(err)
}

func (q *queue) peeked(r store.Reader, id id, row []byte) (Peeked, error) {
	st, err := decodeState(row)
	if err != nil {
		return Peeked{}, err
	}
	b, err := q.readContent(r, id, st.parts)
	if err != nil {
		return Peeked{}, err
	}
	c, err := decodeContent(b)
	if err != nil {
		return Peeked{}, err
	}
	m := Peeked{MessageID: id.String(), Sent: time.UnixMilli(c.sent).UTC(), State: "visible", Received: st.received, Group: st.group, Body: c.body}
	switch st.where {
	case delayed:
		m.State = "delayed"
	case inFlight:
		m.State = "in flight"
	}
	if st.where != visible {
		m.Until = time.UnixMilli(st.due).UTC()
	}
	for _, a := range c.attributes {
		if m.Attributes == nil {
			m.Attributes = map[string]string{}
		}
		m.Attributes[a.name] = a.value
	}
	return m, nil
}
