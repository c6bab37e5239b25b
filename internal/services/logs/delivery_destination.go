package logs

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxDeliveryPolicy is the size of the policy of a destination, in characters.
const maxDeliveryPolicy = 51_200

// deliveryDestination is the record of a delivery destination: a log group, a bucket or a delivery stream that logs can be delivered to.
type deliveryDestination struct {
	Name     string
	Type     string
	Format   string            `json:",omitempty"` // empty until it is said, or a delivery uses the default
	Resource string            // its ARN
	Policy   string            `json:",omitempty"` // opens it to other accounts
	Tags     map[string]string `json:",omitempty"`
}

func deliveryDestinationARN(s scope, name string) string {
	return "arn:aws:logs:" + s.region + ":" + s.account + ":delivery-destination:" + name
}

// deliveryDestinationOf returns whose delivery destination an ARN names, and which.
func deliveryDestinationOf(text string) (s scope, name string, ok bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "logs" {
		return s, "", false
	}
	name, ok = strings.CutPrefix(a.Resource, "delivery-destination:")
	return scope{a.Account, a.Region}, name, ok
}

func getDeliveryDestination(r store.Reader, s scope, name string) (deliveryDestination, error) {
	d, ok, err := record.Get[deliveryDestination](r, s.deliveryDestination(name))
	if err == nil && !ok {
		err = service.Errorf("ResourceNotFoundException", "The delivery destination %s does not exist. DescribeDeliveryDestinations lists those that do.", name)
	}
	return d, err
}

// typeOfDestination returns the type of what an ARN names, or "".
func typeOfDestination(a arn.ARN) string {
	switch {
	case a.Service == "logs" && strings.HasPrefix(a.Resource, "log-group:"):
		return api.DeliveryDestinationTypeCwl
	case a.Service == "s3" && a.Resource != "":
		return api.DeliveryDestinationTypeS3
	case a.Service == "firehose" && strings.HasPrefix(a.Resource, "deliverystream/"):
		return api.DeliveryDestinationTypeFh
	}
	return ""
}

// newDeliveryDestination checks what a destination is made of.
func newDeliveryDestination(s scope, in *api.PutDeliveryDestinationInput) (deliveryDestination, error) {
	d := deliveryDestination{Name: in.Name, Format: in.OutputFormat, Tags: in.Tags}
	if in.DeliveryDestinationType == api.DeliveryDestinationTypeXray {
		return d, service.Unsupported("ValidationException", "PutDeliveryDestination", "deliveryDestinationType XRAY")
	}
	if in.DeliveryDestinationConfiguration == nil {
		return d, badDelivery("A delivery destination needs deliveryDestinationConfiguration.")
	}
	d.Resource = in.DeliveryDestinationConfiguration.DestinationResourceArn
	a, err := arn.Parse(d.Resource)
	if err != nil {
		return d, badDelivery("destinationResourceArn %q is not an ARN.", d.Resource)
	}
	switch d.Type = typeOfDestination(a); {
	case d.Type == "":
		return d, badDelivery("%s is not the ARN of a log group, a bucket or a delivery stream.", d.Resource)
	case d.Type != api.DeliveryDestinationTypeS3 && (a.Account != s.account || a.Region != s.region):
		return d, badDelivery("%s must be in the account and region of the delivery destination.", d.Resource)
	case in.DeliveryDestinationType != "" && in.DeliveryDestinationType != d.Type:
		return d, badDelivery("%s is of the type %s, not %s.", d.Resource, d.Type, in.DeliveryDestinationType)
	case d.Format == api.OutputFormatParquet:
		return d, service.Unsupported("ValidationException", "PutDeliveryDestination", "outputFormat parquet")
	case d.Format != "" && !slices.Contains(formats[d.Type], d.Format):
		return d, badDelivery("The outputFormat %s is not one of the type %s: %s.", d.Format, d.Type, strings.Join(formats[d.Type], ", "))
	case len(d.Tags) > maxTags:
		return d, badDelivery("A delivery destination has at most %d tags.", maxTags)
	}
	return d, nil
}

func (l *Logs) putDeliveryDestination(ctx context.Context, in *api.PutDeliveryDestinationInput) (*api.PutDeliveryDestinationOutput, error) {
	s := scopeOf(ctx)
	d, err := newDeliveryDestination(s, in)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		old, there, err := record.Get[deliveryDestination](tx, s.deliveryDestination(d.Name))
		switch {
		case err != nil:
			return err
		case there && old.Type != d.Type:
			return deliveryConflict("The delivery destination %s is of the type %s, which cannot change.", d.Name, old.Type)
		case there && in.OutputFormat != "" && cmp.Or(old.Format, formats[d.Type][0]) != in.OutputFormat:
			return deliveryConflict("The output format of the delivery destination %s is %s, which cannot change.", d.Name, cmp.Or(old.Format, formats[d.Type][0]))
		case !there:
			if err := deliveryRoom(tx, s.deliveryDestinations(), "delivery destinations"); err != nil {
				return err
			}
		}
		if d.Policy, d.Format = old.Policy, cmp.Or(d.Format, old.Format); d.Tags == nil {
			d.Tags = old.Tags
		}
		return record.Set(tx, s.deliveryDestination(d.Name), d)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.PutDeliveryDestinationOutput{DeliveryDestination: ptr(d.shown(s))}, nil
}

