package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// maxPeek bounds what one look into a queue shows.
const maxPeek = 100

// servePeek shows messages without receiving them: GET /_lambent/queues/ACCOUNT/REGION/NAME?limit=10.
func (s *Service) servePeek(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > maxPeek {
		limit = 10
	}
	account, region, name := front.RouteVar(r, "account"), front.RouteVar(r, "region"), front.RouteVar(r, "name")
	messages, err := s.peek(r.Context(), account, region, name, limit)
	if err != nil {
		status, text := http.StatusInternalServerError, "The queue cannot be read now. Try again."
		if service.Code(err) == codeNoQueue {
			status, text = http.StatusNotFound, fmt.Sprintf("There is no queue %q in %s of account %s. lambent aws sqs list-queues shows those that are there.", name, region, account)
		}
		http.Error(w, text, status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"messages": messages}) // who went away needs no answer
}

// peeked is a message as peek shows it.
type peeked struct {
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

// peek returns the first limit messages of a queue in the order of sending, whatever their state, without receiving them.
func (s *Service) peek(ctx context.Context, account, region, name string, limit int) ([]peeked, error) {
	out := []peeked{}
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
			m, err := q.shownInPlace(r, idAt(p.Key), p.Value)
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		return nil
	})
	return out, storeError(err)
}

func (q *queue) shownInPlace(r store.Reader, id id, row []byte) (peeked, error) {
	st, err := decodeState(row)
	if err != nil {
		return peeked{}, err
	}
	b, err := q.readContent(r, id, st.parts)
	if err != nil {
		return peeked{}, err
	}
	c, err := decodeContent(b)
	if err != nil {
		return peeked{}, err
	}
	m := peeked{MessageID: id.String(), Sent: time.UnixMilli(c.sent).UTC(), State: "visible", Received: st.received, Group: st.group, Body: c.body}
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
