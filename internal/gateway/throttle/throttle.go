// Package throttle holds the request rates of API Gateway: of an account in a region, of a stage, of a method, and of an API key
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html).
//
// A request needs a token of each bucket that concerns it; one that is refused takes none. Rates are a protection and no account: they live in memory.
package throttle

import (
	"time"

	"lambent.dev/lambent/internal/lib/tokenbucket"
)

// maxBuckets bounds the buckets that are kept.
const maxBuckets = 1 << 16

// Key names a bucket. Fields that do not tell it from others are empty.
type Key struct {
	// Account and Region own the API.
	Account, Region string
	// API, Stage and Method (a route or "METHOD /path") narrow the bucket down.
	API, Stage, Method string
	// Client is the id of an API key.
	Client string
}

// Claim is a bucket of which a request needs a token.
type Claim struct {
	Key   Key
	Limit tokenbucket.Limit
}

// Rates are the buckets of a Lambent. Make them with [New]. They are safe for concurrent use.
type Rates struct {
	buckets *tokenbucket.Buckets[Key]
	account tokenbucket.Limit
}

// New returns full buckets. account is the limit of every account in every region.
func New(account tokenbucket.Limit) *Rates { return &Rates{tokenbucket.New[Key](maxBuckets), account} }

// Account is the claim of a request to any API of an account in a region.
func (r *Rates) Account(account, region string) Claim {
	return Claim{Key: Key{Account: account, Region: region}, Limit: r.account}
}

// AccountLimit is the limit of every account in every region.
func (r *Rates) AccountLimit() tokenbucket.Limit { return r.account }

// Admit takes a token of each claim, or none: refused is then the first claim that had none, and -1 when the request may go on.
func (r *Rates) Admit(now time.Time, claims ...Claim) (refused int) {
	for i := range claims {
		if r.buckets.Take(claims[i].Key, claims[i].Limit, 1, now) {
			continue
		}
		for _, c := range claims[:i] {
			r.buckets.Spend(c.Key, c.Limit, -1, now)
		}
		return i
	}
	return -1
}
