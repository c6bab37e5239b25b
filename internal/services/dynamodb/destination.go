package dynamodb

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// A Kinesis destination is a data stream that gets a record of every write of a table. The record is put in the transaction of the write: it is in the
// stream if and only if the item is written, once, and records of an item are in the order of its writes. Writes go on when the stream is gone or does
// not take a record: a destination whose stream is gone says so, and a record that is too large for the stream goes without its old image, and then without the new one.

// maxDestinations is how many data streams a table may have at a time
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html).
const maxDestinations = 2

// destination is a data stream of a table.
type destination struct {
	Stream string `json:"stream"`
	// Precision is that of times in records: empty for milliseconds that the client did not ask for.
	Precision string `json:"precision,omitempty"`
	// Disabled is when the destination ended. It is shown for a day.
	Disabled time.Time `json:"disabled,omitzero"`
}

// destinationKeep is for how long a destination is shown after it ended.
const destinationKeep = 24 * time.Hour

func (d *destination) active() bool { return d.Disabled.IsZero() }

// destination returns the index of a destination, or -1.
func (r *tableRecord) destination(stream string) int {
	return slices.IndexFunc(r.Destinations, func(d destination) bool { return d.Stream == stream })
}

// streaming tells whether writes of the table go to a data stream.
func (r *tableRecord) streaming() bool {
	return slices.ContainsFunc(r.Destinations, func(d destination) bool { return d.active() })
}

// invalidDestination returns the error of an operation that does not fit the state of a destination.
func invalidDestination(verb, reason string) error {
	return invalid("Table is not in a valid state to %s Kinesis Streaming Destination: %s", verb, reason)
}

// checkDestination checks that there is a data stream that the principal of a request may put records into.
func (s *Service) checkDestination(ctx context.Context, p place, stream string) error {
	name, ok := strings.CutPrefix(stream, "arn:aws:kinesis:"+p.region+":"+p.account+":stream/")
	if !ok {
		return invalid("The stream of a table must be in its account and region: %s is not", stream)
	}
	if _, err := s.door.Call(ctx, kinesis.API.Name, "DescribeStreamSummary", &kinesis.DescribeStreamSummaryInput{StreamName: &name}); err != nil {
		return err
	}
	return s.door.Allow(ctx, service.Target{Action: "kinesis:PutRecord", ARN: stream})
}

