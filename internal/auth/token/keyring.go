package token

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	version  = 1
	saltSize = 16
	headSize = 1 + 4 + saltSize
	// KeySize is the length of a master key, in bytes.
	KeySize = 32
)

// ErrInvalid tells that a sealed text was not sealed under a key of the ring, or was changed.
var ErrInvalid = errors.New("sealed text is not valid")

// Keyring seals and opens. Make one with [NewKeyring]. It is safe for concurrent use.
type Keyring struct {
	keys    map[uint32][]byte
	current uint32
	rand    io.Reader
}

// NewKeyring returns a ring of master keys of [KeySize] bytes by id. It seals under current and
// takes salts from rand.
func NewKeyring(keys map[uint32][]byte, current uint32, rand io.Reader) (*Keyring, error) {
	for id, k := range keys {
		if len(k) != KeySize {
			return nil, fmt.Errorf("master key %d has %d bytes, not %d", id, len(k), KeySize)
		}
	}
	if keys[current] == nil {
		return nil, fmt.Errorf("master key %d is missing", current)
	}
	return &Keyring{keys, current, rand}, nil
}

// Seal encrypts plain for purpose, which must be the same when it is opened.
func (k *Keyring) Seal(purpose string, plain []byte) ([]byte, error) {
	head := make([]byte, headSize, headSize+len(plain)+16)
	head[0] = version
	binary.BigEndian.PutUint32(head[1:], k.current)
	if _, err := io.ReadFull(k.rand, head[5:]); err != nil {
		return nil, fmt.Errorf("read a salt: %w", err)
	}
	aead, err := k.aead(head, purpose)
	if err != nil {
		return nil, err
	}
	return aead.Seal(head, make([]byte, aead.NonceSize()), plain, head), nil
}

// Open decrypts what Seal made for the same purpose.
func (k *Keyring) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < headSize || sealed[0] != version {
		return nil, ErrInvalid
	}
	aead, err := k.aead(sealed[:headSize], purpose)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed[headSize:], sealed[:headSize])
	if err != nil {
		return nil, ErrInvalid
	}
	return plain, nil
}

// Stale reports whether sealed is under an older key than the current one, so that it should be
// sealed again.
func (k *Keyring) Stale(sealed []byte) bool {
	return len(sealed) >= headSize && binary.BigEndian.Uint32(sealed[1:]) != k.current
}

func (k *Keyring) aead(head []byte, purpose string) (cipher.AEAD, error) {
	key, err := k.derive(head, "lambent seal "+purpose)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

// derive returns the key of a head for one use.
func (k *Keyring) derive(head []byte, use string) ([]byte, error) {
	master := k.keys[binary.BigEndian.Uint32(head[1:])]
	if master == nil {
		return nil, ErrInvalid
	}
	key, err := hkdf.Key(sha256.New, master, head[5:headSize], use, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return key, nil
}
