package kms

import (
	"context"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// keyRecord is a key without its material.
type keyRecord struct {
	ID, Description string
	Spec, Usage     string
	Origin, Manager string
	Policy          string
	State           string
	Created         time.Time
	Tags            map[string]string `json:",omitempty"`
	MultiRegion     bool              `json:",omitempty"`
	// Current is the number of the material that encrypts, 0 without any; Last the highest number given.
	Current, Last uint32
	// Deletion is when the key ends, and Window the days that were given for that.
	Deletion time.Time `json:",omitzero"`
	Window   int32     `json:",omitempty"`
	Rotation rotationRecord
	// Token is that of the deploy that made the key.
	Token string `json:",omitempty"`
}

func (r *keyRecord) spec() material.Spec {
	s, _ := material.SpecOf(r.Spec)
	return s
}

func (r *keyRecord) algorithms() []string { return r.spec().Algorithms(r.Usage) }

// usageOf returns the usage of a new key, see https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html.
func usageOf(spec material.Spec, asked string) (string, error) {
	switch {
	case asked == "" && spec.Name == material.Symmetric:
		return material.UsageEncrypt, nil
	case asked == "":
		return "", invalid("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	case spec.Algorithms(asked) == nil:
		return "", invalid("KeyUsage %s is not compatible with KeySpec %s", asked, spec.Name)
	}
	return asked, nil
}

// shape returns the record of the key that in asks for, without an id.
func (s *Service) shape(in *api.CreateKeyInput) (keyRecord, error) {
	r := keyRecord{
		Description: opt.Value(in.Description), Origin: in.Origin, Manager: api.KeyManagerTypeCustomer, State: api.KeyStateEnabled, Created: s.now(),
		MultiRegion: opt.Value(in.MultiRegion),
	}
	if r.Origin == "" {
		r.Origin = api.OriginTypeAwsKms
	}
	name := in.KeySpec
	switch {
	case in.CustomKeyStoreId != nil:
		return r, unsupported("CreateKey", "CustomKeyStoreId")
	case in.XksKeyId != nil:
		return r, unsupported("CreateKey", "XksKeyId")
	case r.Origin != api.OriginTypeAwsKms && r.Origin != api.OriginTypeExternal:
		return r, unsupported("CreateKey", "Origin "+r.Origin)
	case in.KeySpec != "" && in.CustomerMasterKeySpec != "":
		return r, invalid("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	case in.KeySpec == "" && in.CustomerMasterKeySpec != "":
		name = in.CustomerMasterKeySpec
	case in.KeySpec == "":
		name = material.Symmetric
	}
	spec, ok := material.SpecOf(name)
	if !ok {
		return r, unsupported("CreateKey", "KeySpec "+name)
	}
	var err error
	if r.Usage, err = usageOf(spec, in.KeyUsage); err != nil {
		return r, err
	}
	r.Spec = spec.Name
	if r.Origin == api.OriginTypeExternal {
		r.State = api.KeyStatePendingImport
	}
	r.Tags, err = checkTags(nil, in.Tags)
	return r, err
}

func (s *Service) newID(multiRegion bool) (string, error) {
	if !multiRegion {
		return uuid.New(s.deps.Random)
	}
	b := make([]byte, 16)
	_, err := io.ReadFull(s.deps.Random, b)
	return multiIDs + hex.EncodeToString(b), err
}

func (s *Service) createKey(ctx context.Context, in *api.CreateKeyInput) (*api.CreateKeyOutput, error) {
	p := placeOf(ctx)
	token := service.CreateToken(ctx)
	if token != "" {
		if made, err := s.madeBefore(ctx, p, token); made != nil || err != nil {
			return made, err
		}
	}
	r, err := s.shape(in)
	if err != nil {
		return nil, err
	}
	if r.ID, err = s.newID(r.MultiRegion); err != nil {
		return nil, err
	}
	if r.Policy, err = s.policyFor(ctx, p, r.ID, in.Policy, opt.Value(in.BypassPolicyLockoutSafetyCheck)); err != nil {
		return nil, err
	}
	r.Token = token
	f := &found{place: p, keyRecord: r}
	var secret []byte
	if r.Origin == api.OriginTypeAwsKms {
		if secret, err = s.newMaterial(ctx, f.spec()); err != nil {
			return nil, err
		}
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		f.keyRecord = r
		if secret != nil {
			if err := s.addMaterial(tx, f, secret, materialRecord{State: api.KeyMaterialStateCurrent}); err != nil {
				return err
			}
			f.Current = f.Last
		}
		if r.MultiRegion {
			if err := record.Set(tx, p.regions(r.ID), regionsRecord{Primary: p.region}); err != nil {
				return err
			}
		}
		if token != "" {
			tx.Set(p.created(token), []byte(r.ID))
		}
		return f.save(tx)
	})
	if err != nil {
		return nil, err
	}
	m, err := s.metadata(ctx, f)
	return &api.CreateKeyOutput{KeyMetadata: m}, err
}

// save writes a new key.
func (f *found) save(tx store.Txn) error {
	if err := record.Set(tx, home(f.ID), homeRecord{Account: f.account, Region: f.region}); err != nil {
		return err
	}
	return record.Set(tx, f.key(f.ID), f.keyRecord)
}

// homeRecord is where a key is. A multi-Region key is in other regions too.
type homeRecord struct{ Account, Region string }

// newMaterial makes material for a key. Few keys are made at a time, if that is slow.
func (s *Service) newMaterial(ctx context.Context, spec material.Spec) ([]byte, error) {
	if spec.IsSlow() {
		select {
		case s.making <- struct{}{}:
			defer func() { <-s.making }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return material.New(spec, s.deps.Random)
}

func (s *Service) describeKey(ctx context.Context, in *api.DescribeKeyInput) (*api.DescribeKeyOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	m, err := s.metadata(ctx, f)
	return &api.DescribeKeyOutput{KeyMetadata: m}, err
}

// metadata returns what the API shows of a key.
func (s *Service) metadata(ctx context.Context, f *found) (m *api.KeyMetadata, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		m, err = metadataIn(r, f)
		return err
	})
	return m, err
}

func metadataIn(r store.Reader, f *found) (*api.KeyMetadata, error) {
	m := &api.KeyMetadata{
		AWSAccountId: &f.account, KeyId: f.ID, Arn: new(f.arn()), CreationDate: &f.Created, Enabled: new(f.State == api.KeyStateEnabled), Description: &f.Description,
		KeyUsage: f.Usage, KeyState: f.State, Origin: f.Origin, KeyManager: f.Manager, CustomerMasterKeySpec: f.olderSpec(), KeySpec: f.Spec, MultiRegion: &f.MultiRegion,
	}
	if !f.Deletion.IsZero() {
		m.DeletionDate = &f.Deletion
	}
	if f.State == api.KeyStatePendingReplicaDeletion {
		m.PendingDeletionWindowInDays = &f.Window
	}
	switch f.Usage {
	case material.UsageEncrypt:
		m.EncryptionAlgorithms = f.algorithms()
	case material.UsageSign:
		m.SigningAlgorithms = f.algorithms()
	case material.UsageMAC:
		m.MacAlgorithms = f.algorithms()
	case material.UsageAgree:
		m.KeyAgreementAlgorithms = f.algorithms()
	}
	if err := f.describeMaterial(r, m); err != nil {
		return nil, err
	}
	if !f.MultiRegion {
		return m, nil
	}
	set, _, err := record.Get[regionsRecord](r, f.regions(f.ID))
	m.MultiRegionConfiguration = set.configuration(f)
	return m, err
}

// olderSpec returns the CustomerMasterKeySpec, which the newer specs do not have.
func (f *found) olderSpec() string {
	if strings.HasPrefix(f.Spec, "ML_DSA") || f.Spec == api.KeySpecEccNistEdwards25519 {
		return ""
	}
	return f.Spec
}

// describeMaterial adds what the API shows of the current material.
func (f *found) describeMaterial(r store.Reader, m *api.KeyMetadata) error {
	if f.Current == 0 || f.State == api.KeyStateCreating {
		return nil
	}
	c, there, err := record.Get[materialRecord](r, f.material(f.ID, f.Current))
	if err != nil || !there {
		return err
	}
	if f.Spec == material.Symmetric {
		m.CurrentKeyMaterialId = &c.ID
	}
	if f.State == api.KeyStatePendingImport {
		return nil
	}
	m.ExpirationModel = c.Expiration
	if !c.ValidTo.IsZero() {
		m.ValidTo = &c.ValidTo
	}
	return nil
}

func (s *Service) listKeys(ctx context.Context, in *api.ListKeysInput) (*api.ListKeysOutput, error) {
	p := placeOf(ctx)
	out := &api.ListKeysOutput{Keys: []api.KeyListEntry{}, Truncated: new(false)}
	next, err := page(ctx, s, p.keys(), paging{in.Limit, 100, in.Marker}, func(_ string, r keyRecord) bool {
		out.Keys = append(out.Keys, api.KeyListEntry{KeyId: new(r.ID), KeyArn: new(p.arn(r.ID))})
		return true
	})
	out.NextMarker, *out.Truncated = next, next != nil
	return out, err
}

func (s *Service) updateKeyDescription(ctx context.Context, in *api.UpdateKeyDescriptionInput) (*api.UpdateKeyDescriptionOutput, error) {
	_, err := s.change(ctx, in.KeyId, func(_ store.Txn, f *found) error {
		f.Description = in.Description
		return f.refuse(api.KeyStatePendingDeletion)
	})
	return &api.UpdateKeyDescriptionOutput{}, err
}

// refuse returns the error of a key that is in one of the states.
func (f *found) refuse(states ...string) error {
	if !slices.Contains(states, f.State) {
		return nil
	}
	switch f.State {
	case api.KeyStateDisabled:
		return refused(codeDisabled, "%s is disabled.", f.arn())
	case api.KeyStatePendingImport:
		return refused(codeState, "%s is pending import.", f.arn())
	case api.KeyStatePendingDeletion:
		return refused(codeState, "%s is pending deletion.", f.arn())
	case api.KeyStatePendingReplicaDeletion:
		return refused(codeState, "%s is pending replica deletion.", f.arn())
	}
	return refused(codeState, "%s is in the state %s.", f.arn(), f.State)
}

// usable returns the error of a key that cannot be used for cryptography, see https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html.
func (f *found) usable() error {
	return f.refuse(api.KeyStateDisabled, api.KeyStatePendingImport, api.KeyStatePendingDeletion, api.KeyStatePendingReplicaDeletion)
}

// madeBefore returns the answer of the call that made a key with a token, or nil.
func (s *Service) madeBefore(ctx context.Context, p place, token string) (*api.CreateKeyOutput, error) {
	var id string
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		b, err := r.Get(p.created(token))
		id = string(b)
		if isMissing(err) {
			return nil
		}
		return err
	})
	if err != nil || id == "" {
		return nil, err
	}
	out, err := s.describeKey(ctx, &api.DescribeKeyInput{KeyId: id})
	if service.Code(err) == codeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &api.CreateKeyOutput{KeyMetadata: out.KeyMetadata}, nil
}
