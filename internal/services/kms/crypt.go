package kms

import (
	"context"
	"errors"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/store"
)

// maxPlaintext is how many bytes a symmetric key encrypts at a time.
const maxPlaintext = 4096

// mayDo refuses a key that is not for an operation: of another usage, or without the algorithm, or not usable now.
func (f *found) mayDo(operation, usage, algorithm string) error {
	if f.Usage != usage {
		return refused(codeUsage, "%s key usage is %s which is not valid for %s.", f.arn(), f.Usage, operation)
	}
	if algorithm != "" && !slices.Contains(f.algorithms(), algorithm) {
		return refused(codeUsage, "Algorithm %s is incompatible with key spec %s.", algorithm, f.Spec)
	}
	return f.usable()
}

func orSymmetric(algorithm string) string {
	if algorithm == "" {
		return material.Symmetric
	}
	return algorithm
}

// encrypted returns plain encrypted by a key.
func (s *Service) encrypted(ctx context.Context, f *found, algorithm string, plain []byte, context map[string]string) (blob []byte, materialID string, err error) {
	if algorithm != material.Symmetric {
		if len(context) > 0 {
			return nil, "", invalid("EncryptionContext is not supported with the algorithm %s.", algorithm)
		}
		if room := f.spec().Room(algorithm); len(plain) > room {
			return nil, "", invalid("Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", algorithm, f.Spec, room)
		}
	} else if len(plain) > maxPlaintext {
		return nil, "", invalid("1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to %d", maxPlaintext)
	}
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		if algorithm == material.Symmetric {
			blob, materialID, err = s.sealed(r, f, plain, context)
			return err
		}
		secret, _, err := s.openMaterial(r, f, f.Current)
		if err != nil {
			return err
		}
		blob, err = f.spec().Encrypt(secret, algorithm, plain)
		return err
	})
	return blob, materialID, err
}

// decrypted returns the text of a ciphertext.
func (s *Service) decrypted(ctx context.Context, f *found, algorithm string, blob []byte, context map[string]string) (plain []byte, materialID string, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		if algorithm == material.Symmetric {
			plain, materialID, err = s.opened(r, f, blob, context)
			return err
		}
		secret, _, err := s.openMaterial(r, f, f.Current)
		if err != nil {
			return err
		}
		plain, err = f.spec().Decrypt(secret, algorithm, blob)
		if errors.Is(err, material.ErrCiphertext) {
			return silent(codeCiphertext)
		}
		return err
	})
	return plain, materialID, err
}

func (s *Service) encrypt(ctx context.Context, in *api.EncryptInput) (*api.EncryptOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	algorithm := orSymmetric(in.EncryptionAlgorithm)
	if err := f.mayDo("Encrypt", material.UsageEncrypt, algorithm); err != nil {
		return nil, err
	}
	blob, _, err := s.encrypted(ctx, f, algorithm, in.Plaintext, in.EncryptionContext)
	if err == nil {
		err = rehearsed(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	s.used(ctx, f, "Encrypt")
	return &api.EncryptOutput{KeyId: new(f.arn()), CiphertextBlob: blob, EncryptionAlgorithm: algorithm}, nil
}

// source returns the key that opens a ciphertext: that which the call names, or that which the ciphertext tells.
func (s *Service) source(ctx context.Context, id *string, algorithm string, blob []byte) (*found, error) {
	if id == nil {
		if algorithm != material.Symmetric {
			return nil, invalid("The KeyId of an asymmetric key must be given: its ciphertexts do not tell it.")
		}
		return s.keyOfBlob(ctx, blob)
	}
	f, err := s.find(ctx, *id)
	if err != nil || algorithm != material.Symmetric {
		return f, err
	}
	if h, ok := readHead(blob); ok && h.id != f.ID || f.Spec != material.Symmetric {
		return nil, refused(codeIncorrectKey, "The key ID in the request does not identify a CMK that can perform this operation.")
	}
	return f, nil
}

func (s *Service) decrypt(ctx context.Context, in *api.DecryptInput) (*api.DecryptOutput, error) {
	switch {
	case in.Recipient != nil:
		return nil, unsupported("Decrypt", "Recipient")
	case len(in.DryRunModifiers) > 0:
		return nil, unsupported("Decrypt", "DryRunModifiers")
	}
	algorithm := orSymmetric(in.EncryptionAlgorithm)
	f, err := s.source(ctx, in.KeyId, algorithm, in.CiphertextBlob)
	if err != nil {
		return nil, err
	}
	if err := f.mayDo("Decrypt", material.UsageEncrypt, algorithm); err != nil {
		return nil, err
	}
	plain, id, err := s.decrypted(ctx, f, algorithm, in.CiphertextBlob, in.EncryptionContext)
	if err == nil {
		err = rehearsed(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	s.used(ctx, f, "Decrypt")
	return &api.DecryptOutput{KeyId: new(f.arn()), Plaintext: plain, EncryptionAlgorithm: algorithm, KeyMaterialId: opt.Of(id)}, nil
}

func (s *Service) reEncrypt(ctx context.Context, in *api.ReEncryptInput) (*api.ReEncryptOutput, error) {
	if len(in.DryRunModifiers) > 0 {
		return nil, unsupported("ReEncrypt", "DryRunModifiers")
	}
	from, to := orSymmetric(in.SourceEncryptionAlgorithm), orSymmetric(in.DestinationEncryptionAlgorithm)
	source, err := s.source(ctx, in.SourceKeyId, from, in.CiphertextBlob)
	if err != nil {
		return nil, err
	}
	target, err := s.find(ctx, in.DestinationKeyId)
	if err != nil {
		return nil, err
	}
	if err := source.mayDo("ReEncryptFrom", material.UsageEncrypt, from); err != nil {
		return nil, err
	}
	if err := target.mayDo("ReEncryptTo", material.UsageEncrypt, to); err != nil {
		return nil, err
	}
	plain, oldID, err := s.decrypted(ctx, source, from, in.CiphertextBlob, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	blob, newID, err := s.encrypted(ctx, target, to, plain, in.DestinationEncryptionContext)
	if err == nil {
		err = rehearsed(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	s.used(ctx, source, "ReEncrypt")
	s.used(ctx, target, "ReEncrypt")
	return &api.ReEncryptOutput{
		CiphertextBlob: blob, SourceKeyId: new(source.arn()), KeyId: new(target.arn()), SourceEncryptionAlgorithm: from, DestinationEncryptionAlgorithm: to,
		SourceKeyMaterialId: opt.Of(oldID), DestinationKeyMaterialId: opt.Of(newID),
	}, nil
}
