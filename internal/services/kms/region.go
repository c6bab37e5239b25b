package kms

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// regionsRecord is where a multi-Region key is.
type regionsRecord struct {
	Primary  string
	Replicas []string
}

func (m regionsRecord) configuration(f *found) *api.MultiRegionConfiguration {
	of := func(region string) api.MultiRegionKey {
		return api.MultiRegionKey{Arn: new(f.in(region).arn(f.ID)), Region: &region}
	}
	c := &api.MultiRegionConfiguration{MultiRegionKeyType: api.MultiRegionKeyTypeReplica, PrimaryKey: new(of(m.Primary)), ReplicaKeys: []api.MultiRegionKey{}}
	if f.region == m.Primary {
		c.MultiRegionKeyType = api.MultiRegionKeyTypePrimary
	}
	for _, region := range m.Replicas {
		c.ReplicaKeys = append(c.ReplicaKeys, of(region))
	}
	return c
}

func (f *found) regionSet(r store.Reader) (regionsRecord, error) {
	set, _, err := record.Get[regionsRecord](r, f.regions(f.ID))
	return set, err
}

// mustBePrimary refuses replicas: what they share with their primary key is changed there.
func (f *found) mustBePrimary(r store.Reader) error {
	if !f.MultiRegion {
		return nil
	}
	set, err := f.regionSet(r)
	if err == nil && set.Primary != f.region {
		err = refused(codeUnsupported, "%s is not a multi-region primary key.", f.arn())
	}
	return err
}

func (f *found) hasReplicas(r store.Reader) (bool, error) {
	if !f.MultiRegion {
		return false, nil
	}
	set, err := f.regionSet(r)
	return set.Primary == f.region && len(set.Replicas) > 0, err
}

// eachReplica calls fn with the replicas of a primary key.
func (f *found) eachReplica(r store.Reader, fn func(replica *found) error) error {
	set, err := f.regionSet(r)
	if err != nil {
		return err
	}
	for _, region := range set.Replicas {
		p := f.in(region)
		k, there, err := record.Get[keyRecord](r, p.key(f.ID))
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if err := fn(&found{place: p, keyRecord: k}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) replicateKey(ctx context.Context, in *api.ReplicateKeyInput) (*api.ReplicateKeyOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	there := f.in(in.ReplicaRegion)
	policy, err := s.policyFor(ctx, there, f.ID, in.Policy, opt.Value(in.BypassPolicyLockoutSafetyCheck))
	if err != nil {
		return nil, err
	}
	tags, err := checkTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	var replica *found
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		primary, err := look(tx, placeOf(ctx), in.KeyId)
		if err != nil {
			return err
		}
		r := primary.keyRecord
		r.Description, r.Policy, r.Tags, r.Created, r.Rotation = opt.Value(in.Description), policy, tags, s.now(), rotationRecord{}
		r.Last, r.Token = 0, ""
		replica = &found{place: there, keyRecord: r}
		if err := s.join(tx, primary, replica); err != nil {
			return err
		}
		return record.Set(tx, there.key(r.ID), replica.keyRecord)
	})
	if err != nil {
		return nil, err
	}
	made := *replica
	made.State = api.KeyStateCreating // The answer comes before the key is ready, as on AWS; the next call sees it ready.
	m, err := s.metadata(ctx, &made)
	return &api.ReplicateKeyOutput{ReplicaKeyMetadata: m, ReplicaPolicy: &policy, ReplicaTags: tagList(tags)}, err
}

