package s3

import (
	"context"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// lensTarget is a configuration, or a group where group is set, with its tags as condition keys and those that a request sets.
func (s *Service) lensTarget(ctx context.Context, p lensPlace, id string, group bool, set []control.Tag) (service.Target, error) {
	t := service.Target{ARN: p.lensARN(id)}
	if group {
		t.ARN = p.groupARN(id)
	}
	var own []tag
	err := s.store.View(ctx, func(r store.Reader) error {
		if group {
			g, err := findLensGroup(r, p, id)
			own = g.Tags
			return err
		}
		l, err := findLens(r, p, id)
		own = l.Tags
		return err
	})
	for _, o := range own {
		t.Condition = with(t.Condition, "aws:ResourceTag/"+o.Key, o.Value)
	}
	return requesting(t, nil, set), fromStore(service.Unless(err, "NoSuchConfiguration"))
}

// onLens is the rule of an operation on a configuration, which id names.
func onLens[In any](s *Service, action string, id func(in In) (account, id string, set []control.StorageLensTag)) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		account, name, tags := id(in)
		set := make([]control.Tag, 0, len(tags))
		for _, t := range tags {
			set = append(set, control.Tag(t))
		}
		t, err := s.lensTarget(ctx, lensPlaceOf(ctx, account), name, false, set)
		return []service.Target{t}, err
	})
}

// onLensGroup is the rule of an operation on a group. One that sets tags needs s3:TagResource as well.
func onLensGroup[In any](s *Service, action string, id func(in In) (account, name string, set []control.Tag)) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		account, name, set := id(in)
		t, err := s.lensTarget(ctx, lensPlaceOf(ctx, account), name, true, set)
		targets := []service.Target{t}
		if len(set) > 0 {
			t.Action = "s3:TagResource"
			targets = append(targets, t)
		}
		return targets, err
	})
}

// lensAccess lists what the operations of Storage Lens need:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage_lens_iam_permissions.html.
func (s *Service) lensAccess() map[string]service.Access {
	return map[string]service.Access{
		"PutStorageLensConfiguration": onLens(s, "s3:PutStorageLensConfiguration", func(in *control.PutStorageLensConfigurationInput) (string, string, []control.StorageLensTag) {
			return in.AccountId, in.ConfigId, in.Tags
		}),
		"GetStorageLensConfiguration": onLens(s, "s3:GetStorageLensConfiguration", func(in *control.GetStorageLensConfigurationInput) (string, string, []control.StorageLensTag) {
			return in.AccountId, in.ConfigId, nil
		}),
		"DeleteStorageLensConfiguration": onLens(s, "s3:DeleteStorageLensConfiguration", func(in *control.DeleteStorageLensConfigurationInput) (string, string, []control.StorageLensTag) {
			return in.AccountId, in.ConfigId, nil
		}),
		"GetStorageLensConfigurationTagging": onLens(s, "s3:GetStorageLensConfigurationTagging", func(in *control.GetStorageLensConfigurationTaggingInput) (string, string, []control.StorageLensTag) {
			return in.AccountId, in.ConfigId, nil
		}),
		"PutStorageLensConfigurationTagging": onLens(s, "s3:PutStorageLensConfigurationTagging", func(in *control.PutStorageLensConfigurationTaggingInput) (string, string, []control.StorageLensTag) {
			return in.AccountId, in.ConfigId, in.Tags
		}),
		"DeleteStorageLensConfigurationTagging": onLens(s, "s3:DeleteStorageLensConfigurationTagging", func(in *control.DeleteStorageLensConfigurationTaggingInput) (string, string, []control.StorageLensTag) {
			return in.AccountId, in.ConfigId, nil
		}),
		"ListStorageLensConfigurations": service.OnAny("s3:ListStorageLensConfigurations"),
		"CreateStorageLensGroup": onLensGroup(s, "s3:CreateStorageLensGroup", func(in *control.CreateStorageLensGroupInput) (string, string, []control.Tag) {
			return in.AccountId, in.StorageLensGroup.Name, in.Tags
		}),
		"GetStorageLensGroup": onLensGroup(s, "s3:GetStorageLensGroup", func(in *control.GetStorageLensGroupInput) (string, string, []control.Tag) {
			return in.AccountId, in.Name, nil
		}),
		"UpdateStorageLensGroup": onLensGroup(s, "s3:UpdateStorageLensGroup", func(in *control.UpdateStorageLensGroupInput) (string, string, []control.Tag) {
			return in.AccountId, in.Name, nil
		}),
		"DeleteStorageLensGroup": onLensGroup(s, "s3:DeleteStorageLensGroup", func(in *control.DeleteStorageLensGroupInput) (string, string, []control.Tag) {
			return in.AccountId, in.Name, nil
		}),
		"ListStorageLensGroups": service.OnAny("s3:ListStorageLensGroups"),
	}
}
