package codedeploy

import (
	"context"
	"errors"
	"time"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// pageSize is how many names a list gives at once.
const pageSize = 100

// applicationRecord is an application.
type applicationRecord struct {
	ID, Name string
	Created  time.Time
	Tags     map[string]string `json:",omitempty"`
}

func (a *applicationRecord) info() *api.ApplicationInfo {
	return &api.ApplicationInfo{
		ApplicationId: &a.ID, ApplicationName: &a.Name, CreateTime: &a.Created, LinkedToGitHub: new(false), ComputePlatform: api.ComputePlatformLambda,
	}
}

func application(r store.Reader, p place, name string) (applicationRecord, error) {
	a, there, err := record.Get[applicationRecord](r, p.application(name))
	if err == nil && !there {
		err = noApplication(name)
	}
	return a, err
}

func (s *Service) viewApplication(ctx context.Context, name string) (a applicationRecord, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		a, err = application(r, placeOf(ctx), name)
		return err
	})
	return a, storeError(err)
}

// onlyLambda refuses the platforms that are not here.
func onlyLambda(platform string) error {
	if platform == api.ComputePlatformLambda {
		return nil
	}
	if platform == "" {
		platform = api.ComputePlatformServer
	}
	return unsupported("the compute platform "+platform, "Set computePlatform to Lambda.")
}

func (s *Service) createApplication(ctx context.Context, in *api.CreateApplicationInput) (*api.CreateApplicationOutput, error) {
	if err := onlyLambda(in.ComputePlatform); err != nil {
		return nil, err
	}
	tags, err := tagsOf(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	p, a := placeOf(ctx), applicationRecord{ID: id, Name: in.ApplicationName, Created: s.now(), Tags: tags}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, p.application(a.Name)); err != nil || there {
			if err == nil {
				err = fault("ApplicationAlreadyExistsException", "Application already exists: %s", a.Name)
			}
			return err
		}
		return record.Set(tx, p.application(a.Name), a)
	})
	return &api.CreateApplicationOutput{ApplicationId: &a.ID}, storeError(err)
}

func (s *Service) getApplication(ctx context.Context, in *api.GetApplicationInput) (*api.GetApplicationOutput, error) {
	a, err := s.viewApplication(ctx, in.ApplicationName)
	return &api.GetApplicationOutput{Application: a.info()}, err
}

func (s *Service) batchGetApplications(ctx context.Context, in *api.BatchGetApplicationsInput) (*api.BatchGetApplicationsOutput, error) {
	out := &api.BatchGetApplicationsOutput{ApplicationsInfo: []api.ApplicationInfo{}}
	for _, name := range in.ApplicationNames {
		a, err := s.viewApplication(ctx, name)
		if err != nil {
			return nil, err
		}
		out.ApplicationsInfo = append(out.ApplicationsInfo, *a.info())
	}
	return out, nil
}

func (s *Service) listApplications(ctx context.Context, in *api.ListApplicationsInput) (*api.ListApplicationsOutput, error) {
	out := &api.ListApplicationsOutput{Applications: []string{}}
	var err error
	out.NextToken, err = names[applicationRecord](ctx, s, placeOf(ctx).applications(), in.NextToken, &out.Applications)
	return out, err
}

// names adds the names of the records under a prefix to a list, and returns the token of the next page.
func names[T any](ctx context.Context, s *Service, prefix key.Key, token *string, to *[]string) (*string, error) {
	next, err := record.Page(ctx, s.deps.Store, prefix, record.Paging{Token: token, Limit: pageSize}, func(name string, _ T) bool {
		*to = append(*to, name)
		return true
	})
	if errors.Is(err, record.ErrToken) {
		return nil, fault("InvalidNextTokenException", "The next token is not valid: %s", opt.Value(token))
	}
	return next, storeError(err)
}

// deleteApplication deletes an application with its deployment groups. One that is not there is no error.
func (s *Service) deleteApplication(ctx context.Context, in *api.DeleteApplicationInput) (*api.DeleteApplicationOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(p.application(in.ApplicationName))
		span := p.groups(in.ApplicationName).Span()
		tx.DeleteRange(span.Lo, span.Hi)
		return nil
	})
	return &api.DeleteApplicationOutput{}, storeError(err)
}
