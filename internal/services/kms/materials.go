package kms

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// materialRecord is one material of a key.
type materialRecord struct {
	// ID is the KeyMaterialId.
	ID string
	// State is CURRENT, NON_CURRENT or PENDING_ROTATION.
	State string
	// Sealed is the material under the platform's master keys; nil when imported material was deleted or has expired.
	Sealed []byte `json:",omitempty"`
	// Expiration, ValidTo and Description are those of an import.
	Expiration, Description string    `json:",omitempty"`
	ValidTo                 time.Time `json:",omitzero"`
	// Rotated is when it became the current one by a rotation of the type Rotation.
	Rotated  time.Time `json:",omitzero"`
	Rotation string    `json:",omitempty"`
}

// materialID returns the KeyMaterialId of a secret: the same for the same material of one key, and useless to whoever has not the material.
func materialID(keyID string, secret []byte) string {
	h := hmac.New(sha256.New, secret)
	_, _ = h.Write([]byte("lambent kms material of " + keyID)) // a hash never fails
	return hex.EncodeToString(h.Sum(nil))
}

func (f *found) purpose(n uint32) string {
	return "kms material " + f.arn() + " " + strconv.FormatUint(uint64(n), 10)
}

// addMaterial gives a key another material, under the next number.
func (s *Service) addMaterial(tx store.Txn, f *found, secret []byte, m materialRecord) error {
	f.Last++
	m.ID = materialID(f.ID, secret)
	return s.setMaterial(tx, f, f.Last, secret, m)
}

func (s *Service) setMaterial(tx store.Txn, f *found, n uint32, secret []byte, m materialRecord) (err error) {
	if m.Sealed, err = s.options.Ring.Seal(f.purpose(n), secret); err != nil {
		return err
	}
	return record.Set(tx, f.material(f.ID, n), m)
}

// openMaterial returns material n of a key in the clear. One that is not there is the key's fault: its import was deleted.
func (s *Service) openMaterial(r store.Reader, f *found, n uint32) (secret []byte, m materialRecord, err error) {
	m, there, err := record.Get[materialRecord](r, f.material(f.ID, n))
	switch {
	case err != nil:
		return nil, m, err
	case !there:
		return nil, m, silent(codeCiphertext)
	case m.Sealed == nil:
		return nil, m, refused(codeState, "%s is pending import.", f.arn())
	}
	secret, err = s.options.Ring.Open(f.purpose(n), m.Sealed)
	return secret, m, err
}

// numbered is a material with its number.
type numbered struct {
	n uint32
	materialRecord
}

// allMaterial returns the materials of a key in the order of their numbers.
func (f *found) allMaterial(r store.Reader) (all []numbered, err error) {
	prefix := f.materials(f.ID)
	for row, err := range record.Range[materialRecord](r, prefix.Span()) {
		if err != nil {
			return nil, err
		}
		all = append(all, numbered{uint32(key.Decode(row.Key).Skip(prefix).Uint()), row.Value})
	}
	return all, nil
}

// promote makes material n the current one, by a rotation.
func (f *found) promote(tx store.Txn, n uint32, kind string, now time.Time) error {
	for number, state := range map[uint32]string{f.Current: api.KeyMaterialStateNonCurrent, n: api.KeyMaterialStateCurrent} {
		m, there, err := record.Get[materialRecord](tx, f.material(f.ID, number))
		if err != nil || !there {
			return err
		}
		m.State = state
		if number == n {
			m.Rotated, m.Rotation = now, kind
		}
		if err := record.Set(tx, f.material(f.ID, number), m); err != nil {
			return err
		}
	}
	f.Current = n
	return nil
}
