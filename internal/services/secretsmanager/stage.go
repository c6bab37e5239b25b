package secretsmanager

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (s *Service) updateSecretVersionStage(ctx context.Context, in *api.UpdateSecretVersionStageInput) (*api.UpdateSecretVersionStageOutput, error) {
	f, err := s.change(ctx, in.SecretId, func(_ store.Txn, f *found) error {
		if err := f.changeable(); err != nil {
			return err
		}
		f.Changed = s.now()
		return f.restage(in.VersionStage, in.RemoveFromVersionId, in.MoveToVersionId)
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateSecretVersionStageOutput{ARN: new(f.arn()), Name: &f.Name}, nil
}

// restage moves a stage from one version to another; nil is nowhere.
func (f *found) restage(stage string, from, to *string) error {
	for _, id := range []*string{from, to} {
		if id != nil && !slices.Contains(f.Order, *id) {
			return noValue("VersionId: " + *id)
		}
	}
	holder, held := f.Stages[stage]
	switch {
	case from == nil && to == nil:
		return badParameter("You must specify RemoveFromVersionId, MoveToVersionId or both.")
	case from != nil && holder != *from:
		return badParameter("The parameter RemoveFromVersionId is not valid. The staging label %s is not attached to version %s.", stage, *from)
	case to != nil && held && holder != *to && from == nil:
		return badParameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", stage, holder)
	case to == nil && stage == stageCurrent:
		return badParameter("You can only move staging label %s to a different secret version. It can't be completely removed.", stageCurrent)
	case to == nil:
		delete(f.Stages, stage)
	default:
		f.move(stage, *to)
	}
	return nil
}

func (s *Service) listSecretVersionIds(ctx context.Context, in *api.ListSecretVersionIdsInput) (*api.ListSecretVersionIdsOutput, error) { //nolint:revive // the operation's name
	f, err := s.find(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	var all []api.SecretVersionsListEntry
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		for _, id := range f.Order {
			stages := f.stagesOf(id)
			if len(stages) == 0 && !opt.Value(in.IncludeDeprecated) {
				continue
			}
			v, there, err := record.Get[versionRecord](r, f.version(f.Name, id))
			if err != nil {
				return err
			}
			if !there {
				continue
			}
			e := api.SecretVersionsListEntry{VersionId: &id, VersionStages: stages, CreatedDate: &v.Created, LastAccessedDate: timeOf(v.Accessed), KmsKeyIds: []string{v.Key}}
			if v.Default || v.Key == "" {
				e.KmsKeyIds = []string{"DefaultEncryptionKey"}
			}
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	part, next, err := slice(all, in.MaxResults, in.NextToken, func(e api.SecretVersionsListEntry) string { return *e.VersionId })
	return &api.ListSecretVersionIdsOutput{ARN: new(f.arn()), Name: &f.Name, Versions: part, NextToken: next}, err
}

const usualPage = 100

// slice returns a page of a list that is in memory whole; a token is the name of the last element before it.
func slice[T any](all []T, limit *int32, token *string, name func(v T) string) (part []T, next *string, err error) {
	n := usualPage
	if limit != nil {
		n = int(*limit)
	}
	start := 0
	if token != nil {
		i := slices.IndexFunc(all, func(v T) bool { return name(v) == *token })
		if i < 0 {
			return nil, nil, refused(codeToken, "Invalid pagination token.")
		}
		start = i + 1
	}
	end := min(start+n, len(all))
	part = append([]T{}, all[start:end]...)
	if end < len(all) && end > start {
		next = new(name(all[end-1]))
	}
	return part, next, nil
}
