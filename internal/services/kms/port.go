package kms

import (
	"context"
	"errors"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/store"
)

// Keys implements [port.Keys]. What services encrypt without naming a key is under the platform's keys; all else is under keys of the key service.
type Keys struct{ s *Service }

// dataKeySize is the length in bytes of the data keys of services.
const dataKeySize = 32

// CheckKey implements [port.Keys].
func (k *Keys) CheckKey(ctx context.Context, use port.KeyUse) (string, error) {
	f, err := k.key(ctx, use)
	if err == nil {
		err = f.seals("GenerateDataKey")
	}
	if err != nil {
		return "", prefixed(err)
	}
	return f.arn(), nil
}

// GenerateDataKey implements [port.Keys].
func (k *Keys) GenerateDataKey(ctx context.Context, use port.KeyUse) (port.DataKey, error) {
	if use.Key == "" {
		return k.s.options.Platform.GenerateDataKey(ctx, use)
	}
	f, err := k.allowed(ctx, use, "GenerateDataKey")
	if err != nil {
		return port.DataKey{}, err
	}
	plain, err := material.NewSecret(dataKeySize, k.s.deps.Random)
	if err != nil {
		return port.DataKey{}, err
	}
	var blob []byte
	err = k.s.deps.Store.View(ctx, func(r store.Reader) error {
		blob, _, err = k.s.sealed(r, f, plain, use.Context)
		return err
	})
	if err != nil {
		return port.DataKey{}, prefixed(err)
	}
	k.s.used(ctx, f, "GenerateDataKey")
	return port.DataKey{Key: f.arn(), Plain: plain, Wrapped: blob}, nil
}

// Decrypt implements [port.Keys].
func (k *Keys) Decrypt(ctx context.Context, use port.KeyUse, wrapped []byte) ([]byte, error) {
	h, ours := readHead(wrapped)
	if !ours {
		return k.s.options.Platform.Decrypt(ctx, use, wrapped)
	}
	use.Key = h.id // An alias may have been moved since.
	f, err := k.allowed(ctx, use, "Decrypt")
	if err != nil {
		return nil, err
	}
	var plain []byte
	err = k.s.deps.Store.View(ctx, func(r store.Reader) error {
		plain, _, err = k.s.opened(r, f, wrapped, use.Context)
		return err
	})
	if err != nil {
		return nil, prefixed(err)
	}
	k.s.used(ctx, f, "Decrypt")
	return plain, nil
}

// key returns the key that a service uses, in the place of the data.
func (k *Keys) key(ctx context.Context, use port.KeyUse) (*found, error) {
	r := *service.RequestFrom(ctx)
	r.Account, r.Region = use.Account, use.Region
	id := use.Key
	if id == "" {
		id = managedPrefix + use.Service
	}
	return k.s.find(service.WithRequest(ctx, &r), id)
}

// seals refuses keys that cannot make data keys now.
func (f *found) seals(operation string) error {
	if f.Spec != material.Symmetric {
		return refused(codeUsage, "%s key usage is %s which is not valid for %s.", f.arn(), f.Usage, operation)
	}
	return f.usable()
}

// allowed returns the key of a use that the caller may make.
func (k *Keys) allowed(ctx context.Context, use port.KeyUse, operation string) (*found, error) {
	f, err := k.key(ctx, use)
	if err != nil {
		return nil, prefixed(err)
	}
	if !use.Granted {
		t, err := k.s.target(ctx, f, (&question{action: "kms:" + operation}).within(use.Context).with("ViaService", f.host(use.Service)).with("EncryptionAlgorithm", material.Symmetric))
		if err != nil {
			return nil, err
		}
		if err := k.s.deps.Door.Allow(ctx, t); err != nil {
			return nil, err
		}
	}
	return f, prefixed(f.seals(operation))
}

// prefixed returns an error of the key service as other services pass it on.
func prefixed(err error) error {
	var e *service.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Code = "KMS." + c.Code
	if c.Message == "" {
		c.Message = "The ciphertext refers to a key that does not exist, or was not made under this key and encryption context."
	}
	return &c
}

var _ port.Keys = (*Keys)(nil)
