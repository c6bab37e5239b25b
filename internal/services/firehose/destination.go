package firehose

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
)

// The buffering hints of a destination that has none
// (https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html).
const (
	defaultSize     = 5   // MiB
	defaultInterval = 300 // seconds
)

// newDestination returns the one destination of a request, or nil.
func newDestination(plain *api.S3DestinationConfiguration, extended *api.ExtendedS3DestinationConfiguration) *api.ExtendedS3DestinationConfiguration {
	switch {
	case (plain == nil) == (extended == nil):
		return nil
	case plain != nil:
		extended = &api.ExtendedS3DestinationConfiguration{
			RoleARN: plain.RoleARN, BucketARN: plain.BucketARN, Prefix: plain.Prefix, ErrorOutputPrefix: plain.ErrorOutputPrefix, BufferingHints: plain.BufferingHints,
			CompressionFormat: plain.CompressionFormat, EncryptionConfiguration: plain.EncryptionConfiguration, CloudWatchLoggingOptions: plain.CloudWatchLoggingOptions,
		}
	}
	d := *extended
	if d.BufferingHints == nil {
		d.BufferingHints = &api.BufferingHints{}
	}
	hints := *d.BufferingHints
	if hints.SizeInMBs == nil {
		hints.SizeInMBs = new(int32(defaultSize))
	}
	if hints.IntervalInSeconds == nil {
		hints.IntervalInSeconds = new(int32(defaultInterval))
	}
	d.BufferingHints = &hints
	if d.CompressionFormat == "" {
		d.CompressionFormat = api.CompressionFormatUncompressed
	}
	if d.EncryptionConfiguration == nil {
		d.EncryptionConfiguration = &api.EncryptionConfiguration{NoEncryptionConfig: "NoEncryption"}
	}
	if d.S3BackupMode == "" {
		d.S3BackupMode = "Disabled"
	}
	return &d
}

// checkDestination checks a destination, and that its caller may pass its role.
func (s *Service) checkDestination(ctx context.Context, d *api.ExtendedS3DestinationConfiguration) error {
	if a, err := arn.Parse(d.BucketARN); err != nil || a.Service != "s3" || a.Resource == "" {
		return invalid("BucketARN %s is not the ARN of a bucket.", d.BucketARN)
	}
	if f := d.DataFormatConversionConfiguration; f != nil && (f.Enabled == nil || *f.Enabled) {
		return service.Unsupported(codeInvalid, "CreateDeliveryStream", "DataFormatConversionConfiguration")
	}
	if d.S3BackupMode == "Enabled" && d.S3BackupConfiguration == nil {
		return invalid("S3BackupConfiguration is required when S3BackupMode is Enabled.")
	}
	if _, err := zoneOf(d); err != nil {
		return invalid("CustomTimeZone %s is not known.", *d.CustomTimeZone)
	}
	work, err := newWork(d.ProcessingConfiguration, d.RoleARN)
	if err != nil {
		return err
	}
	if err := checkPrefixes(d, work); err != nil {
		return err
	}
	if s.roles == nil {
		return nil
	}
	return s.roles.CheckPassRole(ctx, d.RoleARN, principal)
}

// checkDestinations checks where a stream delivers to, and that its caller may pass the roles.
func (s *Service) checkDestinations(ctx context.Context, r *streamRecord) error {
	if r.Endpoint != nil {
		if err := s.checkEndpoint(ctx, r.Endpoint); err != nil {
			return err
		}
	}
	return s.checkDestination(ctx, r.Bucket)
}

// partitioned tells whether the records of a destination are partitioned by what they hold.
func partitioned(d *api.ExtendedS3DestinationConfiguration) bool {
	p := d.DynamicPartitioningConfiguration
	return p != nil && p.Enabled != nil && *p.Enabled
}

// zoneOf returns the time zone of a destination's prefixes.
func zoneOf(d *api.ExtendedS3DestinationConfiguration) (*time.Location, error) {
	if d.CustomTimeZone == nil || *d.CustomTimeZone == "" {
		return time.UTC, nil
	}
	return time.LoadLocation(*d.CustomTimeZone)
}

func bucketOf(bucketARN string) string { return bucketARN[strings.LastIndexByte(bucketARN, ':')+1:] }

// destination is how answers show the destination of a stream: as both kinds of it.
func (st *stream) destination() api.DestinationDescription {
	d := st.Bucket
	plain := &api.S3DestinationDescription{
		RoleARN: d.RoleARN, BucketARN: d.BucketARN, Prefix: d.Prefix, ErrorOutputPrefix: d.ErrorOutputPrefix, BufferingHints: d.BufferingHints,
		CompressionFormat: d.CompressionFormat, EncryptionConfiguration: d.EncryptionConfiguration, CloudWatchLoggingOptions: d.CloudWatchLoggingOptions,
	}
	extended := &api.ExtendedS3DestinationDescription{
		RoleARN: d.RoleARN, BucketARN: d.BucketARN, Prefix: d.Prefix, ErrorOutputPrefix: d.ErrorOutputPrefix, BufferingHints: d.BufferingHints,
		CompressionFormat: d.CompressionFormat, EncryptionConfiguration: d.EncryptionConfiguration, CloudWatchLoggingOptions: d.CloudWatchLoggingOptions,
		ProcessingConfiguration: d.ProcessingConfiguration, S3BackupMode: d.S3BackupMode, DataFormatConversionConfiguration: d.DataFormatConversionConfiguration,
		DynamicPartitioningConfiguration: d.DynamicPartitioningConfiguration, FileExtension: d.FileExtension, CustomTimeZone: d.CustomTimeZone,
	}
	if b := d.S3BackupConfiguration; b != nil {
		extended.S3BackupDescription = &api.S3DestinationDescription{
			RoleARN: b.RoleARN, BucketARN: b.BucketARN, Prefix: b.Prefix, ErrorOutputPrefix: b.ErrorOutputPrefix, BufferingHints: b.BufferingHints,
			CompressionFormat: b.CompressionFormat, EncryptionConfiguration: b.EncryptionConfiguration, CloudWatchLoggingOptions: b.CloudWatchLoggingOptions,
		}
	}
	if st.Endpoint != nil {
		return api.DestinationDescription{DestinationId: destinationID, HttpEndpointDestinationDescription: describeEndpoint(st.Endpoint, plain)}
	}
	return api.DestinationDescription{DestinationId: destinationID, S3DestinationDescription: plain, ExtendedS3DestinationDescription: extended}
}

