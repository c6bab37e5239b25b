package ecr

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ecr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Service is Amazon Elastic Container Registry. Make one with [New].
type Service struct{ deps service.Deps }

// New returns the service.
func New(d service.Deps) service.Service {
	s := &Service{deps: d}
	return service.Service{API: api.API, Operations: s.handlers().Bindings(), Access: s.access(), Resources: s.resources()}
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		BatchDeleteImage:              s.batchDeleteImage,
		BatchGetImage:                 s.batchGetImage,
		CreateRepository:              s.createRepository,
		DeleteLifecyclePolicy:         s.deleteLifecyclePolicy,
		DeleteRepository:              s.deleteRepository,
		DeleteRepositoryPolicy:        s.deleteRepositoryPolicy,
		DescribeImages:                s.describeImages,
		DescribeRepositories:          s.describeRepositories,
		GetLifecyclePolicy:            s.getLifecyclePolicy,
		GetRepositoryPolicy:           s.getRepositoryPolicy,
		ListImages:                    s.listImages,
		ListTagsForResource:           s.listTagsForResource,
		PutImageScanningConfiguration: s.putImageScanningConfiguration,
		PutImageTagMutability:         s.putImageTagMutability,
		PutLifecyclePolicy:            s.putLifecyclePolicy,
		SetRepositoryPolicy:           s.setRepositoryPolicy,
		TagResource:                   s.tagResource,
		UntagResource:                 s.untagResource,
	}
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC().Truncate(time.Millisecond) }

// view returns a repository.
func (s *Service) view(ctx context.Context, id *string, name string) (place, repositoryRecord, error) {
	p := registry(ctx, id)
	var r repositoryRecord
	err := s.deps.Store.View(ctx, func(rd store.Reader) (err error) {
		r, err = read(rd, p, name)
		return err
	})
	return p, r, storeError(err)
}

// change runs fn on a repository and stores it.
func (s *Service) change(ctx context.Context, p place, name string, fn func(r *repositoryRecord) error) (r repositoryRecord, err error) {
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if r, err = read(tx, p, name); err != nil {
			return err
		}
		if err := fn(&r); err != nil {
			return err
		}
		return record.Set(tx, p.repository(name), r)
	})
	return r, storeError(err)
}

func read(r store.Reader, p place, name string) (repositoryRecord, error) {
	v, ok, err := record.Get[repositoryRecord](r, p.repository(name))
	if err == nil && !ok {
		err = noRepository(p, name)
	}
	return v, err
}
