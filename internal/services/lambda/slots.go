package lambda

import "sync"

// slots counts running invocations.
type slots struct {
	mu sync.Mutex // guards the fields below
	// functions counts by function, shared by account and region: those of functions without reserved concurrency.
	functions map[string]int
	shared    map[scope]int
}

func newSlots() *slots { return &slots{functions: map[string]int{}, shared: map[scope]int{}} }

// take takes a slot for one invocation, from what the function has reserved or else from what is left to all others. The caller calls release, or
// gets the reason why there is none.
func (s *slots) take(r ref, reserved *int32, unreserved int) (release func(), reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.function()
	if reserved != nil {
		if s.functions[name] >= int(*reserved) {
			return nil, reasonReserved
		}
	} else {
		if s.shared[r.scope] >= unreserved {
			return nil, reasonAccount
		}
		s.shared[r.scope]++
	}
	s.functions[name]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.functions[name]--; s.functions[name] == 0 {
			delete(s.functions, name)
		}
		if reserved == nil {
			s.shared[r.scope]--
		}
	}, ""
}
