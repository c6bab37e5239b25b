package firehose

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// parseARN returns the place and the name of the delivery stream of an ARN.
func parseARN(text string) (p place, name string, err error) {
	a, err := arn.Parse(text)
	name, ok := strings.CutPrefix(a.Resource, "deliverystream/")
	if err != nil || a.Service != "firehose" || !ok || name == "" {
		return p, "", invalid("%s is not the ARN of a delivery stream.", text)
	}
	return place{a.Account, a.Region}, name, nil
}

// CheckPut implements [port.DeliveryStreams].
func (s *Service) CheckPut(ctx context.Context, from port.Source, role, stream string) error {
	p, name, err := parseARN(stream)
	if err != nil {
		return err
	}
	if _, err := s.known(ctx, p, name); err != nil {
		return err
	}
	id, err := uuid.New(s.random)
	if err != nil {
		return err
	}
	as, err := s.sender.Caller(ctx, from, role, id, stream)
	if err != nil {
		return err
	}
	return s.door.Allow(as, service.Target{Action: "firehose:PutRecord", ARN: stream, Owner: p.account})
}

// Put implements [port.DeliveryStreams].
func (s *Service) Put(tx store.Txn, stream string, data []byte) error {
	p, name, err := parseARN(stream)
	if err != nil {
		return err
	}
	st, err := find(tx, p, name)
	switch {
	case err != nil:
		return err
	case st.Source != "":
		return errSource()
	case len(data) > maxRecord:
		return invalid("A record has at most %d bytes; this one has %d.", maxRecord, len(data))
	}
	tx.Append(st.ref().log(), row{s.clock.Now(), data}.encode())
	return nil
}
