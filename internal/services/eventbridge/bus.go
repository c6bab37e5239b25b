package eventbridge

import (
	"context"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// defaultBus is the bus that every account has in every region.
const defaultBus = "default"

// busRecord is an event bus.
type busRecord struct {
	Name        string
	Description string `json:",omitempty"`
	KMSKey      string `json:",omitempty"`
	// DeadLetter is the ARN of the queue for events that could not be encrypted with the key; it is kept and shown.
	DeadLetter string         `json:",omitempty"`
	Log        *api.LogConfig `json:",omitempty"`
	// Statements are those of the bus's policy, and Version that of the document.
	Policy            *policy           `json:",omitempty"`
	Tags              map[string]string `json:",omitempty"`
	Created, Modified time.Time
}

// bus returns the record of a bus. The default bus is there although nothing was written of it.
func bus(r store.Reader, p place, name string) (busRecord, error) {
	b, ok, err := record.Get[busRecord](r, p.bus(name))
	if err == nil && !ok {
		b.Name = name
		if name != defaultBus {
			err = noBus(name)
		}
	}
	return b, err
}

func (s *Service) viewBus(ctx context.Context, p place, name string) (b busRecord, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		b, err = bus(r, p, name)
		return err
	})
	return b, storeError(err)
}

// changeBus runs fn on the record of a bus and stores it.
func (s *Service) changeBus(ctx context.Context, p place, name string, fn func(b *busRecord) error) error {
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		b, err := bus(tx, p, name)
		if err != nil {
			return err
		}
		if err := fn(&b); err != nil {
			return err
		}
		b.Modified = s.now()
		return record.Set(tx, p.bus(name), b)
	}))
}

func (s *Service) createEventBus(ctx context.Context, in *api.CreateEventBusInput) (*api.CreateEventBusOutput, error) {
	p := placeOf(ctx)
	switch {
	case in.EventSourceName != nil:
		return nil, notFound("Event source %s does not exist. Lambent has no partner event sources.", *in.EventSourceName)
	case in.Name == defaultBus:
		return nil, exists("Event bus %s already exists.", in.Name)
	case strings.Contains(in.Name, "/"):
		return nil, invalid("Event bus name must not contain '/'.")
	}
	tags, err := tagsOf(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	b := busRecord{
		Name: in.Name, Description: opt.Value(in.Description), KMSKey: opt.Value(in.KmsKeyIdentifier), DeadLetter: deadLetter(in.DeadLetterConfig), Log: in.LogConfig, Tags: tags,
		Created: s.now(), Modified: s.now(),
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, p.bus(in.Name)); err != nil || there {
			if there {
				err = exists("Event bus %s already exists.", in.Name)
			}
			return err
		}
		return record.Set(tx, p.bus(in.Name), b)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &api.CreateEventBusOutput{
		EventBusArn: new(p.busARN(in.Name)), Description: in.Description, KmsKeyIdentifier: in.KmsKeyIdentifier, DeadLetterConfig: in.DeadLetterConfig, LogConfig: in.LogConfig,
	}, nil
}

func deadLetter(c *api.DeadLetterConfig) string {
	if c == nil {
		return ""
	}
	return opt.Value(c.Arn)
}

func deadLetterConfig(arn string) *api.DeadLetterConfig {
	if arn == "" {
		return nil
	}
	return &api.DeadLetterConfig{Arn: &arn}
}

func (s *Service) updateEventBus(ctx context.Context, in *api.UpdateEventBusInput) (*api.UpdateEventBusOutput, error) {
	p, name := busNamed(ctx, in.Name)
	err := s.changeBus(ctx, p, name, func(b *busRecord) error {
		if in.Description != nil {
			b.Description = *in.Description
		}
		if in.KmsKeyIdentifier != nil {
			b.KMSKey = *in.KmsKeyIdentifier
		}
		if in.DeadLetterConfig != nil {
			b.DeadLetter = deadLetter(in.DeadLetterConfig)
		}
		if in.LogConfig != nil {
			b.Log = in.LogConfig
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b, err := s.viewBus(ctx, p, name)
	return &api.UpdateEventBusOutput{
		Arn: new(p.busARN(name)), Name: &name, Description: opt.Of(b.Description), KmsKeyIdentifier: opt.Of(b.KMSKey), DeadLetterConfig: deadLetterConfig(b.DeadLetter), LogConfig: b.Log,
	}, err
}

// shownTime returns a time as answers have it; the default bus has none.
func shownTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *Service) describeEventBus(ctx context.Context, in *api.DescribeEventBusInput) (*api.DescribeEventBusOutput, error) {
	p, name := busNamed(ctx, in.Name)
	b, err := s.viewBus(ctx, p, name)
	if err != nil {
		return nil, err
	}
	return &api.DescribeEventBusOutput{
		Name: &name, Arn: new(p.busARN(name)), Description: opt.Of(b.Description), KmsKeyIdentifier: opt.Of(b.KMSKey), DeadLetterConfig: deadLetterConfig(b.DeadLetter),
		Policy: opt.Of(b.Policy.text()), LogConfig: b.Log, CreationTime: shownTime(b.Created), LastModifiedTime: shownTime(b.Modified),
	}, nil
}

func (s *Service) listEventBuses(ctx context.Context, in *api.ListEventBusesInput) (*api.ListEventBusesOutput, error) {
	p := placeOf(ctx)
	out := &api.ListEventBusesOutput{EventBuses: []api.EventBus{}}
	show := func(b busRecord) {
		out.EventBuses = append(out.EventBuses, api.EventBus{
			Name: &b.Name, Arn: new(p.busARN(b.Name)), Description: opt.Of(b.Description), Policy: opt.Of(b.Policy.text()),
			CreationTime: shownTime(b.Created), LastModifiedTime: shownTime(b.Modified),
		})
	}
	// The default bus comes first, whether it has a row or not.
	limit := in.Limit
	if in.NextToken == nil && strings.HasPrefix(defaultBus, opt.Value(in.NamePrefix)) {
		b, err := s.viewBus(ctx, p, defaultBus)
		if err != nil {
			return nil, err
		}
		show(b)
		if limit != nil {
			limit = new(*limit - 1)
		}
	}
	next, err := list(ctx, s, p.buses(), in.NamePrefix, in.NextToken, limit, func(name string, b busRecord) bool {
		if name == defaultBus {
			return false
		}
		show(b)
		return true
	})
	out.NextToken = next
	return out, err
}

// deleteEventBus deletes a bus with its rules. One that is not there is no error.
func (s *Service) deleteEventBus(ctx context.Context, in *api.DeleteEventBusInput) (*api.DeleteEventBusOutput, error) {
	p, name := busNamed(ctx, &in.Name)
	if name == defaultBus {
		return nil, invalid("Cannot delete event bus %s.", name)
	}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(p.bus(name))
		span := p.rules(name).Span()
		tx.DeleteRange(span.Lo, span.Hi)
		return nil
	})
	return &api.DeleteEventBusOutput{}, storeError(err)
}

// exist returns nil when a bus does.
func exist(r store.Reader, p place, name string) error {
	_, err := bus(r, p, name)
	return err
}

// busPrefixes are what a bus is made of in the store.
func busPrefixes(p place, name string) [][]byte {
	return [][]byte{p.bus(name), p.rules(name), p.archives()}
}
