package sqs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"sync"

	"lambent.dev/lambent/internal/store"
)

// A receipt handle is the queue's id, the message's id and the number of the receive, and a code that proves that this platform made it. It needs no row of its own.
const (
	handleBody = 8 + 24 + 8
	handleCode = 16
	secretSize = 32
)

// codes makes the codes of handles. The work on the key is done once and not for each code.
type codes struct{ idle sync.Pool }

func newCodes(secret []byte) *codes {
	return &codes{sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

// appendCode appends the code of b to it.
func (c *codes) appendCode(b []byte) []byte {
	m := c.idle.Get().(hash.Hash)
	defer c.idle.Put(m)
	m.Reset()
	_, _ = m.Write(b)
	return m.Sum(b)[:len(b)+handleCode]
}

// codes returns what makes the codes of handles, with a key that is made when it is first needed.
func (s *Service) codes(ctx context.Context) (*codes, error) {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	if s.secrets.codes != nil {
		return s.secrets.codes, nil
	}
	fresh := make([]byte, secretSize)
	if _, err := io.ReadFull(s.random, fresh); err != nil {
		return nil, err
	}
	var found []byte
	err := s.store.Update(ctx, func(tx store.Txn) error {
		b, err := tx.Get(secretKey())
		if errors.Is(err, store.ErrNotFound) {
			tx.Set(secretKey(), fresh)
			found = fresh
			return nil
		}
		found = append([]byte(nil), b...)
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	s.secrets.codes = newCodes(found)
	return s.secrets.codes, nil
}

// handle returns the receipt handle of a receive.
func (q *queue) handle(codes *codes, id id, received uint64) string {
	b := make([]byte, 0, handleBody+sha256.Size)
	b = binary.BigEndian.AppendUint64(b, q.ID)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, received)
	return base64.URLEncoding.EncodeToString(codes.appendCode(b))
}

// receipt is what a handle says.
type receipt struct {
	queue    uint64
	id       id
	received uint64
}

func (s *Service) openHandle(ctx context.Context, handle string) (receipt, error) {
	codes, err := s.codes(ctx)
	if err != nil {
		return receipt{}, err
	}
	b, err := base64.URLEncoding.DecodeString(handle)
	// Base64 has several spellings of the same bytes; only the one that was given out is a handle.
	if err != nil || len(b) != handleBody+handleCode || base64.URLEncoding.EncodeToString(b) != handle {
		return receipt{}, badHandle(handle)
	}
	if !hmac.Equal(codes.appendCode(b[:handleBody:handleBody]), b) {
		return receipt{}, badHandle(handle)
	}
	r := receipt{queue: binary.BigEndian.Uint64(b), received: binary.BigEndian.Uint64(b[handleBody-8:])}
	copy(r.id[:], b[8:])
	return r, nil
}
