package eventbridge

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// retentionKind is the job that deletes what an archive has kept long enough.
	retentionKind = "eventbridge.retention"
	// sweepSize is how many archived events one transaction deletes, and how many changes of counters it adds up.
	sweepSize = 2000
)

// archiveRecord is an archive.
type archiveRecord struct {
	Name        string
	Source      string // ARN of the bus
	Bus         string
	Description string `json:",omitempty"`
	Pattern     string `json:",omitempty"`
	KMSKey      string `json:",omitempty"`
	// Days is how long events are kept; 0 means for ever.
	Days    int32
	Created time.Time
	// Count and Size are those of the events, without the changes that were not added yet.
	Count, Size int64
}

func noArchive(name string) error { return notFound("Archive %s does not exist.", name) }

func (p place) archiveARN(name string) string { return p.arn("archive/" + name) }

// sourceBus returns the bus that an ARN names.
func sourceBus(name string) (string, error) {
	a, err := arn.Parse(name)
	if err == nil {
		if bus, ok := strings.CutPrefix(a.Resource, "event-bus/"); ok {
			return bus, nil
		}
	}
	return "", invalid("Parameter EventSourceArn is not valid. Reason: it must be the ARN of an event bus.")
}

func (s *Service) createArchive(ctx context.Context, in *api.CreateArchiveInput) (*api.CreateArchiveOutput, error) {
	p := placeOf(ctx)
	busName, err := sourceBus(in.EventSourceArn)
	if err != nil {
		return nil, err
	}
	a := archiveRecord{
		Name: in.ArchiveName, Source: in.EventSourceArn, Bus: busName, Description: opt.Value(in.Description), Pattern: opt.Value(in.EventPattern),
		KMSKey: opt.Value(in.KmsKeyIdentifier), Created: s.now(),
	}
	if in.RetentionDays != nil {
		a.Days = *in.RetentionDays
	}
	if err := checkPattern(a.Pattern); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if err := exist(tx, p, busName); err != nil {
			return err
		}
		if there, err := record.Has(tx, p.archive(a.Name)); err != nil || there {
			if there {
				err = exists("Archive %s already exists.", a.Name)
			}
			return err
		}
		if err := a.watch(tx, p, s.now()); err != nil {
			return err
		}
		return record.Set(tx, p.archive(a.Name), a)
	})
	return &api.CreateArchiveOutput{ArchiveArn: new(p.archiveARN(a.Name)), State: api.ArchiveStateEnabled, CreationTime: &a.Created}, storeError(err)
}

func checkPattern(text string) error {
	if text == "" {
		return nil
	}
	if _, err := pattern.Compile(text, pattern.EventBridge); err != nil {
		return badPattern(err)
	}
	return nil
}

// retention returns how long events are kept.
func (a *archiveRecord) retention() time.Duration { return time.Duration(a.Days) * 24 * time.Hour }

// watch plans the next time at which events may have been kept long enough, when the oldest came at oldest.
func (a *archiveRecord) watch(tx store.Txn, p place, oldest time.Time) error {
	name := tickName(p, a.Name)
	if a.Days == 0 {
		return events.Cancel(tx, retentionKind, name)
	}
	b, err := json.Marshal(tick{Account: p.account, Region: p.region, Rule: a.Name})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: retentionKind, Name: name, Payload: b, NotBefore: oldest.Add(a.retention())})
}

func (s *Service) updateArchive(ctx context.Context, in *api.UpdateArchiveInput) (*api.UpdateArchiveOutput, error) {
	p := placeOf(ctx)
	if err := checkPattern(opt.Value(in.EventPattern)); err != nil {
		return nil, err
	}
	var created time.Time
	err := change(ctx, s, p.archive(in.ArchiveName), noArchive(in.ArchiveName), func(tx store.Txn, a *archiveRecord) error {
		created = a.Created
		if in.Description != nil {
			a.Description = *in.Description
		}
		if in.EventPattern != nil {
			a.Pattern = *in.EventPattern
		}
		if in.KmsKeyIdentifier != nil {
			a.KMSKey = *in.KmsKeyIdentifier
		}
		if in.RetentionDays == nil {
			return nil
		}
		a.Days = *in.RetentionDays
		return a.watch(tx, p, a.Created)
	})
	return &api.UpdateArchiveOutput{ArchiveArn: new(p.archiveARN(in.ArchiveName)), State: api.ArchiveStateEnabled, CreationTime: &created}, err
}

