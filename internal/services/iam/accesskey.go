package iam

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// accessKey is the record of a long-term access key.
type accessKey struct {
	ID, Account, User string
	Created           time.Time
	Status            string
	// Secret is sealed under the master key for the purpose that secretPurpose names.
	Secret []byte
}

func secretPurpose(id string) string { return "secret of access key " + id }

func (s *IAM) createAccessKey(ctx context.Context, in *api.CreateAccessKeyInput) (*api.CreateAccessKeyOutput, error) {
	name, err := callerName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	k := accessKey{Account: account(ctx), User: name, Created: s.now(), Status: api.StatusTypeActive}
	if k.ID, err = token.NewAccessKeyID(token.PrefixAccessKey, k.Account, s.deps.Random); err != nil {
		return nil, fmt.Errorf("make an access key id: %w", err)
	}
	secret, err := token.NewSecret(s.deps.Random)
	if err != nil {
		return nil, fmt.Errorf("make a secret: %w", err)
	}
	if k.Secret, err = s.ring.Seal(secretPurpose(k.ID), []byte(secret)); err != nil {
		return nil, fmt.Errorf("seal a secret: %w", err)
	}
	err = s.change(ctx, user, name, func(tx store.Txn, e *entity) error {
		if len(e.Keys) >= keyQuota {
			return limit("Cannot exceed quota for AccessKeysPerUser: %d", keyQuota)
		}
		e.Keys = append(e.Keys, k.ID)
		k.User = e.Name
		return record.Set(tx, accessKeyKey(k.ID), k)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateAccessKeyOutput{AccessKey: &api.AccessKey{UserName: k.User, AccessKeyId: k.ID, Status: k.Status, SecretAccessKey: secret, CreateDate: &k.Created}}, nil
}

func noKey(id string) error {
	return fail("NoSuchEntity", 404, "The Access Key with id %s cannot be found.", id)
}

// changeKey changes and writes an access key.
func changeKey(tx store.Txn, id string, fn func(k *accessKey)) error {
	k, ok, err := record.Get[accessKey](tx, accessKeyKey(id))
	if err != nil {
		return err
	}
	if !ok {
		return noKey(id)
	}
	fn(&k)
	return record.Set(tx, accessKeyKey(id), k)
}

func (s *IAM) updateAccessKey(ctx context.Context, in *api.UpdateAccessKeyInput) (*api.UpdateAccessKeyOutput, error) {
	name, err := callerName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	if in.Status != api.StatusTypeActive && in.Status != api.StatusTypeInactive {
		return nil, fail("ValidationError", 400, "The status of an access key is Active or Inactive, not %q.", in.Status)
	}
	return &api.UpdateAccessKeyOutput{}, s.update(ctx, func(tx store.Txn) error {
		e, err := find(tx, account(ctx), user, name)
		if err != nil {
			return err
		}
		if !slices.Contains(e.Keys, in.AccessKeyId) {
			return noKey(in.AccessKeyId)
		}
		return changeKey(tx, in.AccessKeyId, func(k *accessKey) { k.Status = in.Status })
	})
}

func (s *IAM) deleteAccessKey(ctx context.Context, in *api.DeleteAccessKeyInput) (*api.DeleteAccessKeyOutput, error) {
	name, err := callerName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &api.DeleteAccessKeyOutput{}, s.change(ctx, user, name, func(tx store.Txn, e *entity) error {
		i := slices.Index(e.Keys, in.AccessKeyId)
		if i < 0 {
			return noKey(in.AccessKeyId)
		}
		e.Keys = slices.Delete(e.Keys, i, i+1)
		tx.Delete(accessKeyKey(in.AccessKeyId))
		return nil
	})
}

func (s *IAM) listAccessKeys(ctx context.Context, in *api.ListAccessKeysInput) (*api.ListAccessKeysOutput, error) {
	name, err := callerName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &api.ListAccessKeysOutput{IsTruncated: ptr(false)}
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		e, err := find(r, account(ctx), user, name)
		if err != nil {
			return err
		}
		for _, id := range e.Keys {
			k, ok, err := record.Get[accessKey](r, accessKeyKey(id))
			if err != nil {
				return err
			}
			if ok {
				out.AccessKeyMetadata = append(out.AccessKeyMetadata, api.AccessKeyMetadata{UserName: &e.Name, AccessKeyId: &k.ID, Status: k.Status, CreateDate: &k.Created})
			}
		}
		return nil
	})
	return out, err
}