func (s *Service) updateDestination(ctx context.Context, in *api.UpdateDestinationInput) (*api.UpdateDestinationOutput, error) {
	for name, asked := range map[string]bool{
		"RedshiftDestinationUpdate": in.RedshiftDestinationUpdate != nil, "ElasticsearchDestinationUpdate": in.ElasticsearchDestinationUpdate != nil,
		"AmazonopensearchserviceDestinationUpdate": in.AmazonopensearchserviceDestinationUpdate != nil, "SplunkDestinationUpdate": in.SplunkDestinationUpdate != nil,
		"SnowflakeDestinationUpdate":                  in.SnowflakeDestinationUpdate != nil,
		"AmazonOpenSearchServerlessDestinationUpdate": in.AmazonOpenSearchServerlessDestinationUpdate != nil, "IcebergDestinationUpdate": in.IcebergDestinationUpdate != nil,
	} {
		if asked {
			return nil, service.Unsupported(codeInvalid, "UpdateDestination", name)
		}
	}
	if in.DestinationId != destinationID {
		return nil, invalid("Destination id %s was not found.", in.DestinationId)
	}
	st, err := s.known(ctx, placeOf(ctx), in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	updated := *st
	if err := updated.redirect(in); err != nil {
		return nil, err
	}
	if err := s.checkDestinations(ctx, &updated.streamRecord); err != nil {
		return nil, err
	}
	if err := s.hide(ctx, &updated); err != nil {
		return nil, err
	}
	return &api.UpdateDestinationOutput{}, s.change(ctx, in.DeliveryStreamName, func(st *stream) error {
		switch {
		case strconv.Itoa(st.Version) != in.CurrentDeliveryStreamVersionId:
			return service.Errorf(codeConcurrent, "Cannot update firehose: %s since the current version id: %d and specified version id: %s do not match", st.Name, st.Version, in.CurrentDeliveryStreamVersionId)
		case partitioned(updated.Bucket) != partitioned(st.Bucket):
			return invalid("Dynamic partitioning can only be enabled or disabled when a Firehose is created.")
		}
		st.Bucket, st.Endpoint, st.AccessKey, st.Updated = updated.Bucket, updated.Endpoint, updated.AccessKey, s.clock.Now().UTC()
		st.Version++
		return nil
	})
}

// redirect changes where a stream delivers to. What an update does not mention stays if the kind of destination does.
func (r *streamRecord) redirect(in *api.UpdateDestinationInput) (err error) {
	asked := 0
	for _, is := range []bool{in.S3DestinationUpdate != nil, in.ExtendedS3DestinationUpdate != nil, in.HttpEndpointDestinationUpdate != nil} {
		if is {
			asked++
		}
	}
	switch {
	case asked != 1:
		return invalid("Exactly one destination update is supported for a Firehose.")
	case in.HttpEndpointDestinationUpdate != nil:
		r.Endpoint, r.Bucket, err = mergeEndpoint(r.Endpoint, r.Bucket, in.HttpEndpointDestinationUpdate)
		return err
	case r.Endpoint != nil:
		r.Endpoint, r.Bucket = nil, &api.ExtendedS3DestinationConfiguration{}
	}
	r.Bucket, err = merge(r.Bucket, in)
	return err
}

// merge returns a destination with what an update says of it: members that it does not have stay. The update has the members of the destination but for the
// name of the backup.
func merge(old *api.ExtendedS3DestinationConfiguration, in *api.UpdateDestinationInput) (*api.ExtendedS3DestinationConfiguration, error) {
	var update any = in.S3DestinationUpdate
	var out api.ExtendedS3DestinationConfiguration
	if err := overlay(&out, old); err != nil { // what it points to is shared
		return nil, err
	}
	if x := in.ExtendedS3DestinationUpdate; x != nil {
		update = x
		if b := x.S3BackupUpdate; b != nil {
			backup := api.S3DestinationConfiguration{}
			if out.S3BackupConfiguration != nil {
				backup = *out.S3BackupConfiguration
			}
			if err := overlay(&backup, b); err != nil {
				return nil, err
			}
			out.S3BackupConfiguration = &backup
		}
	}
	if err := overlay(&out, update); err != nil {
		return nil, err
	}
	return newDestination(nil, &out), nil
}

// overlay sets the members of to that from has.
func overlay(to, from any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	for name, v := range members {
		if string(v) == "null" || string(v) == `""` {
			delete(members, name)
		}
	}
	if b, err = json.Marshal(members); err != nil {
		return err
	}
	return json.Unmarshal(b, to)
}