// join makes replica one of primary, with the same material.
func (s *Service) join(tx store.Txn, primary, replica *found) error {
	if !primary.MultiRegion {
		return refused(codeUnsupported, "%s is not a multi-region primary key.", primary.arn())
	}
	if err := primary.mustBePrimary(tx); err != nil {
		return err
	}
	if err := primary.usable(); err != nil {
		return err
	}
	set, err := primary.regionSet(tx)
	if err != nil {
		return err
	}
	if replica.region == set.Primary || slices.Contains(set.Replicas, replica.region) {
		return refused(codeExists, "%s already exists.", replica.arn())
	}
	set.Replicas = append(set.Replicas, replica.region)
	if err := record.Set(tx, primary.regions(primary.ID), set); err != nil {
		return err
	}
	if primary.Origin == api.OriginTypeExternal {
		replica.State, replica.Current = api.KeyStatePendingImport, 0
		return nil
	}
	all, err := primary.allMaterial(tx)
	if err != nil {
		return err
	}
	for _, m := range all {
		secret, _, err := s.openMaterial(tx, primary, m.n)
		if err != nil {
			return err
		}
		if err := s.setMaterial(tx, replica, m.n, secret, m.materialRecord); err != nil {
			return err
		}
		replica.Last = m.n
	}
	return nil
}

func (s *Service) updatePrimaryRegion(ctx context.Context, in *api.UpdatePrimaryRegionInput) (*api.UpdatePrimaryRegionOutput, error) {
	return &api.UpdatePrimaryRegionOutput{}, s.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := look(tx, placeOf(ctx), in.KeyId)
		if err != nil {
			return err
		}
		if !f.MultiRegion {
			return refused(codeUnsupported, "%s is not a multi-region primary key.", f.arn())
		}
		if err := f.mustBePrimary(tx); err != nil {
			return err
		}
		if err := f.usable(); err != nil {
			return err
		}
		set, err := f.regionSet(tx)
		if err != nil {
			return err
		}
		i := slices.Index(set.Replicas, in.PrimaryRegion)
		if i < 0 {
			return noKey(f.in(in.PrimaryRegion), f.ID)
		}
		set.Primary, set.Replicas[i] = in.PrimaryRegion, f.region
		if err := s.moveRotation(tx, f, in.PrimaryRegion); err != nil {
			return err
		}
		return record.Set(tx, f.regions(f.ID), set)
	})
}

// moveRotation makes the automatic rotation that of the new primary key.
func (s *Service) moveRotation(tx store.Txn, old *found, region string) error {
	p := old.in(region)
	r, there, err := record.Get[keyRecord](tx, p.key(old.ID))
	if err != nil || !there || old.Rotation == (rotationRecord{}) {
		return err
	}
	next := &found{place: p, keyRecord: r}
	next.Rotation = old.Rotation
	if next.Rotation.Period > 0 {
		if err := next.scheduleRotation(tx, s.now()); err != nil {
			return err
		}
	}
	if err := record.Set(tx, next.key(next.ID), next.keyRecord); err != nil {
		return err
	}
	return s.dropRotation(tx, old)
}

// leaveRegion takes a key that is deleted out of its set. When the last replica goes, a primary key that waits for that begins to be deleted.
func (s *Service) leaveRegion(tx store.Txn, f *found) error {
	if !f.MultiRegion {
		tx.Delete(home(f.ID))
		return nil
	}
	set, err := f.regionSet(tx)
	if err != nil {
		return err
	}
	if set.Primary == f.region {
		tx.Delete(f.regions(f.ID))
		tx.Delete(home(f.ID))
		return nil
	}
	set.Replicas = slices.DeleteFunc(set.Replicas, func(r string) bool { return r == f.region })
	if err := record.Set(tx, f.regions(f.ID), set); err != nil || len(set.Replicas) > 0 {
		return err
	}
	p := f.in(set.Primary)
	r, there, err := record.Get[keyRecord](tx, p.key(f.ID))
	if err != nil || !there || r.State != api.KeyStatePendingReplicaDeletion {
		return err
	}
	primary := &found{place: p, keyRecord: r}
	if err := primary.startDeletion(tx, s.now()); err != nil {
		return err
	}
	return record.Set(tx, p.key(f.ID), primary.keyRecord)
}
