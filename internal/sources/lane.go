package sources

import (
	"log/slog"
	"slices"
	"time"

	"lambent.dev/lambent/internal/lib/jsonscan"
)

// lane hands over batches of a shard's records one after the other.
type lane struct {
	*shardReader
	records chan []*streamRecord
	held    []*streamRecord // taken, and the first of the next batch
	window  *windowState
}

func (l *lane) run() {
	if l.Tumbling > 0 {
		l.runWindows()
		return
	}
	for {
		batch, open := l.collect(nil)
		if len(batch) > 0 && !l.process(batch) {
			return
		}
		if !open {
			return
		}
	}
}

// collect makes a batch: until it is full, the window of its first record is over, or the event would be too large. until, when not nil, ends it
// early. open is false when nothing more will come.
func (l *lane) collect(until func(r *streamRecord) bool) (batch []*streamRecord, open bool) {
	size := 0
	var window <-chan time.Time
	for {
		if len(l.held) == 0 {
			if l.held, open = l.take(len(batch) > 0, window); len(l.held) == 0 {
				return batch, open
			}
		}
		r := l.held[0]
		if len(batch) >= l.BatchSize || len(batch) > 0 && size+len(r.json) > maxEvent || until != nil && until(r) {
			return batch, true
		}
		if len(batch) == 0 && l.Window > 0 {
			t := l.Clock.NewTimer(l.Window)
			defer t.Stop()
			window = t.C()
		}
		batch, l.held = append(batch, r), l.held[1:]
		if size += len(r.json) + 1; len(batch) == l.BatchSize {
			return batch, true
		}
	}
}

// take returns the next records. A batch that has begun does not wait for them, unless its window is open.
func (l *lane) take(begun bool, window <-chan time.Time) (list []*streamRecord, open bool) {
	if begun && window == nil {
		select {
		case list, open = <-l.records:
			return list, open
		default:
			return nil, true
		}
	}
	select {
	case list, open = <-l.records:
		return list, open
	case <-window:
		return nil, true
	}
}

// dealt notes that records are dealt with; f tells of a batch that was given up, or is nil.
func (l *lane) dealt(f *Failure, records ...*streamRecord) {
	l.tracker.done(progress{failed: f, window: l.window, windowed: l.Tumbling > 0}, records...)
}

// process deals with a batch. It reports false when the worker is to stop before that.
func (l *lane) process(batch []*streamRecord) bool {
	todo := [][]*streamRecord{batch}
	tries := []int{0}
	for len(todo) > 0 {
		b, n := todo[0], tries[0]
		todo, tries = todo[1:], tries[1:]
		rest, failed, ok := l.attempt(b, n)
		if !ok {
			return false
		}
		switch {
		case len(rest) == 0:
		case l.Bisect && len(rest) == len(b) && len(rest) > 1:
			// Halving does not count as a try.
			half := len(rest) / 2
			todo = slices.Insert(todo, 0, rest[:half], rest[half:])
			tries = slices.Insert(tries, 0, n, n)
		default:
			todo, tries = slices.Insert(todo, 0, rest), slices.Insert(tries, 0, failed)
			if !l.pause(max(failed, 1)) {
				return false
			}
		}
	}
	return true
}

// attempt hands a batch over once; tries is how often the function has failed on it. It returns what is left of it and how often the function has failed on
// that.
func (l *lane) attempt(batch []*streamRecord, tries int) (rest []*streamRecord, failed int, ok bool) {
	batch = l.wanted(batch, tries)
	if len(batch) == 0 {
		return nil, 0, true
	}
	answer, ok := l.hand(batch, nil, tries)
	if !ok {
		return nil, 0, false
	}
	if answer == nil { // every record became too old while the function could not be run
		return nil, 0, true
	}
	rest = l.left(batch, answer)
	if done := batch[:len(batch)-len(rest)]; len(done) > 0 {
		l.dealt(nil, done...)
	}
	if len(rest) == 0 {
		l.report(OK)
		return nil, 0, true
	}
	l.report(problem + "Function call failed")
	l.Log.Info("function failed on records", slog.String("request_id", answer.RequestID), slog.String("shard", l.id), slog.Int("records", len(rest)))
	if tries++; len(rest) < len(batch) {
		tries = 0 // there was progress: what is left is another batch, with all of its retries
	}
	if l.Retries != Forever && tries > l.Retries && (!l.Bisect || len(rest) == 1) {
		l.giveUp(rest, conditionRetries, tries, answer)
		return nil, 0, true
	}
	return rest, tries, true
}

// wanted drops the records of a batch that have become too old or that no filter matches.
func (l *lane) wanted(batch []*streamRecord, tries int) []*streamRecord {
	batch = l.young(batch, tries, nil)
	if l.Filters == nil {
		return batch
	}
	kept := batch[:0:0]
	for _, r := range batch {
		if matchesAny(l.Filters, r.filter) {
			kept = append(kept, r)
		} else {
			l.dealt(nil, r)
		}
	}
	return kept
}

// young gives the records up that are too old.
func (l *lane) young(batch []*streamRecord, tries int, last *Answer) []*streamRecord {
	if l.MaxAge == Forever {
		return batch
	}
	limit := l.Clock.Now().Add(-l.MaxAge)
	n := 0
	for n < len(batch) && batch[n].arrived.Before(limit) {
		n++
	}
	if n > 0 {
		l.giveUp(batch[:n], conditionAge, tries, last)
	}
	return batch[n:]
}

// giveUp ends a batch without success and tells the on-failure destination.
func (l *lane) giveUp(batch []*streamRecord, condition string, tries int, last *Answer) {
	l.Log.Warn("records given up", slog.String("shard", l.id), slog.String("condition", condition), slog.Int("records", len(batch)),
		slog.String("first", batch[0].sequence), slog.String("last", batch[len(batch)-1].sequence))
	var f *Failure
	if l.Failed != nil {
		var err error
		if f, err = l.failure(batch, condition, tries, last); err != nil {
			l.failed("describe a failed batch", err)
		}
	}
	l.dealt(f, batch...)
}

// hand calls the function until it has run. The answer is nil when all records became too old meanwhile; ok is false when the worker is to stop.
func (l *lane) hand(batch []*streamRecord, members map[string]any, tries int) (answer *Answer, ok bool) {
	for failures := 1; ; failures++ {
		if l.Age != nil && len(batch) > 0 {
			l.Age(l.Clock.Now().Sub(batch[len(batch)-1].arrived))
		}
		a, err := l.invoke(event(recordsOf(batch), members), "")
		if err == nil {
			return &a, true
		}
		if l.hard.Err() != nil {
			return nil, false
		}
		l.failed("hand records to a function", err)
		if !l.pause(failures) {
			return nil, false
		}
		if len(batch) > 0 && l.MaxAge != Forever && batch[len(batch)-1].arrived.Before(l.Clock.Now().Add(-l.MaxAge)) {
			l.giveUp(batch, conditionAge, tries, nil)
			return nil, true
		}
	}
}

// left returns the records from the first that the function failed on.
func (l *lane) left(batch []*streamRecord, a *Answer) []*streamRecord {
	if a.Failure != "" {
		return batch
	}
	if !l.Partial {
		return nil
	}
	payload := a.Payload
	if l.Tumbling > 0 && !jsonscan.Valid(payload) {
		return batch
	}
	ids, ok := reported(payload)
	if !ok {
		return batch
	}
	first := len(batch)
	for _, id := range ids {
		i := slices.IndexFunc(batch, func(r *streamRecord) bool { return r.sequence == id })
		if i < 0 {
			return batch
		}
		first = min(first, i)
	}
	return batch[first:]
}
