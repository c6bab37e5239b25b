package secretsmanager

import (
	"context"
	"io"
	"maps"
	"regexp"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// secretRecord is a secret without its values.
type secretRecord struct {
	Name, Suffix string
	// Owner is the service that manages the secret, such as "events"; empty for one of the account's own.
	Owner               string `json:",omitempty"`
	Description, KMSKey string `json:",omitempty"`
	// Tags is nil for a secret that never had any.
	Tags    map[string]string
	Created time.Time
	// Changed is when a value, stage or property last changed, Accessed the day on which a value was last read.
	Changed  time.Time
	Accessed time.Time `json:",omitzero"`
	// Deleted is when the deletion was asked for, Purge when it happens.
	Deleted time.Time `json:",omitzero"`
	Purge   time.Time `json:",omitzero"`
	Policy  string    `json:",omitempty"`
	// Stages has the version of each stage.
	Stages map[string]string
	// Order has the versions in the order of their making.
	Order    []string
	Rotation *rotationRecord `json:",omitempty"`
	// Primary is the primary region of a secret that has or is a replica.
	Primary  string          `json:",omitempty"`
	Replicas []replicaRecord `json:",omitempty"`
}

// replicaRecord is a replica of a secret.
type replicaRecord struct{ Region, KMSKey string }

var names = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]{1,512}$`)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// newSuffix returns the six characters at the end of a secret's ARN.
func (s *Service) newSuffix() (string, error) {
	out := make([]byte, 6)
	for i := range out {
		c, err := pick(s.deps.Random, len(letters))
		if err != nil {
			return "", err
		}
		out[i] = letters[c]
	}
	return string(out), nil
}

// pick returns a number below n, each as likely as the others.
func pick(random io.Reader, n int) (int, error) {
	var b [1]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, err
		}
		if limit := 256 - 256%n; int(b[0]) < limit {
			return int(b[0]) % n, nil
		}
	}
}

func (s *Service) createSecret(ctx context.Context, in *api.CreateSecretInput) (*api.CreateSecretOutput, error) {
	if in.Type != nil {
		return nil, unsupported("CreateSecret", "Type")
	}
	if !names.MatchString(in.Name) {
		return nil, badName()
	}
	if err := needToken(codeRequest, in.ClientRequestToken); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	if out, err := s.madeBefore(ctx, p, in); out != nil || err != nil {
		return out, err
	}
	suffix, err := s.newSuffix()
	if err != nil {
		return nil, err
	}
	now := s.now()
	f := &found{p, secretRecord{
		Name: in.Name, Suffix: suffix, Description: opt.Value(in.Description), KMSKey: opt.Value(in.KmsKeyId), Created: now, Changed: now, Stages: map[string]string{},
	}}
	if in.Tags != nil {
		if f.Tags, err = withTags(nil, in.Tags); err != nil {
			return nil, err
		}
	}
	if err := f.addReplicas(in.AddReplicaRegions); err != nil {
		return nil, err
	}
	var v *sealedValue
	if in.SecretString != nil || in.SecretBinary != nil {
		if v, err = s.sealNew(ctx, f, *in.ClientRequestToken, value{in.SecretString, in.SecretBinary}); err != nil {
			return nil, err
		}
	} else if err := s.checkKey(ctx, f); err != nil {
		return nil, err
	}
	fresh := f.secretRecord
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		f.secretRecord = fresh
		f.Stages, f.Order = map[string]string{}, nil
		if there, err := record.Has(tx, p.secret(in.Name)); there || err != nil {
			return orExists(in.Name, err)
		}
		if err := f.makeReplicas(tx, opt.Value(in.ForceOverwriteReplicaSecret)); err != nil {
			return err
		}
		if v != nil {
			if err := f.addVersion(tx, v, now); err != nil {
				return err
			}
			f.move(stageCurrent, v.id)
		}
		return f.save(tx)
	})
	if err != nil {
		return nil, err
	}
	out := &api.CreateSecretOutput{ARN: new(f.arn()), Name: &f.Name, ReplicationStatus: f.replication()}
	if v != nil {
		out.VersionId = &v.id
	}
	return out, nil
}

func orExists(name string, err error) error {
	if err != nil {
		return err
	}
	return refused(codeExists, "The operation failed because the secret %s already exists.", name)
}

// madeBefore returns the answer of a CreateSecret that is told twice, nil for one of a new name, or the error of a name that is taken.
func (s *Service) madeBefore(ctx context.Context, p place, in *api.CreateSecretInput) (*api.CreateSecretOutput, error) {
	var f *found
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		f, err = look(r, p, in.Name)
		return err
	})
	switch {
	case service.Code(err) == codeNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case !f.Deleted.IsZero():
		return nil, badRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	same, err := s.isSame(ctx, f, *in.ClientRequestToken, value{in.SecretString, in.SecretBinary})
	if err != nil {
		return nil, err
	}
	if !same {
		return nil, orExists(in.Name, nil)
	}
	return &api.CreateSecretOutput{ARN: new(f.arn()), Name: &f.Name, VersionId: in.ClientRequestToken, ReplicationStatus: f.replication()}, nil
}

func (s *Service) updateSecret(ctx context.Context, in *api.UpdateSecretInput) (*api.UpdateSecretOutput, error) {
	if in.Type != nil {
		return nil, unsupported("UpdateSecret", "Type")
	}
	if err := needToken(codeRequest, in.ClientRequestToken); err != nil {
		return nil, err
	}
	f, err := s.find(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := f.changeable(); err != nil {
		return nil, err
	}
	if in.KmsKeyId != nil {
		f.KMSKey = *in.KmsKeyId
		if err := s.checkKey(ctx, f); err != nil {
			return nil, err
		}
	}
	given := value{in.SecretString, in.SecretBinary}
	var v *sealedValue
	if !given.isEmpty() {
		if v, err = s.sealNew(ctx, f, *in.ClientRequestToken, given); err != nil {
			return nil, err
		}
	}
	f, err = s.change(ctx, in.SecretId, func(tx store.Txn, f *found) error {
		if err := f.changeable(); err != nil {
			return err
		}
		if in.Description != nil {
			f.Description = *in.Description
		}
		if in.KmsKeyId != nil {
			f.KMSKey = *in.KmsKeyId
		}
		f.Changed = s.now()
		if v == nil {
			return nil
		}
		return s.put(tx, f, v, nil)
	})
	if err != nil {
		return nil, err
	}
	out := &api.UpdateSecretOutput{ARN: new(f.arn()), Name: &f.Name}
	if v != nil {
		out.VersionId = &v.id
	}
	return out, nil
}

func (s *Service) describeSecret(ctx context.Context, in *api.DescribeSecretInput) (*api.DescribeSecretOutput, error) {
	f, err := s.find(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	e := f.entry()
	return &api.DescribeSecretOutput{
		ARN: e.ARN, Name: e.Name, Description: e.Description, KmsKeyId: e.KmsKeyId, RotationEnabled: e.RotationEnabled, RotationLambdaARN: e.RotationLambdaARN,
		RotationRules: e.RotationRules, LastRotatedDate: e.LastRotatedDate, LastChangedDate: e.LastChangedDate, LastAccessedDate: e.LastAccessedDate, DeletedDate: e.DeletedDate,
		NextRotationDate: e.NextRotationDate, Tags: e.Tags, VersionIdsToStages: e.SecretVersionsToStages, CreatedDate: e.CreatedDate, PrimaryRegion: e.PrimaryRegion,
		ReplicationStatus: f.replication(), OwningService: e.OwningService,
	}, nil
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// entry returns what lists show of a secret.
func (f *found) entry() api.SecretListEntry {
	e := api.SecretListEntry{
		ARN: new(f.arn()), Name: &f.Name, Description: opt.Of(f.Description), KmsKeyId: opt.Of(f.KMSKey), CreatedDate: &f.Created, LastChangedDate: timeOf(f.Changed),
		LastAccessedDate: timeOf(f.Accessed), DeletedDate: timeOf(f.Deleted), PrimaryRegion: opt.Of(f.Primary),
		OwningService: opt.Of(f.Owner),
	}
	if f.Tags != nil {
		e.Tags = tagList(f.Tags)
	}
	for stage, version := range f.Stages {
		if e.SecretVersionsToStages == nil {
			e.SecretVersionsToStages = map[string][]string{}
		}
		e.SecretVersionsToStages[version] = append(e.SecretVersionsToStages[version], stage)
	}
	for _, stages := range e.SecretVersionsToStages {
		slices.Sort(stages)
	}
	if r := f.Rotation; r != nil {
		e.RotationEnabled, e.RotationLambdaARN, e.RotationRules = &r.Enabled, opt.Of(r.Function), r.rules()
		e.LastRotatedDate, e.NextRotationDate = timeOf(r.Last), timeOf(r.Next)
	}
	return e
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	_, err := s.change(ctx, in.SecretId, func(_ store.Txn, f *found) (err error) {
		if err := f.reachable(); err != nil {
			return err
		}
		f.Tags, err = withTags(f.Tags, in.Tags)
		return err
	})
	return &api.TagResourceOutput{}, err
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	_, err := s.change(ctx, in.SecretId, func(_ store.Txn, f *found) error {
		if err := f.reachable(); err != nil {
			return err
		}
		for _, k := range in.TagKeys {
			delete(f.Tags, k)
		}
		return nil
	})
	return &api.UntagResourceOutput{}, err
}

const maxTags = 50

func withTags(old map[string]string, tags []api.Tag) (map[string]string, error) {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range tags {
		out[opt.Value(t.Key)] = opt.Value(t.Value)
	}
	if len(out) > maxTags {
		return nil, badParameter("A secret has at most %d tags.", maxTags)
	}
	return out, nil
}

func tagList(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: &k, Value: new(tags[k])})
	}
	return out
}

const (
	day         = 24 * time.Hour
	purgeKind   = "secretsmanager.purge"
	usualWindow = 30 // days
	minWindow   = 7
)

func (s *Service) deleteSecret(ctx context.Context, in *api.DeleteSecretInput) (*api.DeleteSecretOutput, error) {
	force := opt.Value(in.ForceDeleteWithoutRecovery)
	window := int64(usualWindow)
	if in.RecoveryWindowInDays != nil {
		window = *in.RecoveryWindowInDays
	}
	switch {
	case force && in.RecoveryWindowInDays != nil:
		return nil, badParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case window < minWindow || window > usualWindow:
		return nil, badParameter("The RecoveryWindowInDays value must be between %d and %d days (inclusive).", minWindow, usualWindow)
	}
	now := s.now()
	out := &api.DeleteSecretOutput{}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := look(tx, placeOf(ctx), in.SecretId)
		if force && service.Code(err) == codeNotFound {
			out.ARN, out.Name, out.DeletionDate = new(placeOf(ctx).arn(in.SecretId)), &in.SecretId, &now
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.deletable(force); err != nil {
			return err
		}
		out.ARN, out.Name, out.DeletionDate = new(f.arn()), &f.Name, &now
		if force {
			return f.erase(tx)
		}
		f.Deleted, f.Purge = now, now.Add(time.Duration(window)*day)
		out.DeletionDate = &f.Purge
		j, err := f.job(purgeKind, f.Purge, job{})
		if err != nil {
			return err
		}
		if err := events.Enqueue(tx, j); err != nil {
			return err
		}
		return f.save(tx)
	})
	return out, err
}

func (f *found) deletable(force bool) error {
	if !force {
		if err := f.alive(); err != nil {
			return err
		}
	}
	if err := f.primary(); err != nil {
		return err
	}
	if err := f.unowned(); err != nil {
		return err
	}
	if len(f.Replicas) > 0 {
		return badRequest("You can't delete secret %s that still has replica regions %v", f.Name, f.replicaRegions())
	}
	return nil
}

// erase deletes a secret with all its versions.
func (f *found) erase(tx store.Txn) error {
	span := f.versions(f.Name).Span()
	tx.DeleteRange(span.Lo, span.Hi)
	tx.Delete(f.secret(f.Name))
	for _, kind := range []string{purgeKind, rotateKind, scheduleKind} {
		if err := events.Cancel(tx, kind, f.arn()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) restoreSecret(ctx context.Context, in *api.RestoreSecretInput) (*api.RestoreSecretOutput, error) {
	f, err := s.change(ctx, in.SecretId, func(tx store.Txn, f *found) error {
		f.Deleted, f.Purge = time.Time{}, time.Time{}
		return events.Cancel(tx, purgeKind, f.arn())
	})
	if err != nil {
		return nil, err
	}
	return &api.RestoreSecretOutput{ARN: new(f.arn()), Name: &f.Name}, nil
}

// purge is the job that deletes a secret when its recovery window is over.
func (s *Service) purge(_ context.Context, j events.Job) error {
	p, of, err := jobOf(j)
	if err != nil {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, there, err := record.Get[secretRecord](tx, p.secret(of.Name))
		if err != nil || !there || r.Deleted.IsZero() || r.Purge.After(s.now()) {
			return err
		}
		f := &found{p, r}
		return f.erase(tx)
	})
}
