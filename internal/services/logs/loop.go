package logs

import (
	"slices"
	"strings"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// checkLoop refuses a filter by which events would go round without end: what a function logs about them comes back to it, by its own group or by those of other functions.
// account is the policy whose filter is on all groups, if there is one.
func checkLoop(r store.Reader, s scope, groupName, destination string, account *accountPolicy) error {
	own, ok := strings.CutPrefix(groupName, functionGroups)
	name, isFunction := functionName(destination)
	if !ok || !isFunction {
		return nil
	}
	if name == own {
		return invalid("The log group provided is reserved for the function logs of the destination function.")
	}
	sub, group, err := leads(r, s, name, own, account)
	if err != nil || sub == nil {
		return err
	}
	return invalid("Log events of the function %s would come back to it without end: the logs of %s, to which this filter leads, are sent to %s by the filter %s of %s. Delete that filter first.", own, name, own, sub.Name, group)
}

// checkAccountLoop refuses an account policy by which the log events of a function would come back to it.
func checkAccountLoop(r store.Reader, s scope, p *accountPolicy) error {
	if p.Filter == nil {
		return nil
	}
	name, ok := functionName(p.Filter.Destination)
	if !ok {
		return nil
	}
	sub, group, err := leads(r, s, name, name, p)
	if err != nil || sub == nil {
		return err
	}
	return invalid(`Log events of the function %s would come back to it without end by the log group %s. Leave that out with the selection criteria LogGroupName NOT IN ["%s"].`, name, group, group)
}

// leads returns the last filter on a way on which what one function logs comes to another, and the group that it is on; nil when there is no way.
func leads(r store.Reader, s scope, from, to string, account *accountPolicy) (by *subscription, group string, err error) {
	seen := []string{from}
	for i := 0; i < len(seen); i++ {
		name := functionGroups + seen[i]
		g, err := getGroup(r, s, name)
		if err != nil && service.Code(err) != "ResourceNotFoundException" {
			return nil, "", err
		}
		subs := g.Subscriptions
		if sub, ok := account.filter(name); ok { // also on a group that is not there yet
			subs = append(slices.Clone(subs), sub)
		}
		for i := range subs {
			next, ok := functionName(subs[i].Destination)
			switch {
			case ok && next == to:
				return &subs[i], name, nil
			case ok && !slices.Contains(seen, next):
				seen = append(seen, next)
			}
		}
	}
	return nil, "", nil
}

// functionName returns the name in the ARN of a function.
func functionName(destination string) (string, bool) {
	_, rest, ok := strings.Cut(destination, ":function:")
	name, _, _ := strings.Cut(rest, ":")
	return name, ok && strings.HasPrefix(destination, "arn:aws:lambda:")
}
