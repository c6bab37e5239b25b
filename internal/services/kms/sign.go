package kms

import (
	"context"
	"errors"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/store"
)

// current returns the key that id names for an operation, with its material.
func (s *Service) current(ctx context.Context, id, operation, usage, algorithm string) (f *found, secret []byte, err error) {
	if f, err = s.find(ctx, id); err != nil {
		return nil, nil, err
	}
	if err := f.mayDo(operation, usage, algorithm); err != nil {
		return nil, nil, err
	}
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		secret, _, err = s.openMaterial(r, f, f.Current)
		return err
	})
	return f, secret, err
}

func formOf(kind string) material.Form {
	if kind == "" {
		return material.Raw
	}
	return material.Form(kind)
}

// badMessage returns the error of a message that an algorithm cannot take.
func badMessage(algorithm string, err error) error {
	if errors.Is(err, material.ErrDigest) {
		return invalid("Digest is invalid length for algorithm %s.", algorithm)
	}
	return err
}

func (s *Service) sign(ctx context.Context, in *api.SignInput) (*api.SignOutput, error) {
	f, secret, err := s.current(ctx, in.KeyId, "Sign", material.UsageSign, in.SigningAlgorithm)
	if err != nil {
		return nil, err
	}
	signature, err := f.spec().Sign(secret, in.SigningAlgorithm, formOf(in.MessageType), in.Message)
	if err == nil {
		err = rehearsed(in.DryRun)
	}
	if err != nil {
		return nil, badMessage(in.SigningAlgorithm, err)
	}
	s.used(ctx, f, "Sign")
	return &api.SignOutput{KeyId: new(f.arn()), Signature: signature, SigningAlgorithm: in.SigningAlgorithm}, nil
}

func (s *Service) verify(ctx context.Context, in *api.VerifyInput) (*api.VerifyOutput, error) {
	if in.MessageType == api.MessageTypeExternalMu {
		return nil, unsupported("Verify", "MessageType EXTERNAL_MU")
	}
	f, secret, err := s.current(ctx, in.KeyId, "Verify", material.UsageSign, in.SigningAlgorithm)
	if err != nil {
		return nil, err
	}
	err = f.spec().Verify(secret, in.SigningAlgorithm, formOf(in.MessageType), in.Message, in.Signature)
	switch {
	case errors.Is(err, material.ErrSignature):
		return nil, silent(codeSignature)
	case err == nil:
		err = rehearsed(in.DryRun)
	}
	if err != nil {
		return nil, badMessage(in.SigningAlgorithm, err)
	}
	s.used(ctx, f, "Verify")
	return &api.VerifyOutput{KeyId: new(f.arn()), SignatureValid: new(true), SigningAlgorithm: in.SigningAlgorithm}, nil
}

func (s *Service) generateMac(ctx context.Context, in *api.GenerateMacInput) (*api.GenerateMacOutput, error) {
	f, secret, err := s.current(ctx, in.KeyId, "GenerateMac", material.UsageMAC, in.MacAlgorithm)
	if err == nil {
		err = rehearsed(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	s.used(ctx, f, "GenerateMac")
	return &api.GenerateMacOutput{KeyId: new(f.arn()), Mac: material.MAC(secret, in.MacAlgorithm, in.Message), MacAlgorithm: in.MacAlgorithm}, nil
}

func (s *Service) verifyMac(ctx context.Context, in *api.VerifyMacInput) (*api.VerifyMacOutput, error) {
	f, secret, err := s.current(ctx, in.KeyId, "VerifyMac", material.UsageMAC, in.MacAlgorithm)
	if err != nil {
		return nil, err
	}
	if material.VerifyMAC(secret, in.MacAlgorithm, in.Message, in.Mac) != nil {
		return nil, silent(codeMAC)
	}
	if err := rehearsed(in.DryRun); err != nil {
		return nil, err
	}
	s.used(ctx, f, "VerifyMac")
	return &api.VerifyMacOutput{KeyId: new(f.arn()), MacValid: new(true), MacAlgorithm: in.MacAlgorithm}, nil
}

func (s *Service) getPublicKey(ctx context.Context, in *api.GetPublicKeyInput) (*api.GetPublicKeyOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if !f.spec().IsAsymmetric() {
		return nil, refused(codeUnsupported, "%s key spec is %s which is not valid for GetPublicKey.", f.arn(), f.Spec)
	}
	_, secret, err := s.current(ctx, in.KeyId, "GetPublicKey", f.Usage, "")
	if err != nil {
		return nil, err
	}
	public, err := f.spec().Public(secret)
	if err != nil {
		return nil, err
	}
	out := &api.GetPublicKeyOutput{KeyId: new(f.arn()), PublicKey: public, KeyUsage: f.Usage, KeySpec: f.Spec, CustomerMasterKeySpec: f.olderSpec()}
	switch f.Usage {
	case material.UsageEncrypt:
		out.EncryptionAlgorithms = f.algorithms()
	case material.UsageSign:
		out.SigningAlgorithms = f.algorithms()
	case material.UsageAgree:
		out.KeyAgreementAlgorithms = f.algorithms()
	}
	return out, nil
}

func (s *Service) deriveSharedSecret(ctx context.Context, in *api.DeriveSharedSecretInput) (*api.DeriveSharedSecretOutput, error) {
	if in.Recipient != nil {
		return nil, unsupported("DeriveSharedSecret", "Recipient")
	}
	f, secret, err := s.current(ctx, in.KeyId, "DeriveSharedSecret", material.UsageAgree, in.KeyAgreementAlgorithm)
	if err != nil {
		return nil, err
	}
	shared, err := f.spec().Agree(secret, in.PublicKey)
	if errors.Is(err, material.ErrPublicKey) {
		err = silent("ValidationException")
	}
	if err == nil {
		err = rehearsed(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	s.used(ctx, f, "DeriveSharedSecret")
	return &api.DeriveSharedSecretOutput{KeyId: new(f.arn()), SharedSecret: shared, KeyAgreementAlgorithm: in.KeyAgreementAlgorithm, KeyOrigin: f.Origin}, nil
}
