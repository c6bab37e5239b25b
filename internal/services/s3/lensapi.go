package s3

import (
	"context"
	"errors"
	"net/http"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// lensPlaceOf is the place that a request names: its account, in the region of the request.
func lensPlaceOf(ctx context.Context, account string) lensPlace {
	return lensPlace{account, service.RequestFrom(ctx).Region}
}

func (s *Service) putStorageLens(ctx context.Context, in *control.PutStorageLensConfigurationInput) (*control.PutStorageLensConfigurationOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	tags, err := lensTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p, c := lensPlaceOf(ctx, in.AccountId), *in.StorageLensConfiguration
	if err := checkLens(p, in.ConfigId, &c); err != nil {
		return nil, err
	}
	if d := lensDestination(&c); d != nil {
		if err := s.checkLensDestination(ctx, p, d); err != nil {
			return nil, err
		}
	}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		l, _, err := record.Get[lens](tx, p.lensKey(c.Id))
		if err != nil {
			return err
		}
		l.Configuration = c
		if len(tags) > 0 {
			l.Tags = tags
		}
		if err := p.queueLens(tx, &l, s.now().Truncate(day).Add(day)); err != nil {
			return err
		}
		return record.Set(tx, p.lensKey(c.Id), l)
	})
	return answerOf(&control.PutStorageLensConfigurationOutput{}, fromStore(wrap("put Storage Lens configuration", err)))
}

// checkLensDestination refuses a bucket that an export cannot go to, whatever its policy says.
func (s *Service) checkLensDestination(ctx context.Context, p lensPlace, d *control.S3BucketDestination) error {
	b, err := s.lookUp(ctx, lensBucket(d), &d.AccountId)
	switch {
	case service.Unless(err, "NoSuchBucket", "AccessDenied") != nil:
		return err
	case err != nil:
		return badLens("InvalidDestination", "The bucket %s does not exist in account %s. Create it first, or name its account.", d.Arn, d.AccountId)
	case b.Region != p.region:
		return badLens("InvalidDestination", "The bucket %s is in %s; an export goes to a bucket in the home region of the configuration, %s.", d.Arn, b.Region, p.region)
	}
	return nil
}

// lens returns a configuration that a request names.
func (s *Service) lens(ctx context.Context, account, id string) (p lensPlace, l lens, err error) {
	if err := checkAccount(ctx, account); err != nil {
		return p, l, err
	}
	p = lensPlaceOf(ctx, account)
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		l, err = findLens(r, p, id)
		return err
	})
	return p, l, fromStore(wrap("read Storage Lens configuration", err))
}

func (s *Service) getStorageLens(ctx context.Context, in *control.GetStorageLensConfigurationInput) (*control.GetStorageLensConfigurationOutput, error) {
	p, l, err := s.lens(ctx, in.AccountId, in.ConfigId)
	l.Configuration.StorageLensArn = ptr(p.lensARN(l.Configuration.Id))
	return answerOf(&control.GetStorageLensConfigurationOutput{StorageLensConfiguration: &l.Configuration}, err)
}

// lensPage lists records of a place, a page at a time.
func lensPage[T any](ctx context.Context, s *Service, account string, rows []byte, token *string, keep func(v T)) (*string, error) {
	if err := checkAccount(ctx, account); err != nil {
		return nil, err
	}
	next, err := record.PageRows(ctx, s.store, rows, record.Paging{Token: token, Limit: maxLensPage}, func(_ []byte, v T) bool { keep(v); return true })
	if errors.Is(err, record.ErrToken) {
		return nil, invalidArgument("The continuation token provided is incorrect")
	}
	return next, fromStore(wrap("list Storage Lens", err))
}

