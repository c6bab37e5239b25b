package lambda

import (
	"context"
	"log/slog"
	"time"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// Times and bounds of provisioned environments.
const (
	// provisionLimit bounds their initialisation, or the function's timeout does when that is longer,
	// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html.
	provisionLimit = 130 * time.Second
	// startsAtOnce is how many are initialised at a time, so that they leave the machine to invocations.
	startsAtOnce = 4
)

// failedInit is the reason of a provisioned concurrency whose function cannot be initialised, as recorded from AWS.
const failedInit = "FUNCTION_ERROR_INIT_FAILURE"

// provisioner makes the environments that the records of provisioned concurrency ask for. It follows the records; nothing else starts or ends
// provisioned environments, except that one which fails ends.
type provisioner struct {
	*follower

	news news // of the states
}

// target is a version that environments are provisioned for.
type target struct {
	ref     ref
	version version
	want    int
}

func newProvisioner(l *Lambda) *provisioner {
	p := &provisioner{}
	p.follower = newFollower(l, "provisioned concurrency", provisioned(), p.tend)
	return p
}

// tend makes what runs equal to the records, as far as that is possible at once. It returns after how long to look again; 0 if only a change matters.
func (p *provisioner) tend(ctx context.Context) (time.Duration, error) {
	targets := map[poolKey]target{}
	err := p.l.deps.Store.View(ctx, func(rd store.Reader) error {
		clear(targets)
		return allTargets(rd, targets)
	})
	if err != nil {
		return 0, err
	}
	wants := make(map[poolKey]int, len(targets))
	for k, t := range targets {
		wants[k] = t.want
	}
	p.l.pools.allot(wants)
	for _, k := range p.l.pools.due(startsAtOnce) {
		t := targets[k]
		p.wg.Go(func() { p.launch(ctx, k, &t) })
	}
	p.news.announce()
	return p.l.pools.nextAllotment(), nil
}

// launch starts one environment.
func (p *provisioner) launch(ctx context.Context, k poolKey, t *target) {
	w, reason, err := p.initialise(ctx, t)
	p.l.pools.launched(k, w, reason)
	if err != nil && ctx.Err() == nil {
		p.l.deps.Log.WarnContext(ctx, "provisioned environment could not be started", slog.String("function", t.ref.with(t.version.Number).arn()),
			slog.String("reason", reason), slog.Any("error", err))
	}
	if w != nil {
		p.replaced(ctx, w.env.Done())
	}
	p.news.announce()
	p.poke()
}

// initialise starts an environment and waits until its function is ready, or returns the reason why it is not.
func (p *provisioner) initialise(ctx context.Context, t *target) (w *worker, reason string, err error) {
	if !p.l.pools.reserve() {
		return nil, "This machine has no room for more environments; raise the setting concurrency, or provision less.", errNoRoom
	}
	began := p.l.deps.Clock.Now()
	w, err = p.l.startWorker(ctx, t.ref, &t.version, launch{kind: provisionedConcurrency})
	if err != nil {
		p.l.pools.free()
		return nil, err.Error(), err
	}
	ready, cancel := withTimeout(ctx, p.l.deps.Clock, max(provisionLimit, time.Duration(t.version.Timeout)*time.Second))
	err = w.env.WaitReady(ready)
	cancel()
	w.log.initialised(provisionedConcurrency, err, p.l.deps.Clock.Now().Sub(began))
	if err == nil {
		return w, "", nil
	}
	w.allotted = false // it never was one of those that are there
	p.l.pools.end(w)
	return nil, failedInit, err
}

// allTargets adds the targets of every record.
func allTargets(rd store.Reader, targets map[poolKey]target) error {
	for row, err := range record.Range[provision](rd, provisioned().Span()) {
		if err != nil {
			return err
		}
		d := key.Decode(row.Key).Skip(provisioned())
		r := ref{scope: scope{d.Str(), d.Str()}}
		r.name = d.Str()
		if err := d.Err(); err != nil {
			return err
		}
		list, err := row.Value.targets(rd, r)
		if err != nil {
			return err
		}
		for _, t := range list {
			k := keyOf(t.ref, &t.version)
			t.want += targets[k].want
			targets[k] = t
		}
	}
	return nil
}
