package s3

import (
	"context"
	"net/http"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// requesterPays is the payer of a bucket whose readers say with each request that they pay.
const requesterPays = "Requester"

func (s *Service) putBucketRequestPayment(ctx context.Context, in *api.PutBucketRequestPaymentInput) (*api.PutBucketRequestPaymentOutput, error) {
	c := in.RequestPaymentConfiguration
	if c == nil || c.Payer != requesterPays && c.Payer != "BucketOwner" {
		return nil, malformedXML()
	}
	err := s.changeBucket(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) { b.Payer = c.Payer })
	return answerOf(&api.PutBucketRequestPaymentOutput{}, err)
}

func (s *Service) getBucketRequestPayment(ctx context.Context, in *api.GetBucketRequestPaymentInput) (*api.GetBucketRequestPaymentOutput, error) {
	out := &api.GetBucketRequestPaymentOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		if out.Payer = b.Payer; out.Payer == "" {
			out.Payer = "BucketOwner"
		}
		return nil
	})
	return answerOf(out, err)
}

// checkPayer refuses callers of other accounts who do not say that they pay, where they must.
func (b *bucket) checkPayer(ctx context.Context) error {
	if b.Payer != requesterPays {
		return nil
	}
	caller := service.RequestFrom(ctx).Principal
	if caller.Account == b.Account || caller.Kind == service.ServicePrincipal || caller.Kind != service.Anonymous && header(ctx, "X-Amz-Request-Payer") == "requester" {
		return nil
	}
	return accessDenied("Access Denied: %s is a Requester Pays bucket. Send x-amz-request-payer: requester, with credentials.", b.Name)
}

func (s *Service) putBucketAccelerate(ctx context.Context, in *api.PutBucketAccelerateConfigurationInput) (*api.PutBucketAccelerateConfigurationOutput, error) {
	c := in.AccelerateConfiguration
	if slices.Contains([]byte(in.Bucket), '.') {
		return nil, invalidRequest("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
	}
	if c == nil || c.Status != versioningEnabled && c.Status != versioningSuspended {
		return nil, malformedXML()
	}
	err := s.changeBucket(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) { b.Accelerate = c.Status })
	return answerOf(&api.PutBucketAccelerateConfigurationOutput{}, err)
}

func (s *Service) getBucketAccelerate(ctx context.Context, in *api.GetBucketAccelerateConfigurationInput) (*api.GetBucketAccelerateConfigurationOutput, error) {
	out := &api.GetBucketAccelerateConfigurationOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		out.Status = b.Accelerate
		return nil
	})
	return answerOf(out, err)
}

// Limits of the configurations that a bucket has several of, by id: how many it has, and how many a page shows.
const (
	maxConfigurations  = 1000
	configurationsPage = 100
)

// The kinds of configurations that a bucket has several of. They are kept and shown; what they describe is not done here.
const (
	analyticsConf = "analytics"
	inventoryConf = "inventory"
	metricsConf   = "metrics"
	tieringConf   = "tiering"
)

func noSuchConfiguration() error {
	return fail("NoSuchConfiguration", http.StatusNotFound, "The specified configuration does not exist.")
}

// putConfiguration keeps a configuration of a kind under the id of the request, which must be that of its body.
func putConfiguration[T any](ctx context.Context, s *Service, bucketName string, owner *string, kind, id, inner string, v *T) error {
	if v == nil {
		return malformedXML()
	}
	switch {
	case id == inner:
	case kind == inventoryConf:
		return fail("IdMismatch", http.StatusBadRequest, "Document ID does not match the specified configuration ID.")
	default:
		return malformedXML()
	}
	return s.update(ctx, bucketName, owner, func(tx store.Txn, b *bucket) error {
		n := 0
		for row, err := range tx.Range(b.confKey(kind).Span()) {
			if err != nil {
				return err
			}
			if n++; string(row.Key) == string(b.confKey(kind).Str(id)) {
				n--
			}
		}
		if n >= maxConfigurations {
			return fail("TooManyConfigurations", http.StatusBadRequest, "You are attempting to create a new configuration but have already reached the 1,000-configuration limit.")
		}
		return record.Set(tx, b.confKey(kind).Str(id), *v)
	})
}

func getConfiguration[T any](ctx context.Context, s *Service, bucketName string, owner *string, kind, id string) (*T, error) {
	var v T
	err := s.view(ctx, bucketName, owner, func(r store.Reader, b *bucket) error {
		var ok bool
		var err error
		if v, ok, err = record.Get[T](r, b.confKey(kind).Str(id)); err == nil && !ok {
			return noSuchConfiguration()
		}
		return err
	})
	return answerOf(&v, err)
}

func (s *Service) deleteConfiguration(ctx context.Context, bucketName string, owner *string, kind, id string) error {
	return s.update(ctx, bucketName, owner, func(tx store.Txn, b *bucket) error {
		if ok, err := record.Has(tx, b.confKey(kind).Str(id)); err != nil || !ok {
			if err != nil {
				return err
			}
			return noSuchConfiguration()
		}
		tx.Delete(b.confKey(kind).Str(id))
		return nil
	})
}

// listConfigurations returns a page of configurations, and the token of the next one.
func listConfigurations[T any](ctx context.Context, s *Service, bucketName string, owner *string, kind string, token *string) (all []T, next *string, err error) {
	after, err := decodeToken(token)
	if err != nil {
		return nil, nil, err
	}
	err = s.view(ctx, bucketName, owner, func(r store.Reader, b *bucket) error {
		rows := b.confKey(kind).Span()
		if after != "" {
			rows.Lo = b.confKey(kind).Str(after).End()
		}
		last := ""
		for row, err := range record.Range[T](r, rows) {
			if err != nil {
				return err
			}
			if len(all) == configurationsPage {
				next = ptr(encodeToken(last))
				return nil
			}
			all = append(all, row.Value)
			last = key.Decode(row.Key).Skip(b.confKey(kind)).Str()
		}
		return nil
	})
	return all, next, err
}
