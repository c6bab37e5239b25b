package secretsmanager

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (f *found) replicaRegions() []string {
	var out []string
	for _, r := range f.Replicas {
		out = append(out, r.Region)
	}
	return out
}

// replica returns a replica of f, as it is to be.
func (f *found) replica(r replicaRecord) *found {
	c := f.secretRecord
	c.KMSKey, c.Replicas, c.Primary, c.Policy = r.KMSKey, nil, f.region, ""
	return &found{place{f.account, r.Region}, c}
}

// saveReplicas writes the replicas of a secret. What they have of their own is kept: when they were read, and their policy.
func (f *found) saveReplicas(tx store.Txn) error {
	for _, r := range f.Replicas {
		there := f.replica(r)
		old, has, err := record.Get[secretRecord](tx, there.secret(f.Name))
		if err != nil {
			return err
		}
		if has {
			there.Accessed, there.Policy = old.Accessed, old.Policy
		}
		if err := record.Set(tx, there.secret(f.Name), there.secretRecord); err != nil {
			return err
		}
	}
	return nil
}

// addReplicas notes where a secret is to have replicas.
func (f *found) addReplicas(regions []api.ReplicaRegionType) error {
	for _, r := range regions {
		region := opt.Value(r.Region)
		if region == "" || region == f.region || slices.Contains(f.replicaRegions(), region) {
			return badParameter("Invalid replica region %s: it must be another region than that of the secret and its replicas.", region)
		}
		f.Replicas, f.Primary = append(f.Replicas, replicaRecord{region, opt.Value(r.KmsKeyId)}), f.region
	}
	return nil
}

// makeReplicas refuses replicas whose place is taken, unless overwrite is set.
func (f *found) makeReplicas(tx store.Txn, overwrite bool) error {
	for _, r := range f.Replicas {
		p := place{f.account, r.Region}
		old, there, err := record.Get[secretRecord](tx, p.secret(f.Name))
		if err != nil {
			return err
		}
		if there && !(old.Primary == f.region && old.Suffix == f.Suffix) {
			if !overwrite {
				return badRequest("Replication failed: Secret name %s already exists in region %s. Use ForceOverwriteReplicaSecret to overwrite it.", f.Name, r.Region)
			}
			span := p.versions(f.Name).Span()
			tx.DeleteRange(span.Lo, span.Hi)
		}
	}
	return nil
}

// replication tells the state of the replicas: they are never behind.
func (f *found) replication() []api.ReplicationStatusType {
	var out []api.ReplicationStatusType
	for _, r := range f.Replicas {
		key := r.KMSKey
		if key == "" {
			key = defaultKey
		}
		out = append(out, api.ReplicationStatusType{Region: &r.Region, KmsKeyId: &key, Status: api.StatusTypeInSync, StatusMessage: new("Replication succeeded")})
	}
	return out
}

func (s *Service) replicateSecretToRegions(ctx context.Context, in *api.ReplicateSecretToRegionsInput) (*api.ReplicateSecretToRegionsOutput, error) {
	f, err := s.find(ctx, in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := f.changeable(); err != nil {
		return nil, err
	}
	if err := f.addReplicas(in.AddReplicaRegions); err != nil {
		return nil, err
	}
	fresh := f.Replicas[len(f.Replicas)-len(in.AddReplicaRegions):]
	copies, err := s.copies(ctx, f, fresh)
	if err != nil {
		return nil, err
	}
	f, err = s.change(ctx, in.SecretId, func(tx store.Txn, f *found) error {
		if err := f.changeable(); err != nil {
			return err
		}
		if err := f.addReplicas(in.AddReplicaRegions); err != nil {
			return err
		}
		if err := f.makeReplicas(tx, opt.Value(in.ForceOverwriteReplicaSecret)); err != nil {
			return err
		}
		for region, versions := range copies {
			for id, v := range versions {
				if err := record.Set(tx, place{f.account, region}.version(f.Name, id), v); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ReplicateSecretToRegionsOutput{ARN: new(f.arn()), ReplicationStatus: f.replication()}, nil
}

// copies returns the versions of a secret for new replicas, sealed under the keys of their regions.
func (s *Service) copies(ctx context.Context, f *found, to []replicaRecord) (map[string]map[string]versionRecord, error) {
	out := map[string]map[string]versionRecord{}
	for _, id := range f.Order {
		v, there, err := s.versionOf(ctx, f, id)
		if err != nil {
			return nil, err
		}
		if !there || v.Sealed == nil {
			continue
		}
		plain, err := s.unseal(ctx, f, id, &v, false)
		if err != nil {
			return nil, err
		}
		for _, r := range to {
			if out[r.Region] == nil {
				out[r.Region] = map[string]versionRecord{}
			}
			if out[r.Region][id], err = s.sealFor(ctx, f.replica(r), id, plain, false); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (s *Service) removeRegionsFromReplication(ctx context.Context, in *api.RemoveRegionsFromReplicationInput) (*api.RemoveRegionsFromReplicationOutput, error) {
	f, err := s.change(ctx, in.SecretId, func(tx store.Txn, f *found) error {
		if err := f.changeable(); err != nil {
			return err
		}
		for _, region := range in.RemoveReplicaRegions {
			i := slices.Index(f.replicaRegions(), region)
			if i < 0 {
				return badParameter("There is no replica of %s in the region %s.", f.Name, region)
			}
			gone := f.replica(f.Replicas[i])
			f.Replicas = slices.Delete(f.Replicas, i, i+1)
			if err := gone.erase(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RemoveRegionsFromReplicationOutput{ARN: new(f.arn()), ReplicationStatus: f.replication()}, nil
}

// stopReplicationToReplica makes a replica a secret of its own.
func (s *Service) stopReplicationToReplica(ctx context.Context, in *api.StopReplicationToReplicaInput) (*api.StopReplicationToReplicaOutput, error) {
	f, err := s.change(ctx, in.SecretId, func(tx store.Txn, f *found) error {
		if f.Primary == "" || f.Primary == f.region {
			return badRequest("Operation not permitted on a primary secret. Call must be made in the region of a replica.")
		}
		p := place{f.account, f.Primary}
		r, there, err := record.Get[secretRecord](tx, p.secret(f.Name))
		if err != nil {
			return err
		}
		f.Primary = ""
		if !there {
			return nil
		}
		r.Replicas = slices.DeleteFunc(r.Replicas, func(x replicaRecord) bool { return x.Region == f.region })
		return record.Set(tx, p.secret(f.Name), r)
	})
	if err != nil {
		return nil, err
	}
	return &api.StopReplicationToReplicaOutput{ARN: new(f.arn())}, nil
}
