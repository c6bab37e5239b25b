package s3

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/store"
)

const (
	// maxLogWaiting is how many bytes of records may wait for the store.
	maxLogWaiting = 16 << 20
	// maxLogBatch is about how many bytes of records one transaction stores.
	maxLogBatch = 1 << 20
)

// accessLog takes the records of the buckets that have access logs, and stores them. A record is made when its answer has ended, so that nobody waits for
// it; from then it takes one commit of the store until it is durable, and while one runs the records of the next come together.
type accessLog struct {
	s    *Service
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex // guards the fields below
	waiting []logRecord
	size    int
	dropped int
	started bool
	closed  bool
}

// logRecord is one line of the log of a bucket.
type logRecord struct {
	bucket *bucket
	at     time.Time
	line   string
}

func newAccessLog(s *Service) *accessLog {
	return &accessLog{s: s, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// start begins to store records.
func (l *accessLog) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = true
	go l.run()
}

// close stores what waits. It is idempotent.
func (l *accessLog) close() {
	l.mu.Lock()
	started := l.started
	l.closed = true
	l.signal()
	l.mu.Unlock()
	if started {
		<-l.done
	}
}

// add hands a record over. It never waits.
func (l *accessLog) add(r logRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if l.size+len(r.line) > maxLogWaiting {
		l.dropped++
		return
	}
	l.waiting = append(l.waiting, r)
	l.size += len(r.line)
	l.signal()
}

func (l *accessLog) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run stores until the log is closed and nothing waits.
func (l *accessLog) run() {
	defer close(l.done)
	for range l.wake {
		l.mu.Lock()
		records, dropped, closed := l.waiting, l.dropped, l.closed
		l.waiting, l.size, l.dropped = nil, 0, 0
		l.mu.Unlock()
		if dropped > 0 {
			l.s.log.Warn("access log is not whole: the store did not keep up", slog.Int("dropped", dropped))
		}
		for len(records) > 0 {
			n := batchOf(records)
			if err := l.store(context.Background(), records[:n]); err != nil {
				l.s.log.Warn("access log is not whole", slog.Int("dropped", n), slog.Any("error", err))
			}
			records = records[n:]
		}
		if closed {
			return
		}
	}
}

// batchOf returns how many of the records one transaction stores.
func batchOf(records []logRecord) int {
	n, size := 0, 0
	for n < len(records) && size < maxLogBatch {
		size += len(records[n].line)
		n++
	}
	return n
}

// store adds records to the logs of their buckets, in one transaction.
func (l *accessLog) store(ctx context.Context, records []logRecord) error {
	type group struct {
		bucket *bucket
		day    time.Time
		text   []byte
	}
	type name struct {
		id  string
		day int64
	}
	groups := map[name]*group{}
	var order []*group
	for _, r := range records {
		of := r.at.UTC().Truncate(day)
		n := name{r.bucket.ID, of.Unix()}
		if groups[n] == nil || len(groups[n].text)+len(r.line) > maxLogRow {
			groups[n] = &group{bucket: r.bucket, day: of}
			order = append(order, groups[n])
		}
		groups[n].text = append(groups[n].text, r.line...)
	}
	return l.s.store.Update(ctx, func(tx store.Txn) error {
		queued := map[string]bool{}
		for _, g := range order {
			logs, seen := queued[g.bucket.ID]
			if !seen {
				var err error
				if logs, err = l.s.queueLogs(tx, g.bucket); err != nil {
					return err
				}
				queued[g.bucket.ID] = logs
			}
			if !logs {
				continue
			}
			tx.Append(g.bucket.row("log").Time(g.day), g.text)
		}
		return nil
	})
}
