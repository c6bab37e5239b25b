package firehose

import (
	"context"
	"encoding/binary"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// destinationID is the id of a stream's one destination.
const destinationID = "destinationId-000000000001"

// maxStreams is how many delivery streams an account has in a region
// (https://docs.aws.amazon.com/firehose/latest/dev/limits.html).
const maxStreams = 5000

// principal is the service that assumes the roles of delivery streams.
const principal = "firehose.amazonaws.com"

// streamRecord is a delivery stream as it is stored.
type streamRecord struct {
	Name    string            `json:"name"`
	ID      uint64            `json:"id"`
	Created time.Time         `json:"created"`
	Updated time.Time         `json:"updated,omitzero"`
	Version int               `json:"version"`
	Tags    map[string]string `json:"tags,omitempty"`
	// Source and SourceRole are the data stream that it reads, and the role with which it does; empty for direct puts.
	Source     string                                          `json:"source,omitempty"`
	SourceRole string                                          `json:"sourceRole,omitempty"`
	Encryption *api.DeliveryStreamEncryptionConfigurationInput `json:"encryption,omitempty"`
	// Bucket is where records go; with an Endpoint it is where those go that the endpoint did not take, or all of them.
	Bucket   *api.ExtendedS3DestinationConfiguration   `json:"bucket"`
	Endpoint *api.HttpEndpointDestinationConfiguration `json:"endpoint,omitempty"`
	// AccessKey is that of the Endpoint.
	AccessKey *secret `json:"accessKey,omitempty"`
}

// stream is a delivery stream with its place. It is shared and must not be changed.
type stream struct {
	streamRecord
	place place
}

func (st *stream) ref() ref    { return ref{st.place, st.Name, st.ID} }
func (st *stream) arn() string { return st.place.arn(st.Name) }
func (st *stream) kind() string {
	if st.Source != "" {
		return api.DeliveryStreamTypeKinesisStreamAsSource
	}
	return api.DeliveryStreamTypeDirectPut
}

// find returns a delivery stream.
func find(r store.Reader, p place, name string) (*stream, error) {
	rec, ok, err := record.Get[streamRecord](r, p.stream(name))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noStream(p, name)
	}
	return &stream{rec, p}, nil
}

// known returns a delivery stream as it is after the last acknowledged change.
func (s *Service) known(ctx context.Context, p place, name string) (*stream, error) {
	st, err := s.streams.Get(ctx, p, name, func(r store.Reader) (*stream, error) { return find(r, p, name) })
	return st, storeError(err)
}

// change changes the record of a delivery stream in one transaction.
func (s *Service) change(ctx context.Context, name string, fn func(st *stream) error) error {
	p := placeOf(ctx)
	return storeError(s.store.Update(ctx, func(tx store.Txn) error {
		st, err := find(tx, p, name)
		if err != nil {
			return err
		}
		if err := fn(st); err != nil {
			return err
		}
		return record.Set(tx, p.stream(name), st.streamRecord)
	}))
}

func (s *Service) createDeliveryStream(ctx context.Context, in *api.CreateDeliveryStreamInput) (*api.CreateDeliveryStreamOutput, error) {
	p := placeOf(ctx)
	st := stream{place: p, streamRecord: streamRecord{Name: in.DeliveryStreamName, Created: s.clock.Now().UTC(), Version: 1, Encryption: in.DeliveryStreamEncryptionConfigurationInput}}
	if err := refused(in); err != nil {
		return nil, err
	}
	if err := st.from(in); err != nil {
		return nil, err
	}
	if err := st.deliverTo(in); err != nil {
		return nil, err
	}
	if err := s.checkDestinations(ctx, &st.streamRecord); err != nil {
		return nil, err
	}
	if st.SourceRole != "" && s.roles != nil {
		if err := s.roles.CheckPassRole(ctx, st.SourceRole, principal); err != nil {
			return nil, err
		}
	}
	st.Tags = tagMap(in.Tags)
	if err := checkTags(st.Tags); err != nil {
		return nil, err
	}
	var id [8]byte
	if _, err := io.ReadFull(s.random, id[:]); err != nil {
		return nil, err
	}
	st.ID = binary.BigEndian.Uint64(id[:])
	if err := s.hide(ctx, &st); err != nil {
		return nil, err
	}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		taken, err := record.Has(tx, p.stream(st.Name))
		if err != nil {
			return err
		}
		if taken {
			return service.Errorf(codeInUse, "Firehose %s under accountId %s already exists", st.Name, p.account)
		}
		return record.Set(tx, p.stream(st.Name), st.streamRecord)
	})
	if err != nil {
		return nil, storeError(err)
	}
	s.pumps.start(s, &st)
	return &api.CreateDeliveryStreamOutput{DeliveryStreamARN: new(st.arn())}, nil
}

