package logs

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// delivery is the record of a delivery: the logs of a source go to a destination
// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateDelivery.html).
type delivery struct {
	ID, Source  string
	Destination string // its ARN
	Type        string
	deliverySettings

	Tags map[string]string `json:",omitempty"`
}

// deliverySettings are what UpdateDeliveryConfiguration changes. What is not said is as the configuration template of the source has it.
type deliverySettings struct {
	Fields    []string `json:",omitempty"`
	Delimiter string   `json:",omitempty"`
	Suffix    string   `json:",omitempty"`
	Hive      bool     `json:",omitempty"`
}

func deliveryARN(s scope, id string) string {
	return "arn:aws:logs:" + s.region + ":" + s.account + ":delivery:" + id
}

func getDelivery(r store.Reader, s scope, id string) (delivery, error) {
	d, ok, err := record.Get[delivery](r, s.delivery(id))
	if err == nil && !ok {
		err = service.Errorf("ResourceNotFoundException", "The delivery %s does not exist. DescribeDeliveries lists those that do.", id)
	}
	return d, err
}

// settings checks what a delivery of a source's logs to a type of destination says.
func (v *vendor) settings(to string, fields []string, delimiter *string, s3 *api.S3DeliveryConfiguration) (out deliverySettings, err error) {
	out = deliverySettings{Fields: fields, Delimiter: opt.Value(delimiter)}
	seen := map[string]bool{}
	for _, f := range fields {
		if !slices.Contains(v.fields, f) || seen[f] {
			return out, badDelivery("The record field %s is not one of these logs, or given twice: %s.", f, strings.Join(v.fields, ", "))
		}
		seen[f] = true
	}
	for _, f := range v.mandatory {
		if len(fields) > 0 && !seen[f] {
			return out, badDelivery("The record field %s of these logs is mandatory.", f)
		}
	}
	if s3 == nil {
		return out, nil
	}
	if to != api.DeliveryDestinationTypeS3 {
		return out, badDelivery("s3DeliveryConfiguration needs a delivery destination of the type S3, not %s.", to)
	}
	out.Suffix, out.Hive = strings.Trim(opt.Value(s3.SuffixPath), "/"), opt.Value(s3.EnableHiveCompatiblePath)
	for _, part := range variable.FindAllStringSubmatch(out.Suffix, -1) {
		if !slices.Contains(v.variables(), part[1]) {
			return out, badDelivery("The suffixPath has the variable {%s}, which is not one of these logs: {%s}.", part[1], strings.Join(v.variables(), "}, {"))
		}
	}
	return out, nil
}

func (l *Logs) createDelivery(ctx context.Context, in *api.CreateDeliveryInput) (*api.CreateDeliveryOutput, error) {
	s := scopeOf(ctx)
	owner, name, ok := deliveryDestinationOf(in.DeliveryDestinationArn)
	if !ok {
		return nil, badDelivery("%s is not the ARN of a delivery destination.", in.DeliveryDestinationArn)
	}
	if len(in.Tags) > maxTags {
		return nil, badDelivery("A delivery has at most %d tags.", maxTags)
	}
	source, err := viewed(ctx, l, func(r store.Reader) (deliverySource, error) { return getSource(r, s, in.DeliverySourceName) })
	if err != nil {
		return nil, err
	}
	to, err := viewed(ctx, l, func(r store.Reader) (deliveryDestination, error) { return getDeliveryDestination(r, owner, name) })
	if err != nil {
		return nil, err
	}
	v, _, err := vendorOf(source.Resource)
	if err != nil {
		return nil, err
	}
	id, err := uuid.New(l.deps.Random)
	if err != nil {
		return nil, err
	}
	d := delivery{ID: strings.ReplaceAll(id, "-", "")[:16], Source: source.Name, Destination: in.DeliveryDestinationArn, Type: to.Type, Tags: in.Tags}
	if d.deliverySettings, err = v.settings(to.Type, in.RecordFields, in.FieldDelimiter, in.S3DeliveryConfiguration); err != nil {
		return nil, err
	}
	if owner != s && to.Type == api.DeliveryDestinationTypeCwl {
		return nil, badDelivery("Logs of another account or region cannot be delivered to a log group: use a bucket or a delivery stream.")
	}
	if owner.account == s.account {
		if err := l.openDestination(ctx, s, &source, &to); err != nil {
			return nil, err
		}
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error { return addDelivery(tx, s, owner, &d) })
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.CreateDeliveryOutput{Delivery: ptr(d.shown(s))}, nil
}

// addDelivery writes a delivery whose source and destination are still there.
func addDelivery(tx store.Txn, s, owner scope, d *delivery) error {
	if _, err := getSource(tx, s, d.Source); err != nil {
		return err
	}
	_, name, _ := deliveryDestinationOf(d.Destination)
	if _, err := getDeliveryDestination(tx, owner, name); err != nil {
		return err
	}
	all, err := deliveriesOf(tx, s, d.Source)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Destination == d.Destination {
			return deliveryConflict("The delivery %s from %s to %s is there already.", other.ID, d.Source, d.Destination)
		}
	}
	if err := deliveryRoom(tx, s.deliveries(), "deliveries"); err != nil {
		return err
	}
	tx.Set(s.deliveryOf(d.Source, d.ID), nil)
	return record.Set(tx, s.delivery(d.ID), *d)
}

