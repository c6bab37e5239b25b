package lambda

import (
	"context"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/memo"
	"lambent.dev/lambent/internal/store/record"
)

// maxSnapshots bounds the functions of one account and region that are kept in memory.
const maxSnapshots = 4096

// snapshot is what an invocation of a function, version or alias needs of the store. It is shared, and must not be changed.
type snapshot struct {
	function   function
	version    version
	async      asyncConfig // of the qualifier
	unreserved int         // of the account's concurrency
	// arn is that which was invoked, with its qualifier.
	arn string
	// key names the environments of the version.
	key poolKey
}

// named is a function with the qualifier by which it was called.
type named struct{ name, qualifier string }

// snapshots keep in memory what every invocation asks the store for.
type snapshots struct {
	calls    *memo.Cache[scope, named, *snapshot]
	policies *memo.Cache[scope, named, string]
}

func newSnapshots(s store.Store) snapshots {
	return snapshots{
		calls: memo.New[scope, named, *snapshot](s, maxSnapshots, func(s scope) [][]byte {
			return [][]byte{s.functions(), s.root("v"), s.root("a"), s.root("e"), s.reserved()}
		}),
		policies: memo.New[scope, named, string](s, maxSnapshots, func(s scope) [][]byte { return [][]byte{s.root("p")} }),
	}
}

func (s *snapshots) close() {
	s.calls.Close()
	s.policies.Close()
}

// snapshot returns what an invocation of r needs.
func (l *Lambda) snapshot(ctx context.Context, r ref) (*snapshot, error) {
	return l.snapshots.calls.Get(ctx, r.scope, named{r.name, r.qualifier}, func(rd store.Reader) (*snapshot, error) {
		f, v, err := resolve(rd, r)
		if err != nil {
			return nil, err
		}
		async, _, err := record.Get[asyncConfig](rd, r.scope.async(r.name, r.qualified().qualifier))
		if err != nil {
			return nil, err
		}
		reserved, _, err := record.Get[int32](rd, r.scope.reserved())
		return &snapshot{function: f, version: v, async: async, unreserved: l.o.Concurrency - int(reserved), arn: r.arn(), key: keyOf(r, &v)}, err
	})
}

// policy returns the policy document that decides about calls to r; empty without one.
func (l *Lambda) policy(ctx context.Context, r ref) (string, error) {
	return l.snapshots.policies.Get(ctx, r.scope, named{r.name, r.qualifier}, func(rd store.Reader) (string, error) { return policyOf(rd, r) })
}
