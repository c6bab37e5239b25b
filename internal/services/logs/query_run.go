package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/logs/insights"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// queryKind is the job that runs one query, and forgetKind the one that removes its result.
	queryKind  = "logs.query"
	forgetKind = "logs.query.forget"
	// readAtOnce is how many events a query reads in one view of the store. Between two it sees whether it was stopped.
	readAtOnce = 20_000
	// maxPart is how large a part of a result is, in bytes, well below the limit of a value.
	maxPart = 512 << 10
)

// queryJobs are the jobs of queries.
func (l *Logs) queryJobs() []events.Kind {
	return []events.Kind{
		{Name: queryKind, Handle: l.runQuery, Concurrency: 2, MaxAge: queryFor, Exhausted: l.queryExhausted},
		{Name: forgetKind, Handle: l.forgetQuery, Concurrency: 1, MakesRoom: true},
	}
}

// queryOf reads which query a job is for.
func queryOf(job events.Job) (s scope, id string, err error) {
	d := key.Decode(job.Payload)
	s, id = scope{d.Str(), d.Str()}, d.Str()
	return s, id, d.Done()
}

// queryExhausted ends a query that could not be run for as long as it may take.
func (l *Logs) queryExhausted(ctx context.Context, tx store.Txn, job events.Job, cause error) error {
	s, id, err := queryOf(job)
	if err != nil {
		return err
	}
	q, err := getQuery(tx, s, id)
	if err != nil || !q.active() {
		return nil //nolint:nilerr // a query that is gone has nothing to end
	}
	l.deps.Log.WarnContext(ctx, "a query of logs could not be run", slog.String("query_id", id), slog.Any("error", cause))
	return l.endQuery(tx, s, &q, queryTimeout)
}

func (l *Logs) forgetQuery(ctx context.Context, job events.Job) error {
	s, id, err := queryOf(job)
	if err != nil {
		return events.Permanent(err)
	}
	return l.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(s.query(id))
		tx.DeleteRange(s.queryParts(id), s.queryParts(id).End())
		return nil
	})
}

// runQuery runs a query from its beginning, and keeps its result. A try that was cut short left nothing but parts of a result, which are written again.
func (l *Logs) runQuery(ctx context.Context, job events.Job) error {
	s, id, err := queryOf(job)
	if err != nil {
		return events.Permanent(err)
	}
	q, active, err := l.progress(ctx, s, id, nil)
	if err != nil || !active {
		return err
	}
	if err := l.sink.Flush(ctx); err != nil {
		return err
	}
	parsed, err := insights.Parse(q.Text)
	if err != nil {
		return events.Permanent(err)
	}
	run := parsed.Start(q.Limit)
	for _, name := range q.Groups {
		if active, err = l.queryGroup(ctx, s, &q, name, run); err != nil || !active {
			break
		}
	}
	var rows [][]insights.Field
	if err == nil && active {
		rows, err = run.Result()
	}
	q.Statistics.Matched = float64(run.Matched())
	switch {
	case errors.Is(err, insights.ErrTooLarge):
		l.deps.Log.WarnContext(ctx, "a query of logs failed", slog.String("query_id", id), slog.Any("error", err))
		return l.finishQuery(ctx, s, &q, queryFailed)
	case err != nil || !active:
		return err
	}
	if err := l.keepResult(ctx, s, &q, rows); err != nil {
		return err
	}
	return l.finishQuery(ctx, s, &q, queryComplete)
}

// progress notes what a query has looked at, and tells whether it goes on.
func (l *Logs) progress(ctx context.Context, s scope, id string, seen *queryStatistics) (q query, active bool, err error) {
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		q, err = getQuery(tx, s, id)
		if service.Code(err) == "ResourceNotFoundException" {
			active = false
			return nil
		}
		if active = q.active(); err != nil || !active {
			return err
		}
		q.Status = queryRunning
		if seen != nil {
			q.Statistics = *seen
		} else {
			q.Statistics = queryStatistics{}
		}
		return record.Set(tx, s.query(id), q)
	})
	return q, active, err
}

// finishQuery ends a query, unless it was stopped.
func (l *Logs) finishQuery(ctx context.Context, s scope, q *query, status string) error {
	return l.deps.Store.Update(ctx, func(tx store.Txn) error {
		have, err := getQuery(tx, s, q.ID)
		if err != nil || !have.active() {
			return err
		}
		return l.endQuery(tx, s, q, status)
	})
}

// queryGroup gives a run the events of a group. It tells whether the query goes on.
func (l *Logs) queryGroup(ctx context.Context, s scope, q *query, name string, run *insights.Run) (active bool, err error) {
	lo, hi := position{ms: q.Start * 1000}, position{ms: q.End*1000 + 1000}
	q.Statistics.Groups++
	for more := true; more; {
		more = false
		err := l.deps.Store.View(ctx, func(r store.Reader) error {
			g, err := getGroup(r, s, name)
			if service.Code(err) == "ResourceNotFoundException" { // it was deleted since
				return nil
			}
			if err != nil {
				return err
			}
			shows, err := l.newSeer(r, s, &g)
			if err != nil {
				return err
			}
			n := 0
			for e, err := range inGroup(r, s, g.ID, lo, hi, everyStream) {
				if err != nil {
					return err
				}
				if n++; n > readAtOnce {
					lo, more = e.position, true
					return nil
				}
				q.Statistics.Scanned++
				q.Statistics.Bytes += float64(len(e.message) + eventOverhead)
				if goesOn, err := run.Add(shows.event(&e)); err != nil || !goesOn {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return true, err
		}
		if _, active, err := l.progress(ctx, s, q.ID, &q.Statistics); err != nil || !active {
			return false, err
		}
	}
	return true, nil
}

// keepResult writes the rows of a result as lines of JSON, in parts that a transaction takes.
func (l *Logs) keepResult(ctx context.Context, s scope, q *query, rows [][]insights.Field) error {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	q.Parts = 0
	for i, row := range rows {
		if err := out.Encode(row); err != nil {
			return err
		}
		for b.Len() >= maxPart || i == len(rows)-1 && b.Len() > 0 {
			part := bytes.Clone(b.Next(maxPart))
			err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
				tx.Set(s.queryPart(q.ID, q.Parts), part)
				return nil
			})
			if err != nil {
				return err
			}
			q.Parts++
		}
	}
	return nil
}

// resultOf yields the rows of a result.
func resultOf(r store.Reader, s scope, q *query) iter.Seq2[[]insights.Field, error] {
	return func(yield func([]insights.Field, error) bool) {
		var all bytes.Buffer
		for n := range q.Parts {
			part, err := r.Get(s.queryPart(q.ID, n))
			if err != nil {
				yield(nil, err)
				return
			}
			all.Write(part)
		}
		for in := json.NewDecoder(&all); in.More(); {
			var row []insights.Field
			if err := in.Decode(&row); !yield(row, err) || err != nil {
				return
			}
		}
	}
}
