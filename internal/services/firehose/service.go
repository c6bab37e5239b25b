package firehose

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/memo"
	"lambent.dev/lambent/internal/store/record"
)

// Options are the ports to other services.
type Options struct {
	// Roles checks and assumes the roles of delivery streams. Nil skips the checks.
	Roles port.Roles
	// Sender calls with the roles.
	Sender *deliver.Sender
	// Arrivals tells of records in data streams.
	Arrivals port.Arrivals
	// Keys seal the access keys of endpoints.
	Keys port.Keys
	// Transport reaches HTTP endpoints; nil means [http.DefaultTransport].
	Transport http.RoundTripper
}

// Service is Amazon Data Firehose. Make one with [New].
type Service struct {
	store    store.Store
	door     service.Door
	clock    clock.Clock
	random   io.Reader
	log      *slog.Logger
	roles    port.Roles
	sender   *deliver.Sender
	arrivals port.Arrivals
	keys     port.Keys
	http     *http.Client

	streams *memo.Cache[place, string, *stream]
	pumps   pumps
}

// New returns Firehose on the given collaborators. The second value is what other services use of it past the door.
func New(d service.Deps, o Options) (service.Service, *Service) {
	s := &Service{store: d.Store, door: d.Door, clock: d.Clock, random: d.Random, log: d.Log, roles: o.Roles, sender: o.Sender, arrivals: o.Arrivals, keys: o.Keys, http: deliver.NewClient(o.Transport, endpointTimeout)}
	s.streams = memo.New[place, string, *stream](d.Store, maxStreams, func(p place) [][]byte { return [][]byte{p.streams()} })
	return service.Service{
		API:            api.API,
		Operations:     s.handlers().Bindings(),
		Access:         s.access(),
		DataOperations: []string{"PutRecord", "PutRecordBatch"},
		Resources:      s.resources(),
		Start:          s.start,
		Close:          s.close,
	}, s
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		CreateDeliveryStream:          s.createDeliveryStream,
		DeleteDeliveryStream:          s.deleteDeliveryStream,
		DescribeDeliveryStream:        s.describeDeliveryStream,
		ListDeliveryStreams:           s.listDeliveryStreams,
		ListTagsForDeliveryStream:     s.listTagsForDeliveryStream,
		PutRecord:                     s.putRecord,
		PutRecordBatch:                s.putRecordBatch,
		StartDeliveryStreamEncryption: s.startDeliveryStreamEncryption,
		StopDeliveryStreamEncryption:  s.stopDeliveryStreamEncryption,
		TagDeliveryStream:             s.tagDeliveryStream,
		UntagDeliveryStream:           s.untagDeliveryStream,
		UpdateDestination:             s.updateDestination,
	}
}

// start starts the pumps of the delivery streams that were there before.
func (s *Service) start(ctx context.Context) error {
	return s.store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[streamRecord](r, allStreams().Span()) {
			if err != nil {
				return err
			}
			d := key.Decode(row.Key).Skip(allStreams())
			s.pumps.start(s, &stream{row.Value, place{d.Str(), d.Str()}})
		}
		return nil
	})
}

func (s *Service) close(context.Context) error {
	s.pumps.close()
	s.streams.Close()
	return nil
}
