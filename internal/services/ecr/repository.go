package ecr

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ecr"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// repositoryRecord is a repository.
type repositoryRecord struct {
	Name       string
	Created    time.Time
	Mutability string                                  `json:",omitempty"`
	Exclusions []api.ImageTagMutabilityExclusionFilter `json:",omitempty"`
	ScanOnPush bool                                    `json:",omitempty"`
	Encryption string                                  `json:",omitempty"`
	KMSKey     *string                                 `json:",omitempty"`
	// Policy is the repository policy, and Lifecycle the lifecycle policy.
	Policy    string            `json:",omitempty"`
	Lifecycle string            `json:",omitempty"`
	Tags      map[string]string `json:",omitempty"`
}

// mutable is how tags behave that nobody said anything about.
const mutable = "MUTABLE"

// Mutabilities (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageTagMutability.html); those that except tags need filters, the others have none.
var mutabilities = []string{mutable, "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"}

// repositoryName is the form of a name, of 2 to 256 characters.
var repositoryName = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

func (r repositoryRecord) shape(p place) api.Repository {
	return api.Repository{
		RegistryId: &p.account, RepositoryArn: new(p.arn(r.Name)), RepositoryName: &r.Name, RepositoryUri: new(p.uri(r.Name)), CreatedAt: &r.Created,
		ImageTagMutability: r.Mutability, ImageTagMutabilityExclusionFilters: r.Exclusions,
		ImageScanningConfiguration: &api.ImageScanningConfiguration{ScanOnPush: &r.ScanOnPush},
		EncryptionConfiguration:    &api.EncryptionConfiguration{EncryptionType: r.Encryption, KmsKey: r.KMSKey},
	}
}

func (s *Service) createRepository(ctx context.Context, in *api.CreateRepositoryInput) (*api.CreateRepositoryOutput, error) {
	p := registry(ctx, in.RegistryId)
	r := repositoryRecord{Name: in.RepositoryName, Created: s.now(), Tags: tagMap(in.Tags), Encryption: "AES256"}
	switch {
	case len(r.Name) < 2 || len(r.Name) > 256 || !repositoryName.MatchString(r.Name):
		return nil, invalid("'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '%s''", repositoryName)
	case p != placeOf(ctx):
		return nil, invalid("'registryId' failed to satisfy constraint: 'must be the caller's own registry'")
	case len(r.Tags) > maxTags:
		return nil, tooManyTags(r.Name)
	}
	if err := r.setMutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
		return nil, err
	}
	if in.ImageScanningConfiguration != nil {
		r.ScanOnPush = opt.Value(in.ImageScanningConfiguration.ScanOnPush)
	}
	if e := in.EncryptionConfiguration; e != nil {
		if e.EncryptionType == "AES256" && e.KmsKey != nil {
			return nil, invalid("'encryptionConfiguration' failed to satisfy constraint: 'a KMS key needs the encryption type KMS'")
		}
		r.Encryption, r.KMSKey = e.EncryptionType, e.KmsKey
	}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		there, err := record.Has(tx, p.repository(r.Name))
		if err == nil && there {
			err = refuse(codeExists, "The repository with name '%s' already exists in the registry with id '%s'", r.Name, p.account)
		}
		if err != nil {
			return err
		}
		return record.Set(tx, p.repository(r.Name), r)
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &api.CreateRepositoryOutput{Repository: new(r.shape(p))}, nil
}

// setMutability says whether tags of images may be moved, and which tags are excepted.
func (r *repositoryRecord) setMutability(m string, except []api.ImageTagMutabilityExclusionFilter) error {
	if m == "" {
		m = mutable
	}
	i := slices.Index(mutabilities, m)
	if i < 0 {
		return invalid("'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: %v'", mutabilities)
	}
	if i < 2 != (len(except) == 0) {
		return invalid("'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'filters go with the settings that end with _WITH_EXCLUSION, and only with those'")
	}
	if len(except) > 5 {
		return invalid("'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'Member must have length less than or equal to 5'")
	}
	r.Mutability, r.Exclusions = m, except
	return nil
}

// deleteRepository deletes a repository. None holds images, so that none needs to be forced.
func (s *Service) deleteRepository(ctx context.Context, in *api.DeleteRepositoryInput) (*api.DeleteRepositoryOutput, error) {
	p := registry(ctx, in.RegistryId)
	var r repositoryRecord
	err := s.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		if r, err = read(tx, p, in.RepositoryName); err != nil {
			return err
		}
		tx.Delete(p.repository(in.RepositoryName))
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &api.DeleteRepositoryOutput{Repository: new(r.shape(p))}, nil
}

func (s *Service) describeRepositories(ctx context.Context, in *api.DescribeRepositoriesInput) (*api.DescribeRepositoriesOutput, error) {
	p := registry(ctx, in.RegistryId)
	out := &api.DescribeRepositoriesOutput{Repositories: []api.Repository{}}
	if len(in.RepositoryNames) > 0 {
		if in.NextToken != nil || in.MaxResults != nil {
			return nil, invalid("'repositoryNames' failed to satisfy constraint: 'a list of names has no pages'")
		}
		err := s.deps.Store.View(ctx, func(rd store.Reader) error {
			for _, name := range in.RepositoryNames {
				r, err := read(rd, p, name)
				if err != nil {
					return err
				}
				out.Repositories = append(out.Repositories, r.shape(p))
			}
			return nil
		})
		return out, storeError(err)
	}
	size := 100
	if in.MaxResults != nil {
		if size = int(*in.MaxResults); size < 1 || size > 1000 {
			return nil, invalid("'maxResults' failed to satisfy constraint: 'must be between 1 and 1000'")
		}
	}
	next, err := record.Page(ctx, s.deps.Store, p.repositories(), record.Paging{Token: in.NextToken, Limit: size}, func(_ string, r repositoryRecord) bool {
		out.Repositories = append(out.Repositories, r.shape(p))
		return true
	})
	if errors.Is(err, record.ErrToken) {
		return nil, invalid("'nextToken' failed to satisfy constraint: 'is not a token of this call'")
	}
	out.NextToken = next
	return out, storeError(err)
}

func (s *Service) putImageTagMutability(ctx context.Context, in *api.PutImageTagMutabilityInput) (*api.PutImageTagMutabilityOutput, error) {
	p := registry(ctx, in.RegistryId)
	r, err := s.change(ctx, p, in.RepositoryName, func(r *repositoryRecord) error {
		return r.setMutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	})
	return &api.PutImageTagMutabilityOutput{
		RegistryId: &p.account, RepositoryName: &r.Name, ImageTagMutability: r.Mutability, ImageTagMutabilityExclusionFilters: r.Exclusions,
	}, err
}

func (s *Service) putImageScanningConfiguration(ctx context.Context, in *api.PutImageScanningConfigurationInput) (*api.PutImageScanningConfigurationOutput, error) {
	p := registry(ctx, in.RegistryId)
	r, err := s.change(ctx, p, in.RepositoryName, func(r *repositoryRecord) error {
		r.ScanOnPush = opt.Value(in.ImageScanningConfiguration.ScanOnPush)
		return nil
	})
	return &api.PutImageScanningConfigurationOutput{
		RegistryId: &p.account, RepositoryName: &r.Name, ImageScanningConfiguration: &api.ImageScanningConfiguration{ScanOnPush: &r.ScanOnPush},
	}, err
}