func (d *deliveryDestination) shown(s scope) api.DeliveryDestination {
	return api.DeliveryDestination{
		Name: &d.Name, Arn: ptr(deliveryDestinationARN(s, d.Name)), DeliveryDestinationType: d.Type, OutputFormat: d.Format, Tags: d.Tags,
		DeliveryDestinationConfiguration: &api.DeliveryDestinationConfiguration{DestinationResourceArn: d.Resource},
	}
}

func (l *Logs) getDeliveryDestination(ctx context.Context, in *api.GetDeliveryDestinationInput) (*api.GetDeliveryDestinationOutput, error) {
	s := scopeOf(ctx)
	d, err := viewed(ctx, l, func(r store.Reader) (deliveryDestination, error) { return getDeliveryDestination(r, s, in.Name) })
	if err != nil {
		return nil, err
	}
	return &api.GetDeliveryDestinationOutput{DeliveryDestination: ptr(d.shown(s))}, nil
}

func (l *Logs) describeDeliveryDestinations(ctx context.Context, in *api.DescribeDeliveryDestinationsInput) (*api.DescribeDeliveryDestinationsOutput, error) {
	s := scopeOf(ctx)
	all, next, err := deliveryPage[deliveryDestination](ctx, l, s.deliveryDestinations(), in.NextToken, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeDeliveryDestinationsOutput{DeliveryDestinations: []api.DeliveryDestination{}, NextToken: next}
	for _, d := range all {
		out.DeliveryDestinations = append(out.DeliveryDestinations, d.shown(s))
	}
	return out, nil
}

func (l *Logs) deleteDeliveryDestination(ctx context.Context, in *api.DeleteDeliveryDestinationInput) (*api.DeleteDeliveryDestinationOutput, error) {
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := getDeliveryDestination(tx, s, in.Name); err != nil {
			return err
		}
		for row, err := range record.Range[delivery](tx, s.deliveries().Span()) {
			if err != nil {
				return err
			}
			if row.Value.Destination == deliveryDestinationARN(s, in.Name) {
				return deliveryConflict("The delivery destination %s has the delivery %s: delete that first.", in.Name, row.Value.ID)
			}
		}
		tx.Delete(s.deliveryDestination(in.Name))
		return nil
	})
	return &api.DeleteDeliveryDestinationOutput{}, unavailable(err)
}

// changeDeliveryPolicy sets the policy of a destination; "" removes it.
func (l *Logs) changeDeliveryPolicy(ctx context.Context, name, policy string) error {
	s := scopeOf(ctx)
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := getDeliveryDestination(tx, s, name)
		if err != nil {
			return err
		}
		if d.Policy == "" && policy == "" {
			return noDeliveryPolicy(name)
		}
		d.Policy = policy
		return record.Set(tx, s.deliveryDestination(name), d)
	}))
}

func noDeliveryPolicy(name string) error {
	return service.Errorf("ResourceNotFoundException", "The delivery destination %s has no policy.", name)
}

func (l *Logs) putDeliveryDestinationPolicy(ctx context.Context, in *api.PutDeliveryDestinationPolicyInput) (*api.PutDeliveryDestinationPolicyOutput, error) {
	if len(in.DeliveryDestinationPolicy) > maxDeliveryPolicy {
		return nil, badDelivery("The policy has %d characters; at most %d are allowed.", len(in.DeliveryDestinationPolicy), maxDeliveryPolicy)
	}
	if _, err := iam.Parse(in.DeliveryDestinationPolicy, iam.ResourceBased); err != nil {
		return nil, badDelivery("The policy is malformed: %v", err)
	}
	if err := l.changeDeliveryPolicy(ctx, in.DeliveryDestinationName, in.DeliveryDestinationPolicy); err != nil {
		return nil, err
	}
	return &api.PutDeliveryDestinationPolicyOutput{Policy: &api.Policy{DeliveryDestinationPolicy: &in.DeliveryDestinationPolicy}}, nil
}

func (l *Logs) getDeliveryDestinationPolicy(ctx context.Context, in *api.GetDeliveryDestinationPolicyInput) (*api.GetDeliveryDestinationPolicyOutput, error) {
	s := scopeOf(ctx)
	d, err := viewed(ctx, l, func(r store.Reader) (deliveryDestination, error) {
		return getDeliveryDestination(r, s, in.DeliveryDestinationName)
	})
	if err == nil && d.Policy == "" {
		err = noDeliveryPolicy(d.Name)
	}
	if err != nil {
		return nil, err
	}
	return &api.GetDeliveryDestinationPolicyOutput{Policy: &api.Policy{DeliveryDestinationPolicy: opt.Of(d.Policy)}}, nil
}

func (l *Logs) deleteDeliveryDestinationPolicy(ctx context.Context, in *api.DeleteDeliveryDestinationPolicyInput) (*api.DeleteDeliveryDestinationPolicyOutput, error) {
	return &api.DeleteDeliveryDestinationPolicyOutput{}, l.changeDeliveryPolicy(ctx, in.DeliveryDestinationName, "")
}
