package lambda

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	images "lambent.dev/lambent/internal/image"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// Bounds of pulls.
const (
	pullsAtOnce = 4
	// pullTries is how often a registry is asked that does not answer as it should, with pauses that double from a second on.
	pullTries = 7
)

// imageRow is the record of a version whose image is still to be taken: the version waits for it in the state api.StatePending, or, where an update of the
// unpublished version has ordered it, as function.Next.
type imageRow struct{ Digest string }

// orderImage has the image of a version taken.
func orderImage(tx store.Txn, r ref, v *version) error {
	return record.Set(tx, r.imageOrders(r.name).Str(v.Number), imageRow{Digest: v.Image.Digest})
}

// imageMissing tells whether the version waits for an image that has to be pulled.
func (l *Lambda) imageMissing(v *version) bool {
	if v.Image == nil || l.o.Images == nil || strings.HasPrefix(v.Image.URI, objectScheme) {
		return false
	}
	_, err := l.o.Images.Image(v.Image.Digest)
	return errors.Is(err, images.ErrMissing)
}

// updateInProgress is the update status of a version that is going to be the unpublished one.
func updateInProgress() *versionState {
	return &versionState{State: api.LastUpdateStatusInProgress, Code: "Creating", Reason: "The function is being created."}
}

// changeable fails for a function that cannot be changed or published before its image is there.
func (f *function) changeable(r ref) error {
	switch {
	case f.Next != nil:
		return conflict("The operation cannot be performed at this time. An update is in progress for resource: %s", r.function())
	case f.Latest.State.is(api.StatePending):
		return notNow(api.StatePending)
	}
	return nil
}

// notNow refuses what a function cannot do in its state.
func notNow(state string) error {
	return conflict("The operation cannot be performed at this time. The function is currently in the following state: %s", state)
}

// shown is the unpublished version as the API shows it: with the update that is on its way.
func (f *function) shown() *version {
	if f.Next != nil {
		return f.Next
	}
	return &f.Latest
}

// orderCode makes fresh the code of the unpublished version once its image is there; the old one is used until then. It returns the version to show.
func (l *Lambda) orderCode(ctx context.Context, r ref, in *api.UpdateFunctionCodeInput, fresh *version) (shown version, err error) {
	id, err := l.newID()
	if err != nil {
		return shown, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := loadFunction(tx, r)
		if err != nil {
			return err
		}
		if err := errors.Join(f.changeable(r), checkRevision(in.RevisionId, f.Latest.revision())); err != nil {
			return err
		}
		next := f.Latest
		next.Code, next.Image, next.State, next.Update = fresh.Code, fresh.Image, nil, updateInProgress()
		if fresh.Architecture != "" {
			next.Architecture = fresh.Architecture
		}
		next.Revision, next.OuterRevision, next.Modified = id, "", l.deps.Clock.Now().UTC()
		shown = next
		if orZero(in.Publish) || in.PublishTo != "" {
			g := f
			g.Latest = next
			if shown, err = l.publish(ctx, tx, r, &g, "", in.PublishTo); err != nil {
				return err
			}
			f.Versions, next = g.Versions, g.Latest
		}
		if f.Latest.State != nil { // it has never had an image
			next.State, next.Update = pending(), nil
			f.Latest = next
		} else {
			f.Next = &next
		}
		if err := orderImage(tx, r, &next); err != nil {
			return err
		}
		return record.Set(tx, r.scope.function(r.name), f)
	})
	return shown, unavailable(err)
}

// imagePuller takes the images that versions wait for, and removes those that nobody uses. It follows the records, so a pull goes on after a restart; what has
// come of an image by then is kept.
type imagePuller struct {
	*follower

	mu      sync.Mutex // guards the fields below
	running map[string]bool
	failed  map[string]*backoff // by the key of the row
	sweep   time.Time           // when unused images are to be removed; zero for never
}

func newImagePuller(l *Lambda) *imagePuller {
	p := &imagePuller{running: map[string]bool{}, failed: map[string]*backoff{}}
	p.follower = newFollower(l, "images", allImageOrders(), p.tend)
	return p
}

// unused has unused images removed when whoever uses one now has had time to end.
func (p *imagePuller) unused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sweep.IsZero() {
		p.sweep = p.l.deps.Clock.Now().Add(images.SweepAfter)
		p.poke()
	}
}