func (s *Service) enableKinesisStreamingDestination(ctx context.Context, in *ddb.EnableKinesisStreamingDestinationInput) (*ddb.EnableKinesisStreamingDestinationOutput, error) {
	t, err := s.viewTable(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	if err := s.checkDestination(ctx, t.place, in.StreamArn); err != nil {
		return nil, err
	}
	config := in.EnableKinesisStreamingConfiguration
	if config == nil {
		config = &ddb.EnableKinesisStreamingConfiguration{}
	}
	now := s.clock.Now()
	_, err = s.changeTable(ctx, placeOf(ctx), in.TableName, func(_ store.Txn, _ *table, r *tableRecord) error {
		r.Destinations = slices.DeleteFunc(r.Destinations, func(d destination) bool { return !d.active() && !now.Before(d.Disabled.Add(destinationKeep)) })
		active := 0
		for _, d := range r.Destinations {
			switch {
			case d.active() && d.Stream == in.StreamArn:
				return invalidDestination("enable", "EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED to perform ENABLE operation.")
			case d.active():
				active++
			}
		}
		if active == maxDestinations {
			return service.Errorf(codeLimit, "The table %s has %d data streams, which is the greatest number. Disable one of them first.", r.Name, active)
		}
		d := destination{Stream: in.StreamArn, Precision: config.ApproximateCreationDateTimePrecision}
		if i := r.destination(in.StreamArn); i >= 0 {
			r.Destinations[i] = d
			return nil
		}
		r.Destinations = append(r.Destinations, d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ddb.EnableKinesisStreamingDestinationOutput{
		TableName: &t.Name, StreamArn: &in.StreamArn, DestinationStatus: ddb.DestinationStatusEnabling, EnableKinesisStreamingConfiguration: config,
	}, nil
}

func (s *Service) disableKinesisStreamingDestination(ctx context.Context, in *ddb.DisableKinesisStreamingDestinationInput) (*ddb.DisableKinesisStreamingDestinationOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	out := &ddb.DisableKinesisStreamingDestinationOutput{StreamArn: &in.StreamArn, DestinationStatus: ddb.DestinationStatusDisabling}
	t, err := s.changeTable(ctx, placeOf(ctx), in.TableName, func(_ store.Txn, _ *table, r *tableRecord) error {
		i := r.destination(in.StreamArn)
		if i < 0 || !r.Destinations[i].active() {
			return invalidDestination("disable", "DisableKinesisStreamingDestination must be ACTIVE to perform DISABLE operation.")
		}
		r.Destinations[i].Disabled = s.clock.Now().UTC()
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.TableName = &t.Name
	return out, nil
}

func (s *Service) updateKinesisStreamingDestination(ctx context.Context, in *ddb.UpdateKinesisStreamingDestinationInput) (*ddb.UpdateKinesisStreamingDestinationOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	config := in.UpdateKinesisStreamingConfiguration
	if config == nil || config.ApproximateCreationDateTimePrecision == "" {
		return nil, invalid("Streaming destination cannot be updated with given parameters: UpdateKinesisStreamingConfiguration cannot be null or contain only null values")
	}
	t, err := s.changeTable(ctx, placeOf(ctx), in.TableName, func(_ store.Txn, _ *table, r *tableRecord) error {
		i := r.destination(in.StreamArn)
		switch {
		case i < 0:
			return invalidDestination("enable", "No streaming destination with streamArn: "+in.StreamArn+" found for table with tableName: "+r.Name)
		case !r.Destinations[i].active():
			return invalidDestination("update", "KinesisStreamingDestination must be ACTIVE to perform UPDATE operation.")
		case r.Destinations[i].Precision == config.ApproximateCreationDateTimePrecision:
			return invalid("Invalid Request: Precision is already set to the desired value of %s for tableId: %s, kdsArn: %s", config.ApproximateCreationDateTimePrecision, r.ID, in.StreamArn)
		}
		r.Destinations[i].Precision = config.ApproximateCreationDateTimePrecision
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ddb.UpdateKinesisStreamingDestinationOutput{
		TableName: &t.Name, StreamArn: &in.StreamArn, DestinationStatus: ddb.DestinationStatusUpdating, UpdateKinesisStreamingConfiguration: config,
	}, nil
}

func (s *Service) describeKinesisStreamingDestination(ctx context.Context, in *ddb.DescribeKinesisStreamingDestinationInput) (*ddb.DescribeKinesisStreamingDestinationOutput, error) {
	t, err := s.viewTable(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	out := &ddb.DescribeKinesisStreamingDestinationOutput{TableName: &t.Name, KinesisDataStreamDestinations: []ddb.KinesisDataStreamDestination{}}
	for i := range t.Destinations {
		d := &t.Destinations[i]
		shown := ddb.KinesisDataStreamDestination{StreamArn: &d.Stream, DestinationStatus: ddb.DestinationStatusActive, ApproximateCreationDateTimePrecision: d.Precision}
		switch {
		case !d.active() && !s.clock.Now().Before(d.Disabled.Add(destinationKeep)):
			continue
		case !d.active():
			shown.DestinationStatus = ddb.DestinationStatusDisabled
		case service.Code(s.dataStreams.CheckPut(ctx, port.Source{Service: "dynamodb.amazonaws.com", ARN: t.arn(), Account: t.place.account}, d.Stream)) == codeNotFound:
			shown.DestinationStatus, shown.DestinationStatusDescription = ddb.DestinationStatusEnableFailed, ptr("The data stream does not exist any more. Disable the destination, or make the stream again.")
		}
		out.KinesisDataStreamDestinations = append(out.KinesisDataStreamDestinations, shown)
	}
	return out, nil
}

// stream puts what a write did into the table's data streams.
func (t *table) stream(tx store.Txn, itemKey []byte, old, item attr.Map, by origin) error {
	if !t.streaming() || old == nil && item == nil {
		return nil
	}
	partition := strings.ToUpper(hex.EncodeToString(hashOf(itemKey[len(t.items):])))
	for _, d := range t.Destinations {
		if !d.active() {
			continue
		}
		for _, images := range [][2]attr.Map{{old, item}, {nil, item}, {nil, nil}} { // until one fits
			b, err := t.destinationRecord(d, old, item, images, by)
			if err != nil {
				return err
			}
			err = by.to.Put(tx, d.Stream, partition, b)
			if err == nil || service.Code(err) == codeNotFound {
				break
			}
			if service.Code(err) != "InvalidArgumentException" {
				return err
			}
		}
	}
	return nil
}