func (s *Service) deleteArchive(ctx context.Context, in *api.DeleteArchiveInput) (*api.DeleteArchiveOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := get[archiveRecord](tx, p.archive(in.ArchiveName), noArchive(in.ArchiveName)); err != nil {
			return err
		}
		tx.Delete(p.archive(in.ArchiveName))
		for _, k := range []key.Key{p.archived(in.ArchiveName), p.changes(in.ArchiveName)} {
			span := k.Span()
			tx.DeleteRange(span.Lo, span.Hi)
		}
		return events.Cancel(tx, retentionKind, tickName(p, in.ArchiveName))
	})
	return &api.DeleteArchiveOutput{}, storeError(err)
}

func (s *Service) describeArchive(ctx context.Context, in *api.DescribeArchiveInput) (*api.DescribeArchiveOutput, error) {
	p := placeOf(ctx)
	a, err := s.counted(ctx, p, in.ArchiveName)
	if err != nil {
		return nil, err
	}
	return &api.DescribeArchiveOutput{
		ArchiveArn: new(p.archiveARN(a.Name)), ArchiveName: &a.Name, EventSourceArn: &a.Source, Description: opt.Of(a.Description), EventPattern: opt.Of(a.Pattern),
		State: api.ArchiveStateEnabled, KmsKeyIdentifier: opt.Of(a.KMSKey), RetentionDays: &a.Days, SizeBytes: &a.Size, EventCount: &a.Count, CreationTime: &a.Created,
	}, nil
}

func (s *Service) listArchives(ctx context.Context, in *api.ListArchivesInput) (*api.ListArchivesOutput, error) {
	p := placeOf(ctx)
	if in.NamePrefix != nil && in.EventSourceArn != nil || in.State != "" && (in.NamePrefix != nil || in.EventSourceArn != nil) {
		return nil, invalid("At most one filter is allowed for ListArchives. Use either : State, EventSourceArn, or NamePrefix.")
	}
	if in.EventSourceArn != nil {
		busName, err := sourceBus(*in.EventSourceArn)
		if err == nil {
			_, err = s.viewBus(ctx, p, busName)
		}
		if err != nil {
			return nil, err
		}
	}
	var names []string
	next, err := list(ctx, s, p.archives(), in.NamePrefix, in.NextToken, in.Limit, func(name string, a archiveRecord) bool {
		if in.EventSourceArn != nil && a.Source != *in.EventSourceArn || in.State != "" && in.State != api.ArchiveStateEnabled {
			return false
		}
		names = append(names, name)
		return true
	})
	out := &api.ListArchivesOutput{Archives: []api.Archive{}, NextToken: next}
	for _, name := range names {
		if err != nil {
			break
		}
		var a archiveRecord
		if a, err = s.counted(ctx, p, name); err == nil {
			out.Archives = append(out.Archives, api.Archive{
				ArchiveName: &a.Name, EventSourceArn: &a.Source, State: api.ArchiveStateEnabled, RetentionDays: &a.Days, SizeBytes: &a.Size, EventCount: &a.Count, CreationTime: &a.Created,
			})
		}
	}
	return out, err
}