// refused refuses the sources and destinations that are not there, by name.
func refused(in *api.CreateDeliveryStreamInput) error {
	for name, asked := range map[string]bool{
		"RedshiftDestinationConfiguration": in.RedshiftDestinationConfiguration != nil, "ElasticsearchDestinationConfiguration": in.ElasticsearchDestinationConfiguration != nil,
		"AmazonopensearchserviceDestinationConfiguration":    in.AmazonopensearchserviceDestinationConfiguration != nil,
		"AmazonOpenSearchServerlessDestinationConfiguration": in.AmazonOpenSearchServerlessDestinationConfiguration != nil,
		"SplunkDestinationConfiguration":                     in.SplunkDestinationConfiguration != nil,
		"SnowflakeDestinationConfiguration":                  in.SnowflakeDestinationConfiguration != nil, "IcebergDestinationConfiguration": in.IcebergDestinationConfiguration != nil,
		"MSKSourceConfiguration": in.MSKSourceConfiguration != nil, "DatabaseSourceConfiguration": in.DatabaseSourceConfiguration != nil,
	} {
		if asked {
			return service.Unsupported(codeInvalid, "CreateDeliveryStream", name)
		}
	}
	return nil
}

// deliverTo reads the one destination of a new stream.
func (r *streamRecord) deliverTo(in *api.CreateDeliveryStreamInput) error {
	r.Bucket = newDestination(in.S3DestinationConfiguration, in.ExtendedS3DestinationConfiguration)
	if (in.HttpEndpointDestinationConfiguration == nil) == (r.Bucket == nil) {
		return invalid("Exactly one destination configuration is supported for a Firehose.")
	}
	if in.HttpEndpointDestinationConfiguration != nil {
		r.Endpoint, r.Bucket = newEndpoint(in.HttpEndpointDestinationConfiguration)
	}
	return nil
}

// from reads the source of a new stream.
func (st *stream) from(in *api.CreateDeliveryStreamInput) error {
	switch kind, source := in.DeliveryStreamType, in.KinesisStreamSourceConfiguration; {
	case kind == api.DeliveryStreamTypeKinesisStreamAsSource && source == nil:
		return invalid("KinesisStreamSourceConfiguration is required for the type KinesisStreamAsSource.")
	case kind != "" && kind != api.DeliveryStreamTypeDirectPut && kind != api.DeliveryStreamTypeKinesisStreamAsSource:
		return service.Unsupported(codeInvalid, "CreateDeliveryStream", "DeliveryStreamType "+kind)
	case source != nil && kind != api.DeliveryStreamTypeKinesisStreamAsSource:
		return invalid("KinesisStreamSourceConfiguration is only for the type KinesisStreamAsSource.")
	case source != nil && in.DeliveryStreamEncryptionConfigurationInput != nil:
		return invalid("Server-side encryption is only for the type DirectPut; a data stream encrypts its own records.")
	case source != nil:
		st.Source, st.SourceRole = source.KinesisStreamARN, source.RoleARN
	}
	return nil
}

func (s *Service) deleteDeliveryStream(ctx context.Context, in *api.DeleteDeliveryStreamInput) (*api.DeleteDeliveryStreamOutput, error) {
	p := placeOf(ctx)
	var gone ref
	err := s.store.Update(ctx, func(tx store.Txn) error {
		st, err := find(tx, p, in.DeliveryStreamName)
		if err != nil {
			return err
		}
		gone = st.ref()
		tx.Delete(p.stream(st.Name))
		for _, kind := range []string{"l", "p", "k"} {
			all := gone.of(kind)
			tx.DeleteRange(all, all.End())
		}
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	s.pumps.stop(gone)
	return &api.DeleteDeliveryStreamOutput{}, nil
}

func (s *Service) listDeliveryStreams(ctx context.Context, in *api.ListDeliveryStreamsInput) (*api.ListDeliveryStreamsOutput, error) {
	p, limit := placeOf(ctx), 10
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	span := p.streams().Span()
	if in.ExclusiveStartDeliveryStreamName != nil {
		span.Lo = append(p.stream(*in.ExclusiveStartDeliveryStreamName), 0)
	}
	out := &api.ListDeliveryStreamsOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		*out = api.ListDeliveryStreamsOutput{DeliveryStreamNames: []string{}}
		for row, err := range record.Range[streamRecord](r, span) {
			if err != nil {
				return err
			}
			st := &stream{row.Value, p}
			if in.DeliveryStreamType != "" && in.DeliveryStreamType != st.kind() {
				continue
			}
			if len(out.DeliveryStreamNames) == limit {
				out.HasMoreDeliveryStreams = true
				return nil
			}
			out.DeliveryStreamNames = append(out.DeliveryStreamNames, st.Name)
		}
		return nil
	})
	return out, storeError(err)
}

