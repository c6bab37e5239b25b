package schemas

import (
	"context"
	"encoding/json"
	"log/slog"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// maxVersions is how many versions a schema may have (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html), and maxContent how many bytes one has.
	maxVersions = 100
	maxContent  = 100_000
	// maxKnown bounds what is kept in memory of discovered schemas.
	maxKnown = 4096
)

// found is what discovery knows of a schema.
type found struct {
	Source, DetailType string
	Detail             *shape
	// Full tells that the schema has as much as it may have: discovery has ended.
	Full bool `json:",omitempty"`
}

var _ port.Discovery = (*Service)(nil)

// Discover implements [port.Discovery]: it adds what is new in an event to the schema of its source and detail type, and returns when that is durable. A schema
// that cannot be written is logged: the next event that is new will be tried again.
func (s *Service) Discover(ctx context.Context, account, region, bus string, event []byte) {
	p := place{account, region}
	if err := s.discover(ctx, p, bus, event); err != nil {
		s.deps.Log.WarnContext(ctx, "no schema was discovered in an event", slog.String("bus", bus), slog.Any("error", err))
	}
}

func (s *Service) discover(ctx context.Context, p place, bus string, event []byte) error {
	watched, err := s.watched.Get(ctx, p, struct{}{}, func(r store.Reader) (map[string]discovererRecord, error) {
		out := map[string]discovererRecord{}
		for row, err := range record.Range[discovererRecord](r, p.discoverers().Span()) {
			if err != nil {
				return nil, err
			}
			if row.Value.State == api.DiscovererStateStarted {
				out[row.Value.Bus] = row.Value
			}
		}
		return out, nil
	})
	if err != nil || len(watched) == 0 {
		return err
	}
	d, ok := watched[bus]
	if !ok {
		return nil
	}
	var e envelope
	if err := json.Unmarshal(event, &e); err != nil {
		return err
	}
	if d.OwnOnly && e.Account != p.account {
		return nil
	}
	seen, err := decodeShape(e.Detail)
	if err != nil {
		return err
	}
	name := e.schemaName()
	known, err := s.known.Get(ctx, p, name, func(r store.Reader) (*found, error) {
		sc, _, err := record.Get[schemaRecord](r, p.schema(discoveredRegistry, name))
		if err != nil || sc.Found == nil {
			return &found{}, err
		}
		return sc.Found, nil
	})
	if err != nil || known.Full {
		return err
	}
	if _, more := known.Detail.merge(seen); !more {
		return nil
	}
	return s.learn(ctx, p, name, &e, seen)
}

// envelope is an event of EventBridge.
type envelope struct {
	Account    string          `json:"account"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Detail     json.RawMessage `json:"detail"`
}

// schemaName returns the name under which the schema of an event is found.
func (e *envelope) schemaName() string {
	name := e.Source + "@" + typeName(e.DetailType)
	b := []byte(name)
	for i, c := range b {
		if c != '/' && !registryName.Match([]byte{c}) {
			b[i] = '-'
		}
	}
	return string(b)
}

// learn makes a version of a schema with what is new in an event.
func (s *Service) learn(ctx context.Context, p place, name string, e *envelope, seen *shape) error {
	return s.deps.Store.Update(ctx, func(tx store.Txn) error {
		sc, there, err := record.Get[schemaRecord](tx, p.schema(discoveredRegistry, name))
		if err != nil {
			return err
		}
		if !there {
			sc = schemaRecord{Registry: discoveredRegistry, Name: name}
			if there, err := record.Has(tx, p.registry(discoveredRegistry)); err != nil || !there {
				return err // the registry was deleted: discovery rests until there is a discoverer again
			}
		}
		if sc.Found == nil {
			sc.Found = &found{Source: e.Source, DetailType: e.DetailType}
		}
		detail, more := sc.Found.Detail.merge(seen)
		if !more || sc.Found.Full {
			return nil
		}
		content, err := eventSchema(api.TypeOpenApi3, sc.Found.Source, sc.Found.DetailType, detail)
		if err != nil {
			return err
		}
		sc.Found.Detail = detail
		if len(content) > maxContent || sc.Versions >= maxVersions {
			sc.Found.Full = true
			return record.Set(tx, p.schema(discoveredRegistry, name), sc)
		}
		_, err = sc.add(tx, p, api.TypeOpenApi3, content, s.now())
		return err
	})
}

// getDiscoveredSchema infers a schema from up to ten events, without keeping it.
func (s *Service) getDiscoveredSchema(_ context.Context, in *api.GetDiscoveredSchemaInput) (*api.GetDiscoveredSchemaOutput, error) {
	var whole, detail *shape
	var first envelope
	events := true
	for i, text := range in.Events {
		seen, err := decodeShape([]byte(text))
		if err != nil {
			return nil, invalid("Event %d is not JSON: %s.", i, err)
		}
		whole, _ = whole.merge(seen)
		var e envelope
		if json.Unmarshal([]byte(text), &e) != nil || e.Source == "" || e.DetailType == "" || e.Detail == nil {
			events = false
			continue
		}
		if i == 0 {
			first = e
		}
		events = events && e.Source == first.Source && e.DetailType == first.DetailType
		if seen, err = decodeShape(e.Detail); err != nil {
			return nil, invalid("Event %d is not JSON: %s.", i, err)
		}
		detail, _ = detail.merge(seen)
	}
	content, err := plainSchema(in.Type, whole)
	if events {
		content, err = eventSchema(in.Type, first.Source, first.DetailType, detail)
	}
	return &api.GetDiscoveredSchemaOutput{Content: &content}, err
}