func (s *Service) listStorageLenses(ctx context.Context, in *control.ListStorageLensConfigurationsInput) (*control.ListStorageLensConfigurationsOutput, error) {
	p := lensPlaceOf(ctx, in.AccountId)
	out := &control.ListStorageLensConfigurationsOutput{StorageLensConfigurationList: []control.ListStorageLensConfigurationEntry{}}
	next, err := lensPage(ctx, s, in.AccountId, p.lensesKey(), in.NextToken, func(l lens) {
		out.StorageLensConfigurationList = append(out.StorageLensConfigurationList, control.ListStorageLensConfigurationEntry{
			Id: l.Configuration.Id, StorageLensArn: p.lensARN(l.Configuration.Id), HomeRegion: p.region, IsEnabled: &l.Configuration.IsEnabled,
		})
	})
	out.NextToken = next
	return answerOf(out, err)
}

func (s *Service) deleteStorageLens(ctx context.Context, in *control.DeleteStorageLensConfigurationInput) (*control.DeleteStorageLensConfigurationOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	p := lensPlaceOf(ctx, in.AccountId)
	err := s.store.Update(ctx, func(tx store.Txn) error {
		if _, err := findLens(tx, p, in.ConfigId); err != nil {
			return err
		}
		if in.ConfigId == defaultLens {
			return fail("DefaultConfigurationDeleteForbidden", http.StatusForbidden, "The default configuration %s cannot be deleted. Set IsEnabled to false to end its reports.", defaultLens)
		}
		tx.Delete(p.lensKey(in.ConfigId))
		return nil
	})
	return answerOf(&control.DeleteStorageLensConfigurationOutput{}, fromStore(wrap("delete Storage Lens configuration", err)))
}

// lensTags returns the tags of a request, checked.
func lensTags(shown []control.StorageLensTag) ([]tag, error) {
	tags := make([]tag, 0, len(shown))
	for _, t := range shown {
		tags = append(tags, tag(t))
	}
	return tags, checkTagSet(tags, maxBucketTags)
}

func (s *Service) getStorageLensTagging(ctx context.Context, in *control.GetStorageLensConfigurationTaggingInput) (*control.GetStorageLensConfigurationTaggingOutput, error) {
	_, l, err := s.lens(ctx, in.AccountId, in.ConfigId)
	out := &control.GetStorageLensConfigurationTaggingOutput{Tags: []control.StorageLensTag{}}
	for _, t := range l.Tags {
		out.Tags = append(out.Tags, control.StorageLensTag(t))
	}
	return answerOf(out, err)
}

func (s *Service) putStorageLensTagging(ctx context.Context, in *control.PutStorageLensConfigurationTaggingInput) (*control.PutStorageLensConfigurationTaggingOutput, error) {
	tags, err := lensTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return answerOf(&control.PutStorageLensConfigurationTaggingOutput{}, s.retagLens(ctx, in.AccountId, in.ConfigId, tags))
}

func (s *Service) deleteStorageLensTagging(ctx context.Context, in *control.DeleteStorageLensConfigurationTaggingInput) (*control.DeleteStorageLensConfigurationTaggingOutput, error) {
	return answerOf(&control.DeleteStorageLensConfigurationTaggingOutput{}, s.retagLens(ctx, in.AccountId, in.ConfigId, nil))
}

func (s *Service) retagLens(ctx context.Context, account, id string, tags []tag) error {
	if err := checkAccount(ctx, account); err != nil {
		return err
	}
	p := lensPlaceOf(ctx, account)
	return fromStore(wrap("tag Storage Lens configuration", s.store.Update(ctx, func(tx store.Txn) error {
		l, err := findLens(tx, p, id)
		if err != nil {
			return err
		}
		l.Tags = tags
		return record.Set(tx, p.lensKey(id), l)
	})))
}

