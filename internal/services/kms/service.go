package kms

import (
	"context"
	"time"

	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// makingAtOnce is how many RSA keys are made at a time: each takes a processor for a tenth of a second or more.
const makingAtOnce = 2

// Options are what the key service needs beside what every service gets.
type Options struct {
	// Ring has the platform's master keys.
	Ring *token.Keyring
	// Platform makes the data keys of services that name no key.
	Platform port.Keys
}

// Service is the key service. Make one with [New].
type Service struct {
	deps    service.Deps
	options Options
	// making has room for one element for each key that may be made at a time.
	making chan struct{}
}

// New returns the key service on the given collaborators, and its port for other services.
func New(d service.Deps, o Options) (service.Service, *Keys) {
	s := newService(d, o)
	return s.describe(), &Keys{s}
}

func newService(d service.Deps, o Options) *Service {
	return &Service{deps: d, options: o, making: make(chan struct{}, makingAtOnce)}
}

func (s *Service) describe() service.Service {
	h := &api.Handlers{
		CancelKeyDeletion:                   s.cancelKeyDeletion,
		CreateAlias:                         s.createAlias,
		CreateGrant:                         s.createGrant,
		CreateKey:                           s.createKey,
		Decrypt:                             s.decrypt,
		DeleteAlias:                         s.deleteAlias,
		DeleteImportedKeyMaterial:           s.deleteImportedKeyMaterial,
		DeriveSharedSecret:                  s.deriveSharedSecret,
		DescribeCustomKeyStores:             s.describeCustomKeyStores,
		DescribeKey:                         s.describeKey,
		DisableKey:                          s.disableKey,
		DisableKeyRotation:                  s.disableKeyRotation,
		EnableKey:                           s.enableKey,
		EnableKeyRotation:                   s.enableKeyRotation,
		Encrypt:                             s.encrypt,
		GenerateDataKey:                     s.generateDataKey,
		GenerateDataKeyPair:                 s.generateDataKeyPair,
		GenerateDataKeyPairWithoutPlaintext: s.generateDataKeyPairWithoutPlaintext,
		GenerateDataKeyWithoutPlaintext:     s.generateDataKeyWithoutPlaintext,
		GenerateMac:                         s.generateMac,
		GenerateRandom:                      s.generateRandom,
		GetKeyLastUsage:                     s.getKeyLastUsage,
		GetKeyPolicy:                        s.getKeyPolicy,
		GetKeyRotationStatus:                s.getKeyRotationStatus,
		GetParametersForImport:              s.getParametersForImport,
		GetPublicKey:                        s.getPublicKey,
		ImportKeyMaterial:                   s.importKeyMaterial,
		ListAliases:                         s.listAliases,
		ListGrants:                          s.listGrants,
		ListKeyPolicies:                     s.listKeyPolicies,
		ListKeyRotations:                    s.listKeyRotations,
		ListKeys:                            s.listKeys,
		ListResourceTags:                    s.listResourceTags,
		ListRetirableGrants:                 s.listRetirableGrants,
		PutKeyPolicy:                        s.putKeyPolicy,
		ReEncrypt:                           s.reEncrypt,
		ReplicateKey:                        s.replicateKey,
		RetireGrant:                         s.retireGrant,
		RevokeGrant:                         s.revokeGrant,
		RotateKeyOnDemand:                   s.rotateKeyOnDemand,
		ScheduleKeyDeletion:                 s.scheduleKeyDeletion,
		Sign:                                s.sign,
		TagResource:                         s.tagResource,
		UntagResource:                       s.untagResource,
		UpdateAlias:                         s.updateAlias,
		UpdateKeyDescription:                s.updateKeyDescription,
		UpdatePrimaryRegion:                 s.updatePrimaryRegion,
		Verify:                              s.verify,
		VerifyMac:                           s.verifyMac,
	}
	return service.Service{
		API: api.API, Operations: h.Bindings(), Access: s.access(), Resources: s.resources(),
		Jobs: []events.Kind{{Name: deleteKind, Handle: s.remove}, {Name: rotateKind, Handle: s.rotate}, {Name: expireKind, Handle: s.expire}},
	}
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC() }

// describeCustomKeyStores answers that there are none.
func (s *Service) describeCustomKeyStores(_ context.Context, in *api.DescribeCustomKeyStoresInput) (*api.DescribeCustomKeyStoresOutput, error) {
	if in.CustomKeyStoreId != nil || in.CustomKeyStoreName != nil {
		return nil, refused("CustomKeyStoreNotFoundException", "There are no custom key stores in Lambent.")
	}
	return &api.DescribeCustomKeyStoresOutput{CustomKeyStores: []api.CustomKeyStoresListEntry{}, Truncated: new(false)}, nil
}