func (o *router) addArchives(reader store.Reader, known *patternCache) error {
	for row, err := range record.Range[archiveRecord](reader, o.place.archives().Span()) {
		if err != nil {
			return err
		}
		if row.Value.Bus != o.name {
			continue
		}
		a := &archiveRule{name: row.Value.Name}
		if text := row.Value.Pattern; text != "" {
			p, err := known.compile(text)
			if err != nil {
				return err
			}
			if a.pattern, a.calls = p.Pattern, o.asksForCalls(p); a.calls {
				o.calls.add("archive/"+row.Value.Name, p, false)
			}
		}
		o.archives = append(o.archives, a)
	}
	return nil
}

// archivesFor returns the archives that keep an event.
func (o *router) archivesFor(e *event) ([]*archiveRule, error) {
	var out []*archiveRule
	for _, a := range o.archives {
		ok := a.pattern == nil
		if !ok {
			var err error
			if ok, err = a.pattern.Match(e.JSON); err != nil {
				return nil, err
			}
		}
		if ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// keep archives an event.
func (s *Service) keep(tx store.Txn, p place, a *archiveRule, e *event) error {
	b, err := pack(e, e.JSON)
	if err != nil {
		return err
	}
	tx.Set(p.archivedAt(a.name, e.Ingested, e.ID), b)
	tx.Append(p.changes(a.name), changeBy(1, e.size()))
	return nil
}

// changeBy encodes a change of an archive's counters.
func changeBy(count, size int64) []byte {
	return binary.AppendVarint(binary.AppendVarint(nil, count), size)
}

// counted returns an archive, with its counters brought up to date.
func (s *Service) counted(ctx context.Context, p place, name string) (a archiveRecord, err error) {
	for more := true; more; {
		err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
			if a, err = get[archiveRecord](tx, p.archive(name), noArchive(name)); err != nil {
				return err
			}
			more, err = a.addUp(tx, p)
			return err
		})
		if err != nil {
			return a, storeError(err)
		}
	}
	return a, nil
}

// addUp adds changes to the counters of the record, and reports whether there may be more of them.
func (a *archiveRecord) addUp(tx store.Txn, p place) (more bool, err error) {
	span := p.changes(a.Name).Span()
	span.Limit = sweepSize
	n := 0
	for row, err := range tx.Range(span) {
		if err != nil {
			return false, err
		}
		count, at := binary.Varint(row.Value)
		size, _ := binary.Varint(row.Value[at:])
		a.Count += count
		a.Size += size
		tx.Delete(row.Key)
		n++
	}
	if n == 0 {
		return false, nil
	}
	return n == sweepSize, record.Set(tx, p.archive(a.Name), *a)
}

// expire is the handler of retentionKind jobs.
func (s *Service) expire(_ context.Context, job events.Job) error {
	var t tick
	if err := json.Unmarshal(job.Payload, &t); err != nil {
		return events.Permanent(err)
	}
	p := place{t.Account, t.Region}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		a, there, err := record.Get[archiveRecord](tx, p.archive(t.Rule))
		if err != nil || !there || a.Days == 0 {
			return err
		}
		oldest, err := a.sweep(tx, p, s.now())
		if err != nil {
			return err
		}
		return a.watch(tx, p, oldest)
	})
}

// sweep deletes events that were kept long enough, and returns when the oldest one that is left came in.
func (a *archiveRecord) sweep(tx store.Txn, p place, now time.Time) (oldest time.Time, err error) {
	prefix := p.archived(a.Name)
	span := prefix.Span()
	span.Limit = sweepSize
	var count, size int64
	oldest = now
	for row, err := range tx.Range(span) {
		if err != nil {
			return oldest, err
		}
		at := key.Decode(row.Key).Skip(prefix).Time()
		if oldest = at; now.Sub(at) < a.retention() {
			break
		}
		e, err := decodeEvent(row.Value)
		if err != nil {
			return oldest, err
		}
		count++
		size += e.size()
		tx.Delete(row.Key)
		oldest = now
	}
	if count > 0 {
		tx.Append(p.changes(a.Name), changeBy(-count, -size))
	}
	if count == sweepSize {
		oldest = now.Add(-a.retention()) // there may be more
	}
	return oldest, nil
}
