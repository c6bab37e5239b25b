package kms

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	expireKind = "kms.expire"
	// importPurpose is what import tokens are sealed for.
	importPurpose = "kms import token"
	// importValid is how long import parameters are valid, see
	// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html.
	importValid = 24 * time.Hour
)

// importToken is what an import token holds: everything that is needed to unwrap the material that comes with it.
type importToken struct {
	KeyARN, Spec, Algorithm string
	Private                 []byte
	Until                   time.Time
}

// imports refuses keys whose material does not come from outside.
func (f *found) imports() error {
	if f.Origin != api.OriginTypeExternal {
		return refused(codeUnsupported, "%s origin is %s which is not valid for this operation.", f.arn(), f.Origin)
	}
	return f.refuse(api.KeyStatePendingDeletion, api.KeyStatePendingReplicaDeletion)
}

func (s *Service) getParametersForImport(ctx context.Context, in *api.GetParametersForImportInput) (*api.GetParametersForImportOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := f.imports(); err != nil {
		return nil, err
	}
	w, ok := material.WrappingOf(in.WrappingKeySpec)
	switch {
	case !ok:
		return nil, unsupported("GetParametersForImport", "WrappingKeySpec "+in.WrappingKeySpec)
	case in.WrappingAlgorithm == api.AlgorithmSpecRsaesPkcs1V15, in.WrappingAlgorithm == api.AlgorithmSpecSm2pke:
		return nil, unsupported("GetParametersForImport", "WrappingAlgorithm "+in.WrappingAlgorithm)
	}
	spec, _ := material.SpecOf(in.WrappingKeySpec)
	private, err := s.newMaterial(ctx, spec)
	if err != nil {
		return nil, err
	}
	public, err := w.Public(private)
	if err != nil {
		return nil, err
	}
	until := s.now().Add(importValid)
	b, err := json.Marshal(importToken{f.arn(), in.WrappingKeySpec, in.WrappingAlgorithm, private, until})
	if err != nil {
		return nil, err
	}
	token, err := s.options.Ring.Seal(importPurpose, b)
	return &api.GetParametersForImportOutput{KeyId: new(f.arn()), PublicKey: public, ImportToken: token, ParametersValidTo: &until}, err
}

// unwrap returns the material that an import brings.
func (s *Service) unwrap(f *found, in *api.ImportKeyMaterialInput) ([]byte, error) {
	b, err := s.options.Ring.Open(importPurpose, in.ImportToken)
	var t importToken
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	switch {
	case err != nil, t.KeyARN != f.arn():
		return nil, silent(codeImportToken)
	case s.now().After(t.Until):
		return nil, silent(codeTokenExpired)
	}
	w, _ := material.WrappingOf(t.Spec)
	secret, err := w.Unwrap(t.Private, t.Algorithm, in.EncryptedKeyMaterial)
	if err == nil {
		err = f.spec().Check(secret)
	}
	if errors.Is(err, material.ErrCiphertext) || errors.Is(err, material.ErrMaterial) {
		return nil, silent(codeCiphertext)
	}
	return secret, err
}

