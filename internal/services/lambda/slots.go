package lambda

import (
	"sync"
	"time"
)

// slots counts running invocations, and how fast they come.
type slots struct {
	mu sync.Mutex // guards the fields below
	// provisioned counts by version those that its provisioned concurrency covers, functions by function and shared by account and region the others:
	// of functions with reserved concurrency, and of those without.
	provisioned map[poolKey]int
	functions   map[string]int
	shared      map[scope]int
	// all counts every invocation by its function, regions by account and region.
	all     map[string]int
	regions map[scope]int
	rates   invokeRates

	// accountRate is how many invocations a second an account takes in a region of callers who wait; 0 for any number.
	accountRate int
}

// quota is how many invocations of a version may run at a time.
type quota struct {
	// provisioned are those of the version that its provisioned concurrency covers; they come first.
	provisioned int
	// reserved is what the function's reserved concurrency leaves to all others of the function; nil without any.
	reserved *int
	// unreserved is what the account leaves to all functions without reserved concurrency.
	unreserved int
}

// running is how many invocations run, with one that begins: of the function, of all functions of the account and region, and of those without
// concurrency of their own.
type running struct {
	function, region, unreserved int
	// provisioned are those that the version's provisioned concurrency covers, which is for allotted; covered tells that the one that begins is one of them.
	provisioned, allotted int
	covered               bool
}

func newSlots(accountRate int) *slots {
	return &slots{provisioned: map[poolKey]int{}, functions: map[string]int{}, shared: map[scope]int{}, all: map[string]int{}, regions: map[scope]int{}, rates: newInvokeRates(), accountRate: accountRate}
}

// take takes a slot for one invocation of a version: from what is provisioned for it, else from what its function has reserved, else from what is left
// to all others. The caller calls release, or gets the reason why there is none. An invocation whose caller waits tells the time at which it came, and counts
// against the rates of its account and of what it takes its slot from; the zero time stands for a queued one.
func (s *slots) take(r ref, version poolKey, q quota, at time.Time) (release func(), n running, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accountRate > 0 && !takeRate(s.rates.accounts, r.scope, s.accountRate, at) {
		return nil, n, reasonCaller
	}
	n.covered = s.provisioned[version] < q.provisioned && takeRate(s.rates.provisioned, version, q.provisioned*invocationsASecond, at)
	switch {
	case n.covered:
		release = takeFrom(s, s.provisioned, version, r.scope, version.function)
	case q.reserved != nil:
		if s.functions[version.function] >= *q.reserved {
			return nil, n, reasonReserved
		}
		if !takeRate(s.rates.functions, version.function, *q.reserved*invocationsASecond, at) {
			return nil, n, reasonReservedRate
		}
		release = takeFrom(s, s.functions, version.function, r.scope, version.function)
	case s.shared[r.scope] >= q.unreserved:
		return nil, n, reasonAccount
	default:
		release = takeFrom(s, s.shared, r.scope, r.scope, version.function)
	}
	n.function, n.region, n.unreserved = s.all[version.function], s.regions[r.scope], s.shared[r.scope]
	n.provisioned, n.allotted = s.provisioned[version], q.provisioned
	return release, n, ""
}

// takeFrom counts one invocation of a function, and returns how to take that back. s.mu is held.
func takeFrom[K comparable](s *slots, counts map[K]int, k K, of scope, function string) (release func()) {
	counts[k]++
	s.all[function]++
	s.regions[of]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		less(counts, k)
		less(s.all, function)
		less(s.regions, of)
	}
}

// less takes one away.
func less[K comparable](counts map[K]int, k K) {
	if counts[k]--; counts[k] == 0 {
		delete(counts, k)
	}
}
