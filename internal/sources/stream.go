package sources

import (
	"sync"
)

// streamReader reads the shards of a stream, children after their parents.
type streamReader struct {
	*Worker
	source source
	// ended receives a value when a shard has been dealt with.
	ended chan struct{}

	mu      sync.Mutex // guards the fields below
	reading map[string]bool
}

func (w *Worker) readStream() {
	r := &streamReader{Worker: w, source: sourceOf(w), ended: make(chan struct{}, 1), reading: map[string]bool{}}
	failures := 0
	for w.soft.Err() == nil {
		if err := r.begin(); err != nil {
			if w.soft.Err() != nil {
				return
			}
			failures++
			w.failed("read a stream", err)
			w.found() // the mapping is enabled, with a problem that its result shows
			w.pause(failures)
			continue
		}
		failures = 0
		w.found()
		// New shards appear when one ends.
		t := w.Clock.NewTimer(safetyNet)
		select {
		case <-r.ended:
		case <-t.C():
		case <-w.soft.Done():
		}
		t.Stop()
	}
}

// begin starts to read the shards that can be read now.
func (r *streamReader) begin() error {
	ctx, err := r.Caller(r.soft)
	if err != nil {
		return err
	}
	shards, err := r.source.shards(ctx)
	if err != nil {
		return err
	}
	known, err := r.checkpoints(ctx)
	if err != nil {
		return err
	}
	if len(known) == 0 && r.Start == Latest {
		if err := r.skipEnded(shards, known); err != nil {
			return err
		}
	}
	for i := range shards {
		s := &shards[i]
		at, seen := known[s.ID]
		if at.Done || !s.Ready(shards, func(id string) bool { return known[id].Done }) || !r.claim(s.ID) {
			continue
		}
		sh := newShard(r, s.ID, at, r.first(s, at, seen, known))
		// The place is found before the mapping counts as enabled.
		if err := sh.open(ctx, !seen); err != nil {
			r.release(s.ID)
			return err
		}
		r.work.Go(func() {
			if sh.run() {
				select {
				case r.ended <- struct{}{}:
				default:
				}
			} else {
				r.release(s.ID)
			}
		})
	}
	return nil
}

// skipEnded notes for a mapping that starts at the end of the stream that the shards which have ended are none of its business.
func (r *streamReader) skipEnded(shards []Shard, known map[string]checkpoint) error {
	for i := range shards {
		if !shards[i].Closed {
			continue
		}
		c := checkpoint{Done: true, Skip: true}
		if err := r.save(r.soft, shards[i].ID, c, nil); err != nil {
			return err
		}
		known[shards[i].ID] = c
	}
	return nil
}

// first is where a shard begins: behind its checkpoint, at the mapping's starting position, or, for a child of a shard that was read, at its beginning.
func (r *streamReader) first(s *Shard, at checkpoint, seen bool, known map[string]checkpoint) Position {
	if at.After != "" {
		return Position{Kind: AfterSequence, Sequence: at.After}
	}
	for _, parent := range s.Parents {
		if c, ok := known[parent]; ok && !c.Skip {
			return Position{Kind: TrimHorizon, child: true}
		}
	}
	if r.Start == Latest && !seen {
		return Position{Kind: Latest}
	}
	return r.restart()
}

// restart is where a shard of which nothing has been read yet begins, for a mapping that has existed for a while.
func (r *streamReader) restart() Position {
	if r.Start == AtTimestamp || r.Start == Latest && r.Source.Service == "kinesis" {
		return Position{Kind: AtTimestamp, Time: r.Since}
	}
	return Position{Kind: TrimHorizon}
}

func (r *streamReader) claim(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reading[id] {
		return false
	}
	r.reading[id] = true
	return true
}

func (r *streamReader) release(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reading, id)
}
