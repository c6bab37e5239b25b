package logs

import (
	"context"
	"errors"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxDeliveryParts is how many sources, destinations and deliveries an account has in a region, of each
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html).
const maxDeliveryParts = 1000

// deliverySource is the record of a delivery source: a resource whose logs of a type can be delivered.
type deliverySource struct {
	Name     string
	Resource string
	Type     string
	Tags     map[string]string `json:",omitempty"`
}

func deliverySourceARN(s scope, name string) string {
	return "arn:aws:logs:" + s.region + ":" + s.account + ":delivery-source:" + name
}

func deliveryConflict(format string, args ...any) *service.Error {
	return service.Errorf("ConflictException", format, args...)
}

// deliveryRoom refuses one more source, destination or delivery when there are as many as there may be.
func deliveryRoom(r store.Reader, under []byte, what string) error {
	err := room(r, under, maxDeliveryParts, what)
	if service.Code(err) == "LimitExceededException" {
		return service.Errorf("ServiceQuotaExceededException", "There are at most %d %s in a region: delete one first.", maxDeliveryParts, what)
	}
	return err
}

func getSource(r store.Reader, s scope, name string) (deliverySource, error) {
	d, ok, err := record.Get[deliverySource](r, s.deliverySource(name))
	if err == nil && !ok {
		err = service.Errorf("ResourceNotFoundException", "The delivery source %s does not exist. DescribeDeliverySources lists those that do.", name)
	}
	return d, err
}

func (l *Logs) putDeliverySource(ctx context.Context, in *api.PutDeliverySourceInput) (*api.PutDeliverySourceOutput, error) {
	v, _, err := vendorOf(in.ResourceArn)
	switch {
	case err != nil:
		return nil, err
	case !slices.Contains(v.types, in.LogType):
		return nil, badDelivery("The logType %s is not one of %s: %s.", in.LogType, in.ResourceArn, strings.Join(v.types, ", "))
	case len(in.DeliverySourceConfiguration) > 0:
		return nil, service.Unsupported("ValidationException", "PutDeliverySource", "deliverySourceConfiguration")
	case len(in.Tags) > maxTags:
		return nil, badDelivery("A delivery source has at most %d tags.", maxTags)
	}
	s := scopeOf(ctx)
	if a, err := arn.Parse(in.ResourceArn); err != nil || a.Account != s.account || a.Region != s.region {
		return nil, badDelivery("The resource of a delivery source must be in its account and region.")
	}
	if there, err := l.options.Logged.Exists(ctx, in.ResourceArn); err != nil || !there {
		return nil, errors.Join(err, service.Errorf("ResourceNotFoundException", "The resource %s does not exist.", in.ResourceArn))
	}
	d := deliverySource{Name: in.Name, Resource: in.ResourceArn, Type: in.LogType, Tags: in.Tags}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		old, there, err := record.Get[deliverySource](tx, s.deliverySource(d.Name))
		switch {
		case err != nil:
			return err
		case there:
			tx.Delete(s.sourceOf(old.Resource, old.Type))
			if in.Tags == nil {
				d.Tags = old.Tags
			}
		default:
			if err := deliveryRoom(tx, s.deliverySources(), "delivery sources"); err != nil {
				return err
			}
		}
		name, err := tx.Get(s.sourceOf(d.Resource, d.Type))
		if err == nil && string(name) != d.Name {
			return deliveryConflict("The delivery source %s is there for the logs %s of %s already.", name, d.Type, d.Resource)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		tx.Set(s.sourceOf(d.Resource, d.Type), []byte(d.Name))
		return record.Set(tx, s.deliverySource(d.Name), d)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	out, err := l.shownSource(ctx, s, d)
	return &api.PutDeliverySourceOutput{DeliverySource: out}, err
}

// shownSource shows a source. It is inactive when its resource was deleted.
func (l *Logs) shownSource(ctx context.Context, s scope, d deliverySource) (*api.DeliverySource, error) {
	v, _, err := vendorOf(d.Resource)
	if err != nil {
		return nil, err
	}
	out := &api.DeliverySource{
		Name: &d.Name, Arn: ptr(deliverySourceARN(s, d.Name)), ResourceArns: []string{d.Resource}, Service: &v.service, LogType: &d.Type, Tags: d.Tags, Status: api.DeliverySourceStatusActive,
	}
	there, err := l.options.Logged.Exists(ctx, d.Resource)
	if err == nil && !there {
		out.Status, out.StatusReason = api.DeliverySourceStatusInactive, api.DeliverySourceStatusReasonResourceDeleted
	}
	return out, err
}

func (l *Logs) getDeliverySource(ctx context.Context, in *api.GetDeliverySourceInput) (*api.GetDeliverySourceOutput, error) {
	s := scopeOf(ctx)
	d, err := viewed(ctx, l, func(r store.Reader) (deliverySource, error) { return getSource(r, s, in.Name) })
	if err != nil {
		return nil, err
	}
	out, err := l.shownSource(ctx, s, d)
	return &api.GetDeliverySourceOutput{DeliverySource: out}, err
}

// viewed reads a record.
func viewed[T any](ctx context.Context, l *Logs, get func(r store.Reader) (T, error)) (out T, err error) {
	err = l.deps.Store.View(ctx, func(r store.Reader) error {
		out, err = get(r)
		return err
	})
	return out, err
}

func (l *Logs) describeDeliverySources(ctx context.Context, in *api.DescribeDeliverySourcesInput) (*api.DescribeDeliverySourcesOutput, error) {
	s := scopeOf(ctx)
	all, next, err := deliveryPage[deliverySource](ctx, l, s.deliverySources(), in.NextToken, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeDeliverySourcesOutput{DeliverySources: []api.DeliverySource{}, NextToken: next}
	for _, d := range all {
		one, err := l.shownSource(ctx, s, d)
		if err != nil {
			return nil, err
		}
		out.DeliverySources = append(out.DeliverySources, *one)
	}
	return out, nil
}

// deliveryPage reads a page of sources, destinations or deliveries.
func deliveryPage[T any](ctx context.Context, l *Logs, under []byte, token *string, limit *int32) (all []T, next *string, err error) {
	next, err = record.Page(ctx, l.deps.Store, under, record.Paging{Token: token, Limit: limitOf(limit, 50)}, func(_ string, v T) bool {
		all = append(all, v)
		return true
	})
	if errors.Is(err, record.ErrToken) {
		err = badDelivery("The specified nextToken is invalid.")
	}
	return all, next, err
}

func (l *Logs) deleteDeliverySource(ctx context.Context, in *api.DeleteDeliverySourceInput) (*api.DeleteDeliverySourceOutput, error) {
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := getSource(tx, s, in.Name)
		if err != nil {
			return err
		}
		for _, err := range tx.Range(s.deliveriesOf(d.Name).Span()) {
			if err != nil {
				return err
			}
			return deliveryConflict("The delivery source %s has deliveries: delete them first.", d.Name)
		}
		tx.Delete(s.sourceOf(d.Resource, d.Type))
		tx.Delete(s.deliverySource(d.Name))
		return nil
	})
	return &api.DeleteDeliverySourceOutput{}, unavailable(err)
}
