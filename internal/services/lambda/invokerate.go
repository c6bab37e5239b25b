package lambda

import "time"

// invocationsASecond is how many invocations a second AWS takes of callers who wait for the answer, for each unit of concurrency: of the account, of what a function has
// reserved, and of what is provisioned for a version, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests. Queued events do not count.
const invocationsASecond = 10

// invokeRates are those of the accounts, the functions with reserved concurrency and the versions with provisioned concurrency that are invoked. Each has the invocations of one
// second at once. The tables have as many rows as there are such accounts, functions and versions; rows of reservations are dropped when they are full again and there are many.
type invokeRates struct {
	provisioned map[poolKey]rate
	functions   map[string]rate
	accounts    map[scope]rate
}

func newInvokeRates() invokeRates {
	return invokeRates{provisioned: map[poolKey]rate{}, functions: map[string]rate{}, accounts: map[scope]rate{}}
}

// takeRate takes one invocation of a key's rate at a time; the zero time takes none.
func takeRate[K comparable](rates map[K]rate, k K, aSecond int, now time.Time) bool {
	if now.IsZero() {
		return true
	}
	r, ok := rates[k]
	if !ok && len(rates) >= maxRates {
		for other, r := range rates {
			if now.Sub(r.at) >= time.Second {
				delete(rates, other)
			}
		}
	}
	allowed := r.take(float64(aSecond), float64(aSecond), now)
	rates[k] = r
	return allowed
}