// deliveriesOf returns the deliveries of a source.
func deliveriesOf(r store.Reader, s scope, source string) ([]delivery, error) {
	var ids []string
	for row, err := range r.Range(s.deliveriesOf(source).Span()) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, s.deliveryID(source, row.Key))
	}
	var out []delivery
	for _, id := range ids {
		d, err := getDelivery(r, s, id)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (d *delivery) shown(s scope) api.Delivery {
	out := api.Delivery{
		Id: &d.ID, Arn: ptr(deliveryARN(s, d.ID)), DeliverySourceName: &d.Source, DeliveryDestinationArn: &d.Destination, DeliveryDestinationType: d.Type, RecordFields: d.Fields,
		FieldDelimiter: opt.Of(d.Delimiter), Tags: maps.Clone(d.Tags),
	}
	if d.Type == api.DeliveryDestinationTypeS3 {
		out.S3DeliveryConfiguration = &api.S3DeliveryConfiguration{SuffixPath: opt.Of(d.Suffix), EnableHiveCompatiblePath: &d.Hive}
	}
	return out
}

func (l *Logs) getDelivery(ctx context.Context, in *api.GetDeliveryInput) (*api.GetDeliveryOutput, error) {
	s := scopeOf(ctx)
	d, err := viewed(ctx, l, func(r store.Reader) (delivery, error) { return getDelivery(r, s, in.Id) })
	if err != nil {
		return nil, err
	}
	return &api.GetDeliveryOutput{Delivery: ptr(d.shown(s))}, nil
}

func (l *Logs) describeDeliveries(ctx context.Context, in *api.DescribeDeliveriesInput) (*api.DescribeDeliveriesOutput, error) {
	s := scopeOf(ctx)
	all, next, err := deliveryPage[delivery](ctx, l, s.deliveries(), in.NextToken, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeDeliveriesOutput{Deliveries: []api.Delivery{}, NextToken: next}
	for _, d := range all {
		out.Deliveries = append(out.Deliveries, d.shown(s))
	}
	return out, nil
}

// updateDeliveryConfiguration changes what a delivery says; what is not given stays.
func (l *Logs) updateDeliveryConfiguration(ctx context.Context, in *api.UpdateDeliveryConfigurationInput) (*api.UpdateDeliveryConfigurationOutput, error) {
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := getDelivery(tx, s, in.Id)
		if err != nil {
			return err
		}
		source, err := getSource(tx, s, d.Source)
		if err != nil {
			return err
		}
		v, _, err := vendorOf(source.Resource)
		if err != nil {
			return err
		}
		said, err := v.settings(d.Type, in.RecordFields, in.FieldDelimiter, in.S3DeliveryConfiguration)
		if err != nil {
			return err
		}
		if in.RecordFields != nil {
			d.Fields = said.Fields
		}
		if in.FieldDelimiter != nil {
			d.Delimiter = said.Delimiter
		}
		if in.S3DeliveryConfiguration != nil {
			d.Suffix, d.Hive = said.Suffix, said.Hive
		}
		return record.Set(tx, s.delivery(d.ID), d)
	})
	return &api.UpdateDeliveryConfigurationOutput{}, unavailable(err)
}

func (l *Logs) deleteDelivery(ctx context.Context, in *api.DeleteDeliveryInput) (*api.DeleteDeliveryOutput, error) {
	s := scopeOf(ctx)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := getDelivery(tx, s, in.Id)
		if err != nil {
			return err
		}
		tx.Delete(s.deliveryOf(d.Source, d.ID))
		tx.Delete(s.delivery(d.ID))
		tx.DeleteRange(s.vended(d.ID), s.vended(d.ID).End())
		return nil
	})
	return &api.DeleteDeliveryOutput{}, unavailable(err)
}

// delivering returns what a caller of CreateDelivery must be allowed: the source, and the destination, whose policy opens it to other accounts.
func (l *Logs) delivering(ctx context.Context, in *api.CreateDeliveryInput) ([]service.Target, error) {
	out := []service.Target{{ARN: deliverySourceARN(scopeOf(ctx), in.DeliverySourceName)}}
	owner, name, ok := deliveryDestinationOf(in.DeliveryDestinationArn)
	if !ok {
		return out, nil // which the operation refuses
	}
	d, err := viewed(ctx, l, func(r store.Reader) (deliveryDestination, error) {
		d, _, err := record.Get[deliveryDestination](r, owner.deliveryDestination(name))
		return d, err
	})
	return append(out, service.Target{ARN: in.DeliveryDestinationArn, Owner: owner.account, Policy: d.Policy}), err
}