func (s *Service) describeDeliveryStream(ctx context.Context, in *api.DescribeDeliveryStreamInput) (*api.DescribeDeliveryStreamOutput, error) {
	st, err := s.known(ctx, placeOf(ctx), in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	d := &api.DeliveryStreamDescription{
		DeliveryStreamName: st.Name, DeliveryStreamARN: st.arn(), DeliveryStreamStatus: api.DeliveryStreamStatusActive, DeliveryStreamType: st.kind(),
		VersionId: strconv.Itoa(st.Version), CreateTimestamp: &st.Created, Destinations: []api.DestinationDescription{st.destination()},
		DeliveryStreamEncryptionConfiguration: &api.DeliveryStreamEncryptionConfiguration{Status: api.DeliveryStreamEncryptionStatusDisabled},
	}
	if !st.Updated.IsZero() {
		d.LastUpdateTimestamp = &st.Updated
	}
	if e := st.Encryption; e != nil {
		d.DeliveryStreamEncryptionConfiguration = &api.DeliveryStreamEncryptionConfiguration{Status: api.DeliveryStreamEncryptionStatusEnabled, KeyType: e.KeyType, KeyARN: e.KeyARN}
	}
	if st.Source != "" {
		d.Source = &api.SourceDescription{KinesisStreamSourceDescription: &api.KinesisStreamSourceDescription{
			KinesisStreamARN: &st.Source, RoleARN: &st.SourceRole, DeliveryStartTimestamp: &st.Created,
		}}
	}
	return &api.DescribeDeliveryStreamOutput{DeliveryStreamDescription: d}, nil
}

func (s *Service) startDeliveryStreamEncryption(ctx context.Context, in *api.StartDeliveryStreamEncryptionInput) (*api.StartDeliveryStreamEncryptionOutput, error) {
	return &api.StartDeliveryStreamEncryptionOutput{}, s.change(ctx, in.DeliveryStreamName, func(st *stream) error {
		if st.Source != "" {
			return invalid("Server-side encryption is only for the type DirectPut; a data stream encrypts its own records.")
		}
		if st.Encryption = in.DeliveryStreamEncryptionConfigurationInput; st.Encryption == nil {
			st.Encryption = &api.DeliveryStreamEncryptionConfigurationInput{KeyType: api.KeyTypeAwsOwnedCmk}
		}
		return nil
	})
}

func (s *Service) stopDeliveryStreamEncryption(ctx context.Context, in *api.StopDeliveryStreamEncryptionInput) (*api.StopDeliveryStreamEncryptionOutput, error) {
	return &api.StopDeliveryStreamEncryptionOutput{}, s.change(ctx, in.DeliveryStreamName, func(st *stream) error {
		st.Encryption = nil
		return nil
	})
}

// maxTags is how many tags a delivery stream has.
const maxTags = 50

func tagMap(tags []api.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[t.Key] = ""
		if t.Value != nil {
			out[t.Key] = *t.Value
		}
	}
	return out
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("A Firehose has at most %d tags.", maxTags)
	}
	for k := range tags {
		if strings.HasPrefix(k, "aws:") && !strings.HasPrefix(k, "aws:cloudformation:") {
			return invalid("The tag key %s begins with aws:, which is reserved.", k)
		}
	}
	return nil
}

func (s *Service) tagDeliveryStream(ctx context.Context, in *api.TagDeliveryStreamInput) (*api.TagDeliveryStreamOutput, error) {
	return &api.TagDeliveryStreamOutput{}, s.change(ctx, in.DeliveryStreamName, func(st *stream) error {
		if st.Tags == nil {
			st.Tags = map[string]string{}
		}
		maps.Copy(st.Tags, tagMap(in.Tags))
		return checkTags(st.Tags)
	})
}

func (s *Service) untagDeliveryStream(ctx context.Context, in *api.UntagDeliveryStreamInput) (*api.UntagDeliveryStreamOutput, error) {
	return &api.UntagDeliveryStreamOutput{}, s.change(ctx, in.DeliveryStreamName, func(st *stream) error {
		for _, k := range in.TagKeys {
			delete(st.Tags, k)
		}
		return nil
	})
}

func (s *Service) listTagsForDeliveryStream(ctx context.Context, in *api.ListTagsForDeliveryStreamInput) (*api.ListTagsForDeliveryStreamOutput, error) {
	st, err := s.known(ctx, placeOf(ctx), in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	limit := maxTags
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	var keys []string
	for k := range st.Tags {
		if in.ExclusiveStartTagKey == nil || k > *in.ExclusiveStartTagKey {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	out := &api.ListTagsForDeliveryStreamOutput{Tags: []api.Tag{}, HasMoreTags: len(keys) > limit}
	for _, k := range keys[:min(limit, len(keys))] {
		out.Tags = append(out.Tags, api.Tag{Key: k, Value: new(st.Tags[k])})
	}
	return out, nil
}
