package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// kind is what an entity is, as keys and ARNs name it.
type kind string

const (
	user  kind = "user"
	role  kind = "role"
	group kind = "group"
)

// entity is the record of a user, role or group.
type entity struct {
	Kind    kind
	Account string
	Name    string
	Path    string
	ID      string
	Created time.Time
	Tags    []api.Tag `json:",omitempty"`
	// Inline holds inline documents by policy name, Attached the ARNs of managed policies.
	Inline   map[string]string `json:",omitempty"`
	Attached []string          `json:",omitempty"`
	// Boundary is the ARN of the permission boundary.
	Boundary string `json:",omitempty"`

	// Trust, Description, MaxSession (seconds) and Service, the owner of a service-linked role,
	// belong to roles.
	Trust       string `json:",omitempty"`
	Description string `json:",omitempty"`
	MaxSession  int32  `json:",omitempty"`
	Service     string `json:",omitempty"`

	// Groups and Keys (access key ids) belong to users.
	Groups []string `json:",omitempty"`
	Keys   []string `json:",omitempty"`
}

// noun is how messages call a kind.
func (k kind) noun() string { return string(k) }

// title is the noun at the beginning of a message.
func (k kind) title() string { return strings.ToUpper(string(k[:1])) + string(k[1:]) }

func (e *entity) arn() string { return entityARN(e.Account, e.Kind, e.Path, e.Name) }

func entityARN(account string, k kind, path, name string) string {
	return "arn:aws:iam::" + account + ":" + string(k) + path + name
}

// quota is how many managed policies an entity may have attached, by default.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	attachQuota = 20
	keyQuota    = 2
	groupQuota  = 10
	tagQuota    = 50
)

// inlineSize returns the limit on the inline policies of a kind together, in characters without
// white space.
func (k kind) inlineSize() int {
	switch k {
	case user:
		return 2048
	case group:
		return 5120
	case role:
	}
	return 10240
}

func prefixOf(k kind) string {
	switch k {
	case user:
		return token.PrefixUser
	case role:
		return token.PrefixRole
	case group:
	}
	return token.PrefixGroup
}

func account(ctx context.Context) string { return service.RequestFrom(ctx).Account }

// update runs a write and drops the directory's cache once it is durable.
func (s *IAM) update(ctx context.Context, fn func(tx store.Txn) error) error {
	return s.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.OnCommit(s.changed)
		return fn(tx)
	})
}

// find reads an entity, or answers NoSuchEntity.
func find(r store.Reader, account string, k kind, name string) (*entity, error) {
	e, ok, err := record.Get[entity](r, entityKey(account, k, name))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, noSuch(k.noun(), name)
	}
	return &e, nil
}

// get reads an entity outside of a transaction.
func (s *IAM) get(ctx context.Context, k kind, name string) (*entity, error) {
	var e *entity
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		e, err = find(r, account(ctx), k, name)
		return err
	})
	return e, err
}

// change reads an entity, lets fn change it and writes it back. A service-linked role is AWS's to change.
func (s *IAM) change(ctx context.Context, k kind, name string, fn func(tx store.Txn, e *entity) error) error {
	return s.amend(ctx, k, name, func(tx store.Txn, e *entity) error {
		if err := e.modifiable(); err != nil {
			return err
		}
		return fn(tx, e)
	})
}

// modifiable refuses service-linked roles.
func (e *entity) modifiable() error {
	if e.Service == "" {
		return nil
	}
	return fail("UnmodifiableEntity", 400, "Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", e.Name)
}

// amend is change for what may be changed of every entity.
func (s *IAM) amend(ctx context.Context, k kind, name string, fn func(tx store.Txn, e *entity) error) error {
	return s.update(ctx, func(tx store.Txn) error {
		e, err := find(tx, account(ctx), k, name)
		if err != nil {
			return err
		}
		if err := fn(tx, e); err != nil {
			return err
		}
		return put(tx, e)
	})
}

func put(tx store.Txn, e *entity) error {
	return record.Set(tx, entityKey(e.Account, e.Kind, e.Name), e)
}

// create makes an entity with an id and a time of its own.
func (s *IAM) create(ctx context.Context, e *entity, path *string, tags []api.Tag) error {
	var err error
	if e.Path, err = pathOf(path); err != nil {
		return err
	}
	if e.Tags, err = merge(nil, tags); err != nil {
		return err
	}
	if e.ID, err = token.NewID(prefixOf(e.Kind), s.deps.Random); err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	e.Account, e.Created = account(ctx), s.now()
	return s.update(ctx, func(tx store.Txn) error {
		has, err := record.Has(tx, entityKey(e.Account, e.Kind, e.Name))
		if err != nil {
			return err
		}
		if has {
			return exists(e.Kind.title(), e.Name)
		}
		if e.Boundary != "" {
			if err := s.attachable(tx, e.Account, e.Boundary); err != nil {
				return err
			}
		}
		if e.Kind == role && e.Service == "" {
			if err := checkTrust(tx, e.Account, e.Trust); err != nil {
				return err
			}
		}
		return put(tx, e)
	})
}

// list returns the entities of a kind below a path, in the order of their names.
func (s *IAM) list(ctx context.Context, k kind, prefix *string) ([]entity, error) {
	var out []entity
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		out, err = record.List[entity](r, all(account(ctx), string(k)).Span())
		return err
	})
	if prefix != nil {
		out = slices.DeleteFunc(out, func(e entity) bool { return !strings.HasPrefix(e.Path, *prefix) })
	}
	return out, err
}

// pathOf returns a valid path; the default is "/".
func pathOf(path *string) (string, error) {
	if path == nil || *path == "" {
		return "/", nil
	}
	p := *path
	if p[0] != '/' || p[len(p)-1] != '/' || len(p) > 512 {
		return "", fail("ValidationError", 400, "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return p, nil
}

// merge adds tags, replacing those of the same key, and checks the quota.
func merge(have, add []api.Tag) ([]api.Tag, error) {
	for i, t := range add {
		if slices.ContainsFunc(add[:i], func(x api.Tag) bool { return strings.EqualFold(x.Key, t.Key) }) {
			return nil, invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") && !strings.HasPrefix(t.Key, "aws:cloudformation:") {
			return nil, invalid("Tag keys that begin with aws: are reserved: %s", t.Key)
		}
		if j := slices.IndexFunc(have, func(x api.Tag) bool { return strings.EqualFold(x.Key, t.Key) }); j >= 0 {
			have[j] = t
			continue
		}
		have = append(have, t)
	}
	if len(have) > tagQuota {
		return nil, limit("The number of tags has reached the maximum limit: %d.", tagQuota)
	}
	return have, nil
}

func without(have []api.Tag, keys []string) []api.Tag {
	return slices.DeleteFunc(have, func(t api.Tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
	})
}

func ptr[T any](v T) *T { return &v }

// text returns nil for an empty text.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func boundaryOf(arn string) *api.AttachedPermissionsBoundary {
	if arn == "" {
		return nil
	}
	return &api.AttachedPermissionsBoundary{PermissionsBoundaryType: api.PermissionsBoundaryAttachmentTypePermissionsBoundaryPolicy, PermissionsBoundaryArn: &arn}
}