// tend starts the pulls that are due.
func (p *imagePuller) tend(ctx context.Context) (time.Duration, error) {
	if p.l.o.Images == nil {
		return 0, nil
	}
	rows := map[string]imageRow{}
	err := p.l.deps.Store.View(ctx, func(rd store.Reader) error {
		clear(rows)
		for row, err := range record.Range[imageRow](rd, allImageOrders().Span()) {
			if err != nil {
				return err
			}
			rows[string(row.Key)] = row.Value
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if p.sweepDue() {
		if p.l.sweepImages(ctx) {
			p.unused()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.l.deps.Clock.Now()
	var next time.Duration
	sooner := func(d time.Duration) {
		if d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	for k := range p.failed {
		if _, ok := rows[k]; !ok {
			delete(p.failed, k)
		}
	}
	for k, row := range rows {
		wait := time.Duration(0)
		if b := p.failed[k]; b != nil {
			wait = b.retry.Sub(now)
		}
		if sooner(wait); wait > 0 || p.running[k] || len(p.running) >= pullsAtOnce {
			continue
		}
		p.running[k] = true
		p.wg.Go(func() { p.pull(ctx, k, row) })
	}
	if !p.sweep.IsZero() {
		sooner(max(p.sweep.Sub(now), time.Millisecond))
	}
	return next, nil
}

// sweepDue tells whether unused images are to be removed now.
func (p *imagePuller) sweepDue() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sweep.IsZero() || p.l.deps.Clock.Now().Before(p.sweep) {
		return false
	}
	p.sweep = time.Time{}
	return true
}

// pull takes one image, and writes what has become of it.
func (p *imagePuller) pull(ctx context.Context, k string, row imageRow) {
	d := key.Decode([]byte(k)).Skip(allImageOrders())
	r := ref{scope: scope{d.Str(), d.Str()}, name: d.Str(), qualifier: d.Str()}
	err := p.l.pullFor(ctx, r, row)
	p.mu.Lock()
	retry := false
	if transient(err) {
		b := p.failed[k]
		if b == nil {
			b = &backoff{}
			p.failed[k] = b
		}
		b.failed(p.l.deps.Clock.Now())
		retry = b.failures < pullTries
	}
	p.mu.Unlock()
	if !retry && ctx.Err() == nil {
		if saved := p.l.imageTaken(ctx, r, row, imageFailure(err)); saved != nil {
			p.l.deps.Log.ErrorContext(ctx, "the state of a function could not be written", slog.String("function", r.arn()), slog.Any("error", saved))
		}
	}
	p.mu.Lock()
	delete(p.running, k)
	p.mu.Unlock()
	if ctx.Err() == nil {
		p.poke()
	}
}

// pullFor takes the image that a version waits for.
func (l *Lambda) pullFor(ctx context.Context, r ref, row imageRow) error {
	var v *version
	err := l.deps.Store.View(ctx, func(rd store.Reader) (err error) {
		v, err = waiting(rd, r, row)
		return err
	})
	if err != nil || v == nil {
		return err
	}
	_, err = l.o.Images.Pull(ctx, v.Image.resolved())
	return err
}

// waiting is the version for which an image was ordered; nil if it does not wait any more.
func waiting(rd store.Reader, r ref, row imageRow) (*version, error) {
	var v *version
	if r.qualifier == latest {
		f, ok, err := record.Get[function](rd, r.scope.function(r.name))
		if err != nil || !ok {
			return nil, err
		}
		v = f.shown()
	} else {
		p, ok, err := record.Get[version](rd, r.scope.version(r.name, r.qualifier))
		if err != nil || !ok {
			return nil, err
		}
		v = &p
	}
	if v.Image == nil || v.Image.Digest != row.Digest {
		return nil, nil //nolint:nilnil // it has another image now
	}
	return v, nil
}

// transient tells whether another try may take an image.
func transient(err error) bool {
	var bad *images.Error
	return err != nil && (!errors.As(err, &bad) || bad.Kind == images.Unreachable)
}

// imageFailure is the state of a version whose image could not be taken because of err; nil without an error.
func imageFailure(err error) *versionState {
	if err == nil {
		return nil
	}
	s := &versionState{State: api.StateFailed, Code: "InternalError", Reason: "The image could not be taken: " + err.Error()}
	var bad *images.Error
	if !errors.As(err, &bad) {
		return s
	}
	switch bad.Kind {
	case images.Missing:
		s.Code = "ImageDeleted"
	case images.Denied:
		s.Code = "ImageAccessDenied"
	case images.Invalid:
		s.Code = "InvalidImage"
	case images.Unreachable:
	}
	return s
}

// imageTaken ends the wait of a version for its image: with the image, or with the state that the failure has led to.
func (l *Lambda) imageTaken(ctx context.Context, r ref, row imageRow, failure *versionState) error {
	defer l.states.announce()
	revision := ""
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		revision = ""
		tx.Delete(r.imageOrders(r.name).Str(r.qualifier))
		v, err := waiting(tx, r, row)
		if err != nil || v == nil {
			return err
		}
		if r.qualifier != latest {
			saved, _, err := record.Get[published](tx, r.scope.version(r.name, r.qualifier))
			if err != nil || !saved.State.is(api.StatePending) {
				return err
			}
			saved.State = failure
			return record.Set(tx, r.scope.version(r.name, r.qualifier), saved)
		}
		f, err := loadFunction(tx, r)
		if err != nil {
			return err
		}
		if revision = f.settle(failure); revision == "" {
			return nil
		}
		return record.Set(tx, r.scope.function(r.name), f)
	})
	if err != nil {
		return err
	}
	if revision != "" && failure == nil {
		l.pools.retire(r.with(""), revision)
	}
	l.imagePuller.unused()
	return nil
}

// settle ends the wait of the unpublished version for its image. It returns the revision that is used from now on; empty if nothing has changed.
func (f *function) settle(failure *versionState) (revision string) {
	switch {
	case f.Next != nil && failure == nil:
		f.Latest, f.Next = *f.Next, nil
		f.Latest.Update = nil
	case f.Next != nil:
		f.Next = nil
		f.Latest.Update = &versionState{State: api.LastUpdateStatusFailed, Code: failure.Code, Reason: failure.Reason}
	case f.Latest.State.is(api.StatePending):
		f.Latest.State = failure
	default:
		return ""
	}
	return f.Latest.Revision
}
