package kms

import (
	"context"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/service"
)

// cryptoAccess are the rules of the operations that use keys.
func (s *Service) cryptoAccess() map[string]service.Access {
	return map[string]service.Access{
		"Decrypt": service.OnAll("kms:Decrypt", func(ctx context.Context, in *api.DecryptInput) ([]service.Target, error) {
			q := use("kms:Decrypt", in.KeyId, in.GrantTokens).within(in.EncryptionContext)
			return s.askSource(ctx, q, in.EncryptionAlgorithm, in.CiphertextBlob)
		}),
		"DeriveSharedSecret": on(s, "DeriveSharedSecret", func(in *api.DeriveSharedSecretInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).with("KeyAgreementAlgorithm", in.KeyAgreementAlgorithm)
		}),
		"Encrypt": on(s, "Encrypt", func(in *api.EncryptInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).within(in.EncryptionContext).with("EncryptionAlgorithm", orSymmetric(in.EncryptionAlgorithm))
		}),
		"GenerateDataKey": on(s, "GenerateDataKey", func(in *api.GenerateDataKeyInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).within(in.EncryptionContext).with("EncryptionAlgorithm", orSymmetric(""))
		}),
		"GenerateDataKeyPair": on(s, "GenerateDataKeyPair", func(in *api.GenerateDataKeyPairInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).within(in.EncryptionContext).with("DataKeyPairSpec", in.KeyPairSpec)
		}),
		"GenerateDataKeyPairWithoutPlaintext": on(s, "GenerateDataKeyPairWithoutPlaintext", func(in *api.GenerateDataKeyPairWithoutPlaintextInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).within(in.EncryptionContext).with("DataKeyPairSpec", in.KeyPairSpec)
		}),
		"GenerateDataKeyWithoutPlaintext": on(s, "GenerateDataKeyWithoutPlaintext", func(in *api.GenerateDataKeyWithoutPlaintextInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).within(in.EncryptionContext).with("EncryptionAlgorithm", orSymmetric(""))
		}),
		"GenerateMac": on(s, "GenerateMac", func(in *api.GenerateMacInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).with("MacAlgorithm", in.MacAlgorithm)
		}),
		"GetPublicKey": on(s, "GetPublicKey", func(in *api.GetPublicKeyInput, q *question) { *q = *use(q.action, &in.KeyId, in.GrantTokens) }),
		"ReEncrypt":    service.OnAll("kms:ReEncryptFrom", s.reEncryptTargets),
		"Sign": on(s, "Sign", func(in *api.SignInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).with("SigningAlgorithm", in.SigningAlgorithm).with("MessageType", string(formOf(in.MessageType)))
		}),
		"Verify": on(s, "Verify", func(in *api.VerifyInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).with("SigningAlgorithm", in.SigningAlgorithm).with("MessageType", string(formOf(in.MessageType)))
		}),
		"VerifyMac": on(s, "VerifyMac", func(in *api.VerifyMacInput, q *question) {
			*q = *use(q.action, &in.KeyId, in.GrantTokens).with("MacAlgorithm", in.MacAlgorithm)
		}),
	}
}

// use is the question of a call that uses a key, which may be one of another account and may be named by an alias.
func use(action string, id *string, tokens []string) *question {
	return &question{action: action, id: id, abroad: true, byAlias: true, tokens: tokens}
}

// within adds an encryption context, which grants may be bound to.
func (q *question) within(context map[string]string) *question {
	q.context, q.hasContext = context, true
	return q
}

// askSource is ask for a call that opens a ciphertext, which may tell its key.
func (s *Service) askSource(ctx context.Context, q *question, algorithm string, blob []byte) ([]service.Target, error) {
	algorithm = orSymmetric(algorithm)
	q.with("EncryptionAlgorithm", algorithm)
	if q.id != nil {
		return s.ask(ctx, q)
	}
	f, err := s.source(ctx, nil, algorithm, blob)
	if err != nil {
		return nil, err
	}
	if err := s.checkTokens(q.tokens); err != nil {
		return nil, err
	}
	t, err := s.target(ctx, f, q)
	return []service.Target{t}, err
}

func (s *Service) reEncryptTargets(ctx context.Context, in *api.ReEncryptInput) ([]service.Target, error) {
	from, err := s.askSource(ctx, use("kms:ReEncryptFrom", in.SourceKeyId, in.GrantTokens).within(in.SourceEncryptionContext), in.SourceEncryptionAlgorithm, in.CiphertextBlob)
	if err != nil {
		return nil, err
	}
	q := use("kms:ReEncryptTo", &in.DestinationKeyId, in.GrantTokens).within(in.DestinationEncryptionContext)
	to, err := s.ask(ctx, q.with("EncryptionAlgorithm", orSymmetric(in.DestinationEncryptionAlgorithm)))
	if err != nil {
		return nil, err
	}
	same := []string{strconv.FormatBool(from[0].ARN == to[0].ARN)}
	from[0].Condition["kms:ReEncryptOnSameKey"], to[0].Condition["kms:ReEncryptOnSameKey"] = same, same
	return append(from, to...), nil
}
