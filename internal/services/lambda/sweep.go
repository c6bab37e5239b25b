package lambda

import (
	"context"
	"fmt"
	"log/slog"

	"lambent.dev/lambent/internal/runtimes/code"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// sweepCode removes unpacked code that no version of any function has. Nothing may run yet.
func (l *Lambda) sweepCode(ctx context.Context) error {
	used := map[code.Hash]bool{}
	err := l.everyVersion(ctx, func(v *version) {
		for _, h := range v.folders() {
			used[h] = true
		}
	})
	if err != nil {
		return fmt.Errorf("look for unused code: %w", err)
	}
	if err := l.o.Code.Sweep(func(h code.Hash) bool { return used[h] }); err != nil {
		l.deps.Log.WarnContext(ctx, "unused code was not removed", slog.Any("error", err))
	}
	return nil
}

// sweepImages removes images that no version of any function has. It reports true when some stay because they are in use.
func (l *Lambda) sweepImages(ctx context.Context) (later bool) {
	used := map[string]bool{}
	err := l.everyVersion(ctx, func(v *version) {
		if v.Image != nil {
			used[v.Image.Digest] = true
		}
	})
	if err == nil {
		later, err = l.o.Images.Sweep(func(digest string) bool { return used[digest] })
	}
	if err != nil {
		l.deps.Log.WarnContext(ctx, "unused images were not removed", slog.Any("error", err))
	}
	return later
}

// everyVersion calls note for every version of every function, also for those that an update is making.
func (l *Lambda) everyVersion(ctx context.Context, note func(v *version)) error {
	return l.deps.Store.View(ctx, func(rd store.Reader) error {
		for _, s := range scopesOf(rd) {
			for f, err := range record.Range[function](rd, s.functions().Span()) {
				if err != nil {
					return err
				}
				note(&f.Value.Latest)
				note(f.Value.shown())
			}
			for v, err := range record.Range[version](rd, s.root("v").Span()) {
				if err != nil {
					return err
				}
				note(&v.Value)
			}
		}
		return nil
	})
}

// folders are the folders of the code store that a version is run from.
func (v *version) folders() []code.Hash {
	var all, layers []code.Hash
	if h, err := code.ParseHash(v.Code.Hash); err == nil {
		all = append(all, h)
	}
	for i := range v.Layers {
		if h, err := code.ParseHash(v.Layers[i].Content.Hash); err == nil {
			layers = append(layers, h)
		}
	}
	if len(layers) > 0 {
		all = append(append(all, layers...), code.MergedHash(layers))
	}
	return all
}

// scopesOf lists the accounts and regions that have functions, by skipping from one to the next.
func scopesOf(rd store.Reader) []scope {
	var out []scope
	span := key.New("lambda").Span()
	for {
		span.Limit = 1
		found := false
		for p, err := range rd.Range(span) {
			if err != nil {
				return out
			}
			d := key.Decode(p.Key).Skip(key.New("lambda"))
			s := scope{d.Str(), d.Str()}
			if d.Err() != nil {
				return out
			}
			if s.account != "" { // otherwise these are rows without an account
				out = append(out, s)
			}
			span.Lo = key.New("lambda", s.account, s.region).End()
			found = true
		}
		if !found {
			return out
		}
	}
}