func (s *Service) createLensGroup(ctx context.Context, in *control.CreateStorageLensGroupInput) (*control.CreateStorageLensGroupOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	tags, err := plainControlTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p, shown := lensPlaceOf(ctx, in.AccountId), in.StorageLensGroup
	if err := checkLensGroup(p, shown); err != nil {
		return nil, err
	}
	g := lensGroup{Name: shown.Name, Filter: *shown.Filter, Created: s.now().Truncate(time.Second), Tags: tags}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		all, err := record.List[lensGroup](tx, p.groupsKey().Span())
		if err != nil {
			return err
		}
		for _, other := range all {
			if other.Name == g.Name {
				return fail("ConfigurationAlreadyExists", http.StatusConflict, "The specified configuration already exists: the Storage Lens group %s.", g.Name)
			}
		}
		if len(all) >= maxLensGroups {
			return badLens("TooManyConfigurations", "You have attempted to create more Storage Lens group configurations than the %d allowed.", maxLensGroups)
		}
		return record.Set(tx, p.groupKey(g.Name), g)
	})
	return answerOf(&control.CreateStorageLensGroupOutput{}, fromStore(wrap("create Storage Lens group", err)))
}

func (s *Service) getLensGroup(ctx context.Context, in *control.GetStorageLensGroupInput) (*control.GetStorageLensGroupOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	p := lensPlaceOf(ctx, in.AccountId)
	var g lensGroup
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		g, err = findLensGroup(r, p, in.Name)
		return err
	})
	return answerOf(&control.GetStorageLensGroupOutput{StorageLensGroup: &control.StorageLensGroup{
		Name: g.Name, Filter: &g.Filter, StorageLensGroupArn: ptr(p.groupARN(g.Name)),
	}}, fromStore(wrap("read Storage Lens group", err)))
}

func (s *Service) listLensGroups(ctx context.Context, in *control.ListStorageLensGroupsInput) (*control.ListStorageLensGroupsOutput, error) {
	p := lensPlaceOf(ctx, in.AccountId)
	out := &control.ListStorageLensGroupsOutput{StorageLensGroupList: []control.ListStorageLensGroupEntry{}}
	next, err := lensPage(ctx, s, in.AccountId, p.groupsKey(), in.NextToken, func(g lensGroup) {
		out.StorageLensGroupList = append(out.StorageLensGroupList, control.ListStorageLensGroupEntry{Name: g.Name, StorageLensGroupArn: p.groupARN(g.Name), HomeRegion: p.region})
	})
	out.NextToken = next
	return answerOf(out, err)
}

func (s *Service) updateLensGroup(ctx context.Context, in *control.UpdateStorageLensGroupInput) (*control.UpdateStorageLensGroupOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	p := lensPlaceOf(ctx, in.AccountId)
	if in.StorageLensGroup.Name != in.Name {
		return nil, badLens("MismatchedName", "The name specified in the request, %s, doesn't match the Storage Lens group name, %s.", in.Name, in.StorageLensGroup.Name)
	}
	if err := checkLensGroup(p, in.StorageLensGroup); err != nil {
		return nil, err
	}
	err := s.changeLensGroup(ctx, p, in.Name, func(tx store.Txn, g lensGroup) error {
		g.Filter = *in.StorageLensGroup.Filter
		return record.Set(tx, p.groupKey(g.Name), g)
	})
	return answerOf(&control.UpdateStorageLensGroupOutput{}, err)
}

func (s *Service) deleteLensGroup(ctx context.Context, in *control.DeleteStorageLensGroupInput) (*control.DeleteStorageLensGroupOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	p := lensPlaceOf(ctx, in.AccountId)
	err := s.changeLensGroup(ctx, p, in.Name, func(tx store.Txn, g lensGroup) error {
		tx.Delete(p.groupKey(g.Name))
		return nil
	})
	return answerOf(&control.DeleteStorageLensGroupOutput{}, err)
}

func (s *Service) changeLensGroup(ctx context.Context, p lensPlace, name string, change func(tx store.Txn, g lensGroup) error) error {
	return fromStore(wrap("change Storage Lens group", s.store.Update(ctx, func(tx store.Txn) error {
		g, err := findLensGroup(tx, p, name)
		if err != nil {
			return err
		}
		return change(tx, g)
	})))
}
