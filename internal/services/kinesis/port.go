package kinesis

import (
	"context"

	"lambent.dev/lambent/internal/auth/keycheck"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// maxInline is the greatest size of a record that joins a transaction of its sender, in bytes: a row is one value of the store.
const maxInline = store.MaxValue - 1<<10

// Arrivals implements [port.Arrivals] for the ARNs of streams and consumers. A name that is none of theirs gets a channel that stays empty.
func (s *Service) Arrivals(source string) (arrived <-chan struct{}, stop func()) {
	if of, _, ok := parseConsumerARN(source); ok {
		source = of
	}
	p, name, ok := parseARN(source)
	if !ok {
		return make(chan struct{}), func() {}
	}
	w := s.store.Watch(p.logs(name))
	return w.C(), w.Close
}

// CheckPut implements [port.DataStreams].
func (s *Service) CheckPut(ctx context.Context, from port.Source, stream string) error {
	p, name, ok := parseARN(stream)
	if !ok {
		return invalid("%s is not the ARN of a data stream.", stream)
	}
	st, err := s.named(ctx, p, name)
	if err != nil {
		return err
	}
	r := *service.RequestFrom(ctx)
	r.Principal = service.ServiceCaller(from.Service, from.ARN, from.Account)
	r.Account, r.Region = p.account, p.region
	ctx = service.WithRequest(ctx, &r)
	if err := s.door.Allow(ctx, service.Target{Action: "kinesis:PutRecord", ARN: st.arn(), Owner: p.account, Policy: st.Policy}); err != nil {
		return err
	}
	return s.checkKey(ctx, st, keycheck.Write)
}

// Put implements [port.DataStreams].
func (s *Service) Put(tx store.Txn, stream, partition string, data []byte) error {
	p, name, ok := parseARN(stream)
	if !ok {
		return invalid("%s is not the ARN of a data stream.", stream)
	}
	cached, _ := s.streams.Peek(p, name)
	st, err := within(tx, p, name, cached)
	if err != nil {
		return err
	}
	e, err := newIncoming(data, partition, nil)
	if err != nil {
		return err
	}
	if err := st.checkSize(e); err != nil {
		return err
	}
	if e.measure() > maxInline {
		return invalid("A record of %d bytes cannot be put within a transaction; at most %d are possible.", e.measure(), maxInline)
	}
	s.append(tx, st, e)
	return nil
}
