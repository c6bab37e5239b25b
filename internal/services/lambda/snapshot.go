package lambda

import (
	"context"
	"io"
	"maps"
	"slices"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/memo"
	"lambent.dev/lambent/internal/store/record"
)

// maxSnapshots bounds the functions of one account and region that are kept in memory.
const maxSnapshots = 4096

// snapshot is what an invocation of a function, version or alias needs of the store. It is shared, and must not be changed.
type snapshot struct {
	function function
	version  version
	async    asyncConfig // of the qualifier
	// rehearsal is what the function's tags ask for; nil for nothing.
	rehearsal *rehearsal
	// quota bounds the version's concurrency.
	quota quota
	// arn is that which was invoked, with its qualifier.
	arn string
	// meters count what becomes of its invocations.
	meters *meters
	// key names the environments of the version.
	key poolKey
	// others get a share of an alias's invocations, in the order of their versions.
	others []share
}

// share is the part of an alias's invocations that goes to another version.
type share struct {
	weight float64
	to     *snapshot
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
			return [][]byte{s.functions(), s.root("v"), s.root("a"), s.root("e"), s.reserved(), s.allProvisioned()}
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
		if v.Number == latest && v.Capacity != nil && r.qualifier == "" {
			published, ok, err := record.Get[version](rd, r.scope.version(r.name, latestPublished))
			if err != nil {
				return nil, err
			}
			if ok {
				v = published
			}
		}
		async, _, err := record.Get[asyncConfig](rd, r.scope.async(r.name, r.qualified().qualifier))
		if err != nil {
			return nil, err
		}
		s := &snapshot{function: f, version: v, async: async, arn: r.arn(), key: keyOf(r, &v), meters: l.metersOf(r, v.Number)}
		if s.rehearsal, err = parseRehearsal(f.Tags); err != nil {
			return nil, err // tags are checked when they are set
		}
		wants, err := l.quotas(rd, r, s)
		if err != nil {
			return nil, err
		}
		return s, l.addShares(rd, r, s, wants)
	})
}

// quotas sets the quota of s, and returns how many environments are provisioned for each version of the function.
func (l *Lambda) quotas(rd store.Reader, r ref, s *snapshot) (map[string]int, error) {
	wants, err := wantedVersions(rd, r)
	if err != nil {
		return nil, err
	}
	reserved, err := reservedIn(rd, r.scope)
	if err != nil {
		return nil, err
	}
	mine, others, err := provisionedIn(rd, r, "")
	if err != nil {
		return nil, err
	}
	s.quota = quota{provisioned: wants[s.version.Number], unreserved: l.o.Concurrency - int(reserved+others)}
	if n := s.function.Reserved; n != nil {
		s.quota.reserved = ptr(int(*n - mine))
	} else {
		s.quota.unreserved -= int(mine)
	}
	return wants, nil
}

// addShares fills in the versions that get a share of the invocations of r, if that is an alias.
func (l *Lambda) addShares(rd store.Reader, r ref, s *snapshot, wants map[string]int) error {
	if !isAlias(r.qualifier) {
		return nil
	}
	a, err := loadAlias(rd, r, r.qualifier)
	if err != nil {
		return err
	}
	for _, number := range slices.Sorted(maps.Keys(a.Weights)) {
		_, v, err := resolve(rd, r.with(number))
		if err != nil {
			return err
		}
		other := *s
		other.version, other.key, other.others = v, keyOf(r, &v), nil
		other.quota.provisioned, other.meters = wants[number], l.metersOf(r, number)
		s.others = append(s.others, share{weight: a.Weights[number], to: &other})
	}
	return nil
}

// route is the snapshot for one invocation: s itself, or that of another version which gets a share. random is read when there is a choice.
func (s *snapshot) route(random io.Reader) (*snapshot, error) {
	if len(s.others) == 0 {
		return s, nil
	}
	drawn, err := draw(random)
	if err != nil {
		return nil, err
	}
	for _, o := range s.others {
		if drawn -= o.weight; drawn < 0 {
			return o.to, nil
		}
	}
	return s, nil
}

// policy returns the policy document that decides about calls to r; empty without one.
func (l *Lambda) policy(ctx context.Context, r ref) (string, error) {
	return l.snapshots.policies.Get(ctx, r.scope, named{r.name, r.qualifier}, func(rd store.Reader) (string, error) { return policyOf(rd, r) })
}
