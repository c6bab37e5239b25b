package kms

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/services/kms/material"
)

// dataKey is what the operations that make data keys have in common.
type dataKey struct {
	operation, key string
	context        map[string]string
	dry            *bool
	// pair is the spec of a key pair; else spec or size tell how long the key is.
	pair, spec string
	size       *int32
}

// madeKey is a new data key.
type madeKey struct {
	f             *found
	plain, public []byte
	blob          []byte
	materialID    *string
}

// bytes returns how long a symmetric data key is.
func (d *dataKey) bytes() (int, error) {
	switch {
	case d.spec != "" && d.size != nil, d.spec == "" && d.size == nil:
		return 0, invalid("Please specify either number of bytes or key spec.")
	case d.spec == api.DataKeySpecAes256:
		return 32, nil
	case d.spec == api.DataKeySpecAes128:
		return 16, nil
	}
	return int(*d.size), nil
}

func (s *Service) makeDataKey(ctx context.Context, d dataKey) (m madeKey, err error) {
	if m.f, err = s.find(ctx, d.key); err != nil {
		return m, err
	}
	if err := m.f.mayDo(d.operation, material.UsageEncrypt, ""); err != nil {
		return m, err
	}
	if m.f.Spec != material.Symmetric {
		return m, refused(codeUsage, "%s key spec is %s which is not valid for %s.", m.f.arn(), m.f.Spec, d.operation)
	}
	if err := s.fill(ctx, &m, &d); err != nil {
		return m, err
	}
	blob, id, err := s.encrypted(ctx, m.f, material.Symmetric, m.plain, d.context)
	if err == nil {
		err = rehearsed(d.dry)
	}
	if err != nil {
		return m, err
	}
	m.blob, m.materialID = blob, opt.Of(id)
	s.used(ctx, m.f, d.operation)
	return m, nil
}

// fill makes the data key itself.
func (s *Service) fill(ctx context.Context, m *madeKey, d *dataKey) (err error) {
	if d.pair == "" {
		size, err := d.bytes()
		if err != nil {
			return err
		}
		m.plain, err = material.NewSecret(size, s.deps.Random)
		return err
	}
	spec, ok := material.SpecOf(d.pair)
	if !ok || !spec.DataKeyPair {
		return unsupported(d.operation, "KeyPairSpec "+d.pair)
	}
	if m.plain, err = s.newMaterial(ctx, spec); err != nil {
		return err
	}
	m.public, err = spec.Public(m.plain)
	return err
}

func (s *Service) generateDataKey(ctx context.Context, in *api.GenerateDataKeyInput) (*api.GenerateDataKeyOutput, error) {
	if in.Recipient != nil {
		return nil, unsupported("GenerateDataKey", "Recipient")
	}
	m, err := s.makeDataKey(ctx, dataKey{operation: "GenerateDataKey", key: in.KeyId, context: in.EncryptionContext, dry: in.DryRun, spec: in.KeySpec, size: in.NumberOfBytes})
	if err != nil {
		return nil, err
	}
	return &api.GenerateDataKeyOutput{KeyId: new(m.f.arn()), Plaintext: m.plain, CiphertextBlob: m.blob, KeyMaterialId: m.materialID}, nil
}

func (s *Service) generateDataKeyWithoutPlaintext(ctx context.Context, in *api.GenerateDataKeyWithoutPlaintextInput) (*api.GenerateDataKeyWithoutPlaintextOutput, error) {
	m, err := s.makeDataKey(ctx, dataKey{operation: "GenerateDataKeyWithoutPlaintext", key: in.KeyId, context: in.EncryptionContext, dry: in.DryRun, spec: in.KeySpec, size: in.NumberOfBytes})
	if err != nil {
		return nil, err
	}
	return &api.GenerateDataKeyWithoutPlaintextOutput{KeyId: new(m.f.arn()), CiphertextBlob: m.blob, KeyMaterialId: m.materialID}, nil
}

func (s *Service) generateDataKeyPair(ctx context.Context, in *api.GenerateDataKeyPairInput) (*api.GenerateDataKeyPairOutput, error) {
	if in.Recipient != nil {
		return nil, unsupported("GenerateDataKeyPair", "Recipient")
	}
	m, err := s.makeDataKey(ctx, dataKey{operation: "GenerateDataKeyPair", key: in.KeyId, context: in.EncryptionContext, dry: in.DryRun, pair: in.KeyPairSpec})
	if err != nil {
		return nil, err
	}
	return &api.GenerateDataKeyPairOutput{
		KeyId: new(m.f.arn()), KeyPairSpec: in.KeyPairSpec, PrivateKeyPlaintext: m.plain, PrivateKeyCiphertextBlob: m.blob, PublicKey: m.public, KeyMaterialId: m.materialID,
	}, nil
}

func (s *Service) generateDataKeyPairWithoutPlaintext(ctx context.Context, in *api.GenerateDataKeyPairWithoutPlaintextInput) (*api.GenerateDataKeyPairWithoutPlaintextOutput, error) {
	m, err := s.makeDataKey(ctx, dataKey{operation: "GenerateDataKeyPairWithoutPlaintext", key: in.KeyId, context: in.EncryptionContext, dry: in.DryRun, pair: in.KeyPairSpec})
	if err != nil {
		return nil, err
	}
	return &api.GenerateDataKeyPairWithoutPlaintextOutput{
		KeyId: new(m.f.arn()), KeyPairSpec: in.KeyPairSpec, PrivateKeyCiphertextBlob: m.blob, PublicKey: m.public, KeyMaterialId: m.materialID,
	}, nil
}

func (s *Service) generateRandom(_ context.Context, in *api.GenerateRandomInput) (*api.GenerateRandomOutput, error) {
	switch {
	case in.CustomKeyStoreId != nil:
		return nil, unsupported("GenerateRandom", "CustomKeyStoreId")
	case in.Recipient != nil:
		return nil, unsupported("GenerateRandom", "Recipient")
	case in.NumberOfBytes == nil:
		return nil, invalid("NumberOfBytes is required.")
	}
	b, err := material.NewSecret(int(*in.NumberOfBytes), s.deps.Random)
	return &api.GenerateRandomOutput{Plaintext: b}, err
}
