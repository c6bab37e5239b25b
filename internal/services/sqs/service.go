package sqs

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"lambent.dev/lambent/internal/auth/keycheck"
	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Service is Amazon SQS. Make one with [New].
type Service struct {
	store   store.Store
	door    service.Door
	clock   clock.Clock
	random  io.Reader
	log     *slog.Logger
	baseURL string
	keys    *keycheck.Checker
	meters  *meter.Registry

	queues  queueCache
	agenda  agenda
	last    atomic.Uint64 // the last sequence number given out
	secrets secrets
}

// New returns SQS on the given collaborators; keys decides about queues that name a key. The second value is what other services use of it past the door.
func New(d service.Deps, keys *keycheck.Checker) (service.Service, *Service) {
	s := &Service{store: d.Store, door: d.Door, clock: d.Clock, random: d.Random, log: d.Log, baseURL: d.BaseURL, keys: keys, meters: d.Meters}
	s.agenda.init(s)
	s.meters.Sample(s.sample)
	return s.describe(), s
}

func (s *Service) describe() service.Service {
	return service.Service{
		API:        api.API,
		Operations: s.handlers().Bindings(),
		Access:     s.access(),
		DataOperations: []string{
			"ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "DeleteMessage", "DeleteMessageBatch", "ReceiveMessage", "SendMessage",
			"SendMessageBatch",
		},
		Resources: s.resources(),
		Routes: []service.Route{
			{Path: "/_lambent/queues/{account}/{region}/{name}", Handler: http.HandlerFunc(s.servePeek), RootOnly: "look into queues"},
		},
		Jobs:  s.jobs(),
		Start: s.start,
		Close: s.close,
	}
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		AddPermission:                s.addPermission,
		CancelMessageMoveTask:        s.cancelMessageMoveTask,
		ChangeMessageVisibility:      s.changeMessageVisibility,
		ChangeMessageVisibilityBatch: s.changeMessageVisibilityBatch,
		CreateQueue:                  s.createQueue,
		DeleteMessage:                s.deleteMessage,
		DeleteMessageBatch:           s.deleteMessageBatch,
		DeleteQueue:                  s.deleteQueue,
		GetQueueAttributes:           s.getQueueAttributes,
		GetQueueUrl:                  s.getQueueURL,
		ListDeadLetterSourceQueues:   s.listDeadLetterSourceQueues,
		ListMessageMoveTasks:         s.listMessageMoveTasks,
		ListQueueTags:                s.listQueueTags,
		ListQueues:                   s.listQueues,
		PurgeQueue:                   s.purgeQueue,
		ReceiveMessage:               s.receiveMessage,
		RemovePermission:             s.removePermission,
		SendMessage:                  s.sendMessage,
		SendMessageBatch:             s.sendMessageBatch,
		SetQueueAttributes:           s.setQueueAttributes,
		StartMessageMoveTask:         s.startMessageMoveTask,
		TagQueue:                     s.tagQueue,
		UntagQueue:                   s.untagQueue,
	}
}

// start begins to tend the queues that were there before.
func (s *Service) start(ctx context.Context) error { return s.agenda.start(ctx) }

func (s *Service) close(context.Context) error {
	s.agenda.close()
	return nil
}

// nowMS returns the time in Unix milliseconds.
func (s *Service) nowMS() int64 { return s.clock.Now().UnixMilli() }

// sequenceShift is how many bits of a sequence number count messages within a millisecond.
const sequenceShift = 20

// sequence returns a number that is greater than every one before and not less than floor, and that holds the time.
func (s *Service) sequence(floor uint64) uint64 {
	now := uint64(s.nowMS()) << sequenceShift
	for {
		last := s.last.Load()
		next := max(last+1, now, floor)
		if s.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// secrets holds the key that authenticates receipt handles. It is made with the first handle and kept in the store.
type secrets struct {
	mu    sync.Mutex // guards the field below
	codes *codes
}
