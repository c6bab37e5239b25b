package sqs

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/auth/keycheck"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// CheckSend implements [port.Queues].
func (s *Service) CheckSend(ctx context.Context, from port.Source, arn string) error {
	p, name, ok := resolveARN(arn)
	if !ok {
		return noQueue()
	}
	q := s.queues.known(p.queue(name))
	if q == nil {
		var err error
		if q, err = s.viewNamed(ctx, p, name); err != nil {
			return err
		}
	}
	r := *service.RequestFrom(ctx)
	r.Principal = service.ServiceCaller(from.Service, from.ARN, from.Account)
	r.Account, r.Region = p.account, p.region
	ctx = service.WithRequest(ctx, &r)
	if err := s.door.Allow(ctx, service.Target{Action: "sqs:SendMessage", ARN: q.arn, Owner: p.account, Policy: q.policy}); err != nil {
		return err
	}
	return s.checkKey(ctx, q, keycheck.Write)
}

// Send implements [port.Queues].
func (s *Service) Send(ctx context.Context, fn func(tx store.Txn, send func(queue string, m *port.QueueMessage) error) error) error {
	return s.update(ctx, func(w *work) error {
		// Messages of one sender often share their body.
		last := struct {
			body   string
			digest [md5.Size]byte
		}{}
		return fn(w.tx, func(arn string, m *port.QueueMessage) error {
			p, name, ok := resolveARN(arn)
			if !ok {
				return noQueue()
			}
			q, err := s.get(w.tx, p, name)
			if err != nil {
				return err
			}
			if m.Body != last.body || last.body == "" {
				last.body, last.digest = m.Body, md5.Sum([]byte(m.Body))
			}
			out, err := s.composeFor(q, m, last.digest)
			if err != nil {
				return err
			}
			_, err = w.send(q, out)
			return err
		})
	})
}

// composeFor makes a message of a service.
func (s *Service) composeFor(q *queue, m *port.QueueMessage, digest [md5.Size]byte) (*outgoing, error) {
	out := &outgoing{group: m.Group, content: content{body: m.Body, digest: digest, sender: m.Sender, trace: m.Trace, dedup: m.Deduplication}}
	for name, a := range m.Attributes {
		x := attribute{name: name, kind: a.Type, value: a.Text}
		if x.binary() {
			x.value = string(a.Binary)
		}
		out.content.attributes = append(out.content.attributes, x)
	}
	slices.SortFunc(out.content.attributes, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	if q.fifo && out.content.dedup == "" && q.contentDedup {
		sum := sha256.Sum256([]byte(m.Body))
		out.content.dedup = hex.EncodeToString(sum[:])
	}
	switch {
	case len(out.content.attributes) > maxAttributes:
		return nil, service.Errorf(codeValue, "Number of message attributes [%d] exceeds the allowed maximum [%d].", len(out.content.attributes), maxAttributes)
	case out.measure() > q.maxSize:
		return nil, tooLong(q.maxSize)
	case q.fifo && m.Group == "":
		return nil, missing("MessageGroupId")
	}
	if err := out.checkDedup(q); err != nil {
		return nil, err
	}
	return out, s.identify(out)
}
