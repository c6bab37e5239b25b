package integration

import (
	"context"
	"fmt"

	"lambent.dev/lambent/internal/service/port"
)

// maxFlaws bounds what [Functions.Flaws] returns.
const maxFlaws = 20

// Flaws says of which calls it is known beforehand that they fail: those of functions that do not exist, or whose policies do not let API Gateway invoke
// them. Of several calls of one function for one API the first counts. Calls with a role are not looked at.
func (f *Functions) Flaws(ctx context.Context, calls []Call) []string {
	var out []string
	told := map[string]bool{}
	for i := range calls {
		c := &calls[i]
		key := c.Function + " " + Grant{Function: c.Function, Source: c.Source}.pattern()
		if c.Role != "" || c.As != nil || told[key] || len(out) >= maxFlaws {
			continue
		}
		err := f.Direct.CheckInvoke(ctx, port.Source{Service: Principal, ARN: c.Source, Account: c.Account}, c.Function)
		if err == nil {
			continue
		}
		told[key] = true
		switch got := failure(ctx, "", err); got.Kind {
		case Forbidden:
			out = append(out, Grant{Function: c.Function, Source: c.Source}.Explain())
		case Misconfigured:
			out = append(out, fmt.Sprintf("%s is to be invoked for %s, and does not exist: %v", c.Function, c.Source, err))
		case Failed, TimedOut, Throttled, TooLarge:
		}
	}
	return out
}
