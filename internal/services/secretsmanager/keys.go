package secretsmanager

import (
	"context"
	"regexp"
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// place is the account and the region that own secrets.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) root(kind string) key.Key             { return key.New("secretsmanager", kind, p.account, p.region) }
func (p place) secrets() key.Key                     { return p.root("s") }
func (p place) secret(name string) key.Key           { return p.secrets().Str(name) }
func (p place) versions(name string) key.Key         { return p.root("v").Str(name) }
func (p place) version(name, version string) key.Key { return p.versions(name).Str(version) }
func (p place) arn(name string) string {
	return "arn:aws:secretsmanager:" + p.region + ":" + p.account + ":secret:" + name
}

// suffixed is a name with the suffix that ARNs have.
var suffixed = regexp.MustCompile(`^(.+)-([A-Za-z0-9]{6})$`)

// found is a secret with where it is.
type found struct {
	place
	secretRecord
}

func (f *found) arn() string { return f.place.arn(f.Name + "-" + f.Suffix) }

// look returns the secret that id names: by its name, its ARN, or its ARN without the suffix. What ends like a suffix is one, see
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen.
func look(r store.Reader, p place, id string) (*found, error) {
	name, suffix := id, ""
	if strings.HasPrefix(id, "arn:") {
		a, err := arn.Parse(id)
		rest, ok := strings.CutPrefix(a.Resource, "secret:")
		if err != nil || !ok || a.Region != p.region {
			return nil, noSecret()
		}
		p.account, name = a.Account, rest
		if m := suffixed.FindStringSubmatch(rest); m != nil {
			name, suffix = m[1], m[2]
		}
	}
	if !names.MatchString(name) {
		return nil, badName()
	}
	s, there, err := record.Get[secretRecord](r, p.secret(name))
	if err == nil && (!there || suffix != "" && s.Suffix != suffix) {
		err = noSecret()
	}
	return &found{p, s}, err
}

func (s *Service) find(ctx context.Context, id string) (f *found, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		f, err = look(r, placeOf(ctx), id)
		return err
	})
	return f, err
}

// living returns the secret that id names unless it is to be deleted.
func (s *Service) living(ctx context.Context, id string) (*found, error) {
	f, err := s.find(ctx, id)
	if err == nil {
		err = f.alive()
	}
	return f, err
}

func (f *found) alive() error {
	if !f.Deleted.IsZero() {
		return badRequest("You can't perform this operation on the secret because it was marked for deletion.")
	}
	return nil
}

// primary refuses replicas, which only their primary secret changes.
func (f *found) primary() error {
	if f.Primary != "" && f.Primary != f.region {
		return badRequest("Operation not permitted on a replica secret. Call must be made in primary secret's region.")
	}
	return nil
}

// unowned refuses secrets that another service manages.
func (f *found) unowned() error {
	if f.Owner != "" {
		return badRequest("You can't perform this operation on the secret because it is managed by another service (%s). Use that service to change it.", f.Owner)
	}
	return nil
}

// reachable returns the error of a secret about which nothing can be noted here and now.
func (f *found) reachable() error {
	if err := f.alive(); err != nil {
		return err
	}
	return f.primary()
}

// changeable returns the error of a secret that cannot be changed here and now.
func (f *found) changeable() error {
	if err := f.reachable(); err != nil {
		return err
	}
	return f.unowned()
}

// change loads the secret that id names, lets fn change it and saves it, and what its replicas have of it.
func (s *Service) change(ctx context.Context, id string, fn func(tx store.Txn, f *found) error) (f *found, err error) {
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if f, err = look(tx, placeOf(ctx), id); err != nil {
			return err
		}
		if err := fn(tx, f); err != nil {
			return err
		}
		return f.save(tx)
	})
	return f, err
}

// save writes a secret, and its replicas.
func (f *found) save(tx store.Txn) error {
	if err := f.saveReplicas(tx); err != nil {
		return err
	}
	return record.Set(tx, f.secret(f.Name), f.secretRecord)
}
