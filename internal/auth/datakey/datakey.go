// Package datakey makes data keys under the platform's master keys, for what services encrypt when no key is named. Keys that have a name belong to
// the key service (services/kms), which passes on what is not for it; naming one here is refused.
package datakey

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/auth/token"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

const keySize = 32

// Keys implements [port.Keys] on a ring of master keys. Make one with [New].
type Keys struct {
	ring   *token.Keyring
	random io.Reader
}

// New returns keys that are wrapped under ring and come from random.
func New(ring *token.Keyring, random io.Reader) *Keys { return &Keys{ring, random} }

// CheckKey implements [port.Keys].
func (k *Keys) CheckKey(_ context.Context, use port.KeyUse) (string, error) { return managed(use) }

// GenerateDataKey implements [port.Keys].
func (k *Keys) GenerateDataKey(_ context.Context, use port.KeyUse) (port.DataKey, error) {
	arn, err := managed(use)
	if err != nil {
		return port.DataKey{}, err
	}
	plain := make([]byte, keySize)
	if _, err := io.ReadFull(k.random, plain); err != nil {
		return port.DataKey{}, fmt.Errorf("make a data key: %w", err)
	}
	wrapped, err := k.ring.Seal(purpose(arn, use.Context), plain)
	if err != nil {
		return port.DataKey{}, fmt.Errorf("wrap a data key: %w", err)
	}
	return port.DataKey{Key: arn, Plain: plain, Wrapped: wrapped}, nil
}

// Decrypt implements [port.Keys].
func (k *Keys) Decrypt(_ context.Context, use port.KeyUse, wrapped []byte) ([]byte, error) {
	arn, err := managed(use)
	if err != nil {
		return nil, err
	}
	plain, err := k.ring.Open(purpose(arn, use.Context), wrapped)
	if errors.Is(err, token.ErrInvalid) {
		return nil, &service.Error{
			Code: "KMS.InvalidCiphertextException", Status: http.StatusBadRequest, Err: err,
			Message: "The data key was not made under this key and context, or the master key that wrapped it is gone.",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open a data key: %w", err)
	}
	return plain, nil
}

// ID returns the id of a service's own key in an account and a region.
func ID(service, account, region string) string {
	h := sha256.Sum256([]byte("managed key\x00" + service + "\x00" + account + "\x00" + region))
	id := hex.EncodeToString(h[:16])
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

// managed returns the ARN of the service's own key, which is the only one that there is.
func managed(use port.KeyUse) (string, error) {
	id := ID(use.Service, use.Account, use.Region)
	arn := "arn:aws:kms:" + use.Region + ":" + use.Account + ":key/" + id
	alias := "alias/aws/" + use.Service
	switch use.Key {
	case "", id, arn, alias, "arn:aws:kms:" + use.Region + ":" + use.Account + ":" + alias:
		return arn, nil
	}
	return "", &service.Error{
		Code: "KMS.NotFoundException", Status: http.StatusBadRequest,
		Message: "Key '" + use.Key + "' does not exist. Lambent has one key for each service, such as " + alias + "; leave the key out to use it.",
	}
}

// purpose binds a wrapped key to the key's ARN and to the encryption context.
func purpose(arn string, context map[string]string) string {
	var b strings.Builder
	b.WriteString("data key " + arn)
	for _, name := range slices.Sorted(maps.Keys(context)) {
		b.WriteString(" " + strconv.Quote(name) + "=" + strconv.Quote(context[name]))
	}
	return b.String()
}

var _ port.Keys = (*Keys)(nil)
