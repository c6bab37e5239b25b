package kinesis

import (
	"context"
	"io"
	"log/slog"

	"lambent.dev/lambent/internal/auth/keycheck"
	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/memo"
)

// maxCached is how many streams of a place are kept in memory.
const maxCached = 10_000

// Service is Amazon Kinesis Data Streams. Make one with [New].
type Service struct {
	store  store.Store
	blobs  blob.Store
	door   service.Door
	clock  clock.Clock
	random io.Reader
	log    *slog.Logger
	keys   *keycheck.Checker

	streams       *memo.Cache[place, string, *stream]
	throttle      *tokenbucket.Buckets[bucketKey]
	subscriptions subscriptions
}

// New returns Kinesis on the given collaborators; keys decides about streams that name a key. The second value is what other services use of it past the door.
func New(d service.Deps, keys *keycheck.Checker) (service.Service, *Service) {
	s := &Service{store: d.Store, blobs: d.Blobs, door: d.Door, clock: d.Clock, random: d.Random, log: d.Log, keys: keys, throttle: tokenbucket.New[bucketKey](maxBuckets)}
	s.streams = memo.New[place, string, *stream](d.Store, maxCached, func(p place) [][]byte { return [][]byte{p.streams(), p.shards()} })
	return s.describe(), s
}

func (s *Service) describe() service.Service {
	return service.Service{
		API:            api.API,
		Operations:     s.handlers().Bindings(),
		Access:         s.access(),
		DataOperations: []string{"GetRecords", "GetShardIterator", "PutRecord", "PutRecords", "SubscribeToShard"},
		Resources:      s.resources(),
		Jobs:           s.jobs(),
		HoldsBody:      s.holdsBody,
		Close:          s.close,
	}
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		AddTagsToStream:               s.addTagsToStream,
		CreateStream:                  s.createStream,
		DecreaseStreamRetentionPeriod: s.decreaseStreamRetentionPeriod,
		DeleteResourcePolicy:          s.deleteResourcePolicy,
		DeleteStream:                  s.deleteStream,
		DeregisterStreamConsumer:      s.deregisterStreamConsumer,
		DescribeAccountSettings:       s.describeAccountSettings,
		DescribeLimits:                s.describeLimits,
		DescribeStream:                s.describeStream,
		DescribeStreamConsumer:        s.describeStreamConsumer,
		DescribeStreamSummary:         s.describeStreamSummary,
		DisableEnhancedMonitoring:     s.disableEnhancedMonitoring,
		EnableEnhancedMonitoring:      s.enableEnhancedMonitoring,
		GetRecords:                    s.getRecords,
		GetResourcePolicy:             s.getResourcePolicy,
		GetShardIterator:              s.getShardIterator,
		IncreaseStreamRetentionPeriod: s.increaseStreamRetentionPeriod,
		ListShards:                    s.listShards,
		ListStreamConsumers:           s.listStreamConsumers,
		ListStreams:                   s.listStreams,
		ListTagsForResource:           s.listTagsForResource,
		ListTagsForStream:             s.listTagsForStream,
		MergeShards:                   s.mergeShards,
		PutRecord:                     s.putRecord,
		PutRecords:                    s.putRecords,
		PutResourcePolicy:             s.putResourcePolicy,
		RegisterStreamConsumer:        s.registerStreamConsumer,
		RemoveTagsFromStream:          s.removeTagsFromStream,
		SplitShard:                    s.splitShard,
		StartStreamEncryption:         s.startStreamEncryption,
		StopStreamEncryption:          s.stopStreamEncryption,
		SubscribeToShard:              s.subscribeToShard,
		TagResource:                   s.tagResource,
		UntagResource:                 s.untagResource,
		UpdateAccountSettings:         s.updateAccountSettings,
		UpdateMaxRecordSize:           s.updateMaxRecordSize,
		UpdateShardCount:              s.updateShardCount,
		UpdateStreamMode:              s.updateStreamMode,
		UpdateStreamWarmThroughput:    s.updateStreamWarmThroughput,
	}
}

// close ends the subscriptions.
func (s *Service) close(context.Context) error {
	s.subscriptions.end("")
	s.streams.Close()
	return nil
}
