package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
)

// Value seals something small, such as a password, as a whole: AES-256-GCM with a random nonce in front. key has [KeySize] bytes and should be used for
// one value alone.
func Value(key, plain []byte) ([]byte, error) {
	box, err := valueBox(key)
	if err != nil {
		return nil, err
	}
	return box.Seal(nil, nil, plain, nil), nil
}

// OpenValue returns what [Value] sealed with key, or [ErrDamaged].
func OpenValue(key, sealed []byte) ([]byte, error) {
	box, err := valueBox(key)
	if err != nil {
		return nil, err
	}
	plain, err := box.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

func valueBox(key []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("seal: a key of %d bytes", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