// expirationOf returns how long imported material is kept.
func (s *Service) expirationOf(in *api.ImportKeyMaterialInput) (m materialRecord, err error) {
	m.Expiration, m.Description = in.ExpirationModel, opt.Value(in.KeyMaterialDescription)
	if m.Expiration == "" {
		m.Expiration = api.ExpirationModelTypeKeyMaterialExpires
	}
	switch {
	case m.Expiration == api.ExpirationModelTypeKeyMaterialDoesNotExpire && in.ValidTo != nil:
		return m, invalid("ValidTo must be left out when ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE.")
	case m.Expiration == api.ExpirationModelTypeKeyMaterialDoesNotExpire:
		return m, nil
	case in.ValidTo == nil:
		return m, invalid("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	case !in.ValidTo.After(s.now()), in.ValidTo.After(s.now().Add(usualPeriod * day)):
		return m, invalid("ValidTo must be a time within the next %d days when ExpirationModel is KEY_MATERIAL_EXPIRES.", usualPeriod)
	}
	m.ValidTo = in.ValidTo.UTC()
	return m, nil
}

func (s *Service) importKeyMaterial(ctx context.Context, in *api.ImportKeyMaterialInput) (*api.ImportKeyMaterialOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := f.imports(); err != nil {
		return nil, err
	}
	secret, err := s.unwrap(f, in)
	if err != nil {
		return nil, err
	}
	m, err := s.expirationOf(in)
	if err != nil {
		return nil, err
	}
	id := materialID(f.ID, secret)
	if in.KeyMaterialId != nil && *in.KeyMaterialId != id {
		return nil, silent(codeMaterial)
	}
	f, err = s.change(ctx, in.KeyId, func(tx store.Txn, f *found) error { return s.takeMaterial(tx, f, in.ImportType, id, secret, m) })
	if err != nil {
		return nil, err
	}
	out := &api.ImportKeyMaterialOutput{KeyId: new(f.arn())}
	if f.Spec == material.Symmetric {
		out.KeyMaterialId = &id
	}
	return out, nil
}

// takeMaterial adds imported material to a key, or puts back what was there.
func (s *Service) takeMaterial(tx store.Txn, f *found, kind, id string, secret []byte, m materialRecord) error {
	all, err := f.allMaterial(tx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(have numbered) bool { return have.ID == id })
	var n uint32
	switch {
	case i >= 0:
		n = all[i].n
		m.ID, m.State, m.Rotated, m.Rotation = id, all[i].State, all[i].Rotated, all[i].Rotation
		if err := s.setMaterial(tx, f, n, secret, m); err != nil {
			return err
		}
		all[i].materialRecord = m
		all[i].Sealed = secret
	case len(all) > 0 && (kind != api.ImportTypeNewKeyMaterial || f.Spec != material.Symmetric):
		return silent(codeMaterial)
	default:
		if err := f.refusePending(all, id); err != nil {
			return err
		}
		m.State = api.KeyMaterialStateCurrent
		if len(all) > 0 {
			m.State = api.KeyMaterialStatePendingRotation
		}
		if err := s.addMaterial(tx, f, secret, m); err != nil {
			return err
		}
		if n = f.Last; len(all) == 0 {
			f.Current = n
		}
		m.Sealed = secret
		all = append(all, numbered{n, m})
	}
	f.State = stateOfImport(all, api.KeyStateEnabled)
	return f.scheduleExpiry(tx, all)
}

func (f *found) refusePending(all []numbered, id string) error {
	for _, have := range all {
		if have.State == api.KeyMaterialStatePendingRotation {
			return refused(codeState, "New key material (id: %s) cannot be imported into KMS key %s, because another key material (id: %s) is pending rotation.", id, f.arn(), have.ID)
		}
	}
	return nil
}

// stateOfImport returns the state of a key with imported material: usable is it when all its material is there, but for what waits for a rotation.
func stateOfImport(all []numbered, usable string) string {
	missing := func(m numbered) bool {
		return m.Sealed == nil && m.State != api.KeyMaterialStatePendingRotation
	}
	if len(all) == 0 || slices.ContainsFunc(all, missing) {
		return api.KeyStatePendingImport
	}
	return usable
}

// scheduleExpiry sets the time at which the first of a key's materials expires.
func (f *found) scheduleExpiry(tx store.Txn, all []numbered) error {
	var next time.Time
	for _, m := range all {
		if m.Sealed != nil && !m.ValidTo.IsZero() && (next.IsZero() || m.ValidTo.Before(next)) {
			next = m.ValidTo
		}
	}
	if next.IsZero() {
		return events.Cancel(tx, expireKind, f.arn())
	}
	j, err := f.job(expireKind, next)
	if err != nil {
		return err
	}
	return events.Enqueue(tx, j)
}

// drop deletes the material that gone names.
func (f *found) drop(tx store.Txn, gone func(m *numbered) bool) (dropped []string, err error) {
	all, err := f.allMaterial(tx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		m := &all[i]
		if m.Sealed == nil || !gone(m) {
			continue
		}
		dropped = append(dropped, m.ID)
		m.Sealed = nil
		if err := record.Set(tx, f.material(f.ID, m.n), m.materialRecord); err != nil {
			return nil, err
		}
	}
	if f.State != api.KeyStatePendingDeletion {
		usable := f.State
		if usable == api.KeyStatePendingImport {
			usable = api.KeyStateEnabled
		}
		f.State = stateOfImport(all, usable)
	}
	return dropped, f.scheduleExpiry(tx, all)
}

func (s *Service) deleteImportedKeyMaterial(ctx context.Context, in *api.DeleteImportedKeyMaterialInput) (*api.DeleteImportedKeyMaterialOutput, error) {
	var dropped []string
	f, err := s.change(ctx, in.KeyId, func(tx store.Txn, f *found) (err error) {
		if err := f.imports(); err != nil {
			return err
		}
		dropped, err = f.drop(tx, func(m *numbered) bool {
			if in.KeyMaterialId != nil {
				return m.ID == *in.KeyMaterialId
			}
			return m.n == f.Current
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DeleteImportedKeyMaterialOutput{KeyId: new(f.arn())}
	if len(dropped) > 0 && f.Spec == material.Symmetric {
		out.KeyMaterialId = &dropped[0]
	}
	return out, nil
}

// expire is the job that deletes imported material when its time has come.
func (s *Service) expire(_ context.Context, j events.Job) error {
	p, id, err := jobOf(j)
	if err != nil {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, there, err := record.Get[keyRecord](tx, p.key(id))
		if err != nil || !there {
			return err
		}
		f := &found{place: p, keyRecord: r}
		if _, err := f.drop(tx, func(m *numbered) bool { return !m.ValidTo.IsZero() && !m.ValidTo.After(s.now()) }); err != nil {
			return err
		}
		return record.Set(tx, f.key(f.ID), f.keyRecord)
	})
}
