package logs

import (
	"cmp"
	"context"
	"maps"
	"strings"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// destination is the record of a destination: the name under which an account lets subscription filters of other accounts send log events to a stream
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CrossAccountSubscriptions.html).
type destination struct {
	Target  string // the ARN of the stream
	Role    string // writes to it
	Policy  string `json:",omitempty"` // who may subscribe; empty opens it to its own account alone
	Created int64  // Unix milliseconds
	Tags    map[string]string
}

func destinationARN(s scope, name string) string {
	return "arn:aws:logs:" + s.region + ":" + s.account + ":destination:" + name
}

// destinationOf returns whose destination an ARN names, and which.
func destinationOf(text string) (s scope, name string, ok bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "logs" {
		return s, "", false
	}
	name, ok = strings.CutPrefix(a.Resource, "destination:")
	return scope{a.Account, a.Region}, name, ok
}

func noDestination() error {
	return service.Errorf("ResourceNotFoundException", "The specified destination does not exist.")
}

// getDestination returns a destination, or the error that there is none.
func getDestination(r store.Reader, s scope, name string) (destination, error) {
	d, ok, err := record.Get[destination](r, s.destination(name))
	if err == nil && !ok {
		err = noDestination()
	}
	return d, err
}

func (d *destination) shown(s scope, name string) api.Destination {
	return api.Destination{
		DestinationName: &name, TargetArn: ptr(d.Target), RoleArn: ptr(d.Role), AccessPolicy: opt.Of(d.Policy), Arn: ptr(destinationARN(s, name)), CreationTime: ptr(d.Created),
	}
}

func (l *Logs) putDestination(ctx context.Context, in *api.PutDestinationInput) (*api.PutDestinationOutput, error) {
	to, err := arn.Parse(in.TargetArn)
	if err != nil {
		return nil, invalid("targetArn %q is not an ARN.", in.TargetArn)
	}
	if to.Service != "kinesis" && to.Service != "firehose" {
		return nil, invalid("PutDestination operation cannot work with targetArn for vendor %s", to.Service)
	}
	if err := l.options.Roles.CheckPassRole(ctx, in.RoleArn, servicePrincipal); err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	m := &deliver.Message{Target: in.TargetArn, Role: in.RoleArn, From: port.Source{Service: servicePrincipal, ARN: destinationARN(s, in.DestinationName), Account: s.account}}
	if err := l.tryStream(ctx, m, "Could not deliver test message to specified destination. Check if the destination is valid."); err != nil {
		return nil, err
	}
	var d destination
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		have, ok, err := record.Get[destination](tx, s.destination(in.DestinationName))
		if err != nil {
			return err
		}
		if d = have; !ok {
			d.Created, d.Tags = l.nowMS(), map[string]string{}
		}
		if maps.Copy(d.Tags, in.Tags); len(d.Tags) > maxTags {
			return tooManyTags("destination")
		}
		d.Target, d.Role = in.TargetArn, in.RoleArn
		return record.Set(tx, s.destination(in.DestinationName), d)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.PutDestinationOutput{Destination: ptr(d.shown(s, in.DestinationName))}, nil
}

// organization is the condition key by which a policy opens a destination to an organization.
const organization = "aws:PrincipalOrgID"

func (l *Logs) putDestinationPolicy(ctx context.Context, in *api.PutDestinationPolicyInput) (*api.PutDestinationPolicyOutput, error) {
	if len(in.AccessPolicy) > maxPolicy {
		return nil, invalid("The access policy has %d characters; at most %d are allowed.", len(in.AccessPolicy), maxPolicy)
	}
	if _, err := iam.Parse(in.AccessPolicy, iam.ResourceBased); err != nil {
		return nil, invalid("The access policy is malformed: %v", err)
	}
	err := l.changeDestination(ctx, in.DestinationName, func(d *destination) error {
		turns := d.Policy != "" && !strings.Contains(d.Policy, organization) && strings.Contains(in.AccessPolicy, organization)
		if turns && !opt.Value(in.ForceUpdate) {
			return invalid("The policy would open the destination to an organization instead of accounts. Give the subscription filters of these accounts a role first, then say so with forceUpdate.")
		}
		d.Policy = in.AccessPolicy
		return nil
	})
	return &api.PutDestinationPolicyOutput{}, err
}

// changeDestination changes a destination of the caller's account and region.
func (l *Logs) changeDestination(ctx context.Context, name string, change func(d *destination) error) error {
	s := scopeOf(ctx)
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := getDestination(tx, s, name)
		if err != nil {
			return err
		}
		if err := change(&d); err != nil {
			return err
		}
		return record.Set(tx, s.destination(name), d)
	}))
}

func (l *Logs) describeDestinations(ctx context.Context, in *api.DescribeDestinationsInput) (*api.DescribeDestinationsOutput, error) {
	s, limit := scopeOf(ctx), limitOf(in.Limit, 50)
	out := &api.DescribeDestinationsOutput{Destinations: []api.Destination{}}
	prefix, after := opt.Value(in.DestinationNamePrefix), opt.Value(in.NextToken)
	span := s.destinations().Span()
	span.Lo = s.destination(cmp.Or(after, prefix))
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[destination](r, span) {
			if err != nil {
				return err
			}
			name := s.destinationName(row.Key)
			if name <= after && after != "" {
				continue
			}
			if !strings.HasPrefix(name, prefix) {
				return nil
			}
			if len(out.Destinations) == limit {
				out.NextToken = out.Destinations[limit-1].DestinationName
				return nil
			}
			out.Destinations = append(out.Destinations, row.Value.shown(s, name))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Logs) deleteDestination(ctx context.Context, in *api.DeleteDestinationInput) (*api.DeleteDestinationOutput, error) {
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		_, err := getDestination(tx, s, in.DestinationName)
		tx.Delete(s.destination(in.DestinationName))
		return err
	})
	return &api.DeleteDestinationOutput{}, unavailable(err)
}

// subscribing returns what a caller of PutSubscriptionFilter must be allowed: the group, and the destination if there is one, whose policy opens it to other accounts.
func (l *Logs) subscribing(ctx context.Context, in *api.PutSubscriptionFilterInput) ([]service.Target, error) {
	more, err := l.destinationTarget(ctx, "", in.DestinationArn)
	return append([]service.Target{{ARN: groupTarget(ctx, in.LogGroupName)}}, more...), err
}

// destinationTarget returns what a caller must be allowed to send to a destination with a name; nothing for a stream or a function.
func (l *Logs) destinationTarget(ctx context.Context, action, to string) ([]service.Target, error) {
	owner, name, ok := destinationOf(to)
	if !ok {
		return nil, nil
	}
	t := service.Target{Action: action, ARN: to, Owner: owner.account}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		d, _, err := record.Get[destination](r, owner.destination(name))
		t.Policy = d.Policy
		return err
	})
	return []service.Target{t}, err
}

// resolved returns a filter with the stream and the role of the destination that it names; false when that is gone.
func (sub subscription) resolved(r store.Reader) (subscription, bool, error) {
	owner, name, ok := destinationOf(sub.Destination)
	if !ok {
		return sub, true, nil
	}
	d, ok, err := record.Get[destination](r, owner.destination(name))
	sub.Destination, sub.Role = d.Target, d.Role
	return sub, ok, err
}
