package kms

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"

	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The head of a symmetric ciphertext; see the comment of the package.
const (
	blobVersion   = 2
	formSingle    = 0
	formMulti     = 1
	keyIDSize     = 16
	headOfKeySize = 2 + keyIDSize + 4
	headSize      = headOfKeySize + material.SaltSize
)

// head returns the head of a new ciphertext of the current material of a key.
func (f *found) head(random io.Reader) ([]byte, error) {
	out := make([]byte, 2, headSize)
	out[0] = blobVersion
	if f.MultiRegion {
		out[1] = formMulti
	}
	id, err := hex.DecodeString(strings.ReplaceAll(strings.TrimPrefix(f.ID, multiIDs), "-", ""))
	if err != nil {
		return nil, err
	}
	out = binary.BigEndian.AppendUint32(append(out, id...), f.Current)
	salt := out[len(out):headSize]
	_, err = io.ReadFull(random, salt)
	return out[:headSize], err
}

// blobHead is what a ciphertext tells of its key.
type blobHead struct {
	id       string
	multi    bool
	material uint32
}

// readHead reads the head of a ciphertext.
func readHead(blob []byte) (h blobHead, ok bool) {
	if len(blob) < headSize || blob[0] != blobVersion || blob[1] > formMulti {
		return h, false
	}
	id := hex.EncodeToString(blob[2 : 2+keyIDSize])
	if h.multi = blob[1] == formMulti; h.multi {
		h.id = multiIDs + id
	} else {
		h.id = strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")
	}
	h.material = binary.BigEndian.Uint32(blob[2+keyIDSize:])
	return h, true
}

// sealed returns plain as a ciphertext of a symmetric key, with the id of the material that encrypted it.
func (s *Service) sealed(r store.Reader, f *found, plain []byte, context map[string]string) (blob []byte, materialID string, err error) {
	secret, m, err := s.openMaterial(r, f, f.Current)
	if err != nil {
		return nil, "", err
	}
	head, err := f.head(s.deps.Random)
	if err != nil {
		return nil, "", err
	}
	blob, err = material.Seal(secret, head, plain, context)
	return blob, m.ID, err
}

// opened returns the text of a ciphertext of a symmetric key.
func (s *Service) opened(r store.Reader, f *found, blob []byte, context map[string]string) (plain []byte, materialID string, err error) {
	h, ok := readHead(blob)
	if !ok || h.id != f.ID {
		return nil, "", silent(codeCiphertext)
	}
	secret, m, err := s.openMaterial(r, f, h.material)
	if err != nil {
		return nil, "", err
	}
	plain, err = material.Open(secret, blob[:headSize], blob[headSize:], context)
	if err != nil {
		return nil, "", silent(codeCiphertext)
	}
	return plain, m.ID, nil
}

// keyOfBlob returns the key that made a ciphertext. One of a multi-Region key is opened in the region of the call.
func (s *Service) keyOfBlob(ctx context.Context, blob []byte) (*found, error) {
	h, ok := readHead(blob)
	if !ok {
		return nil, silent(codeCiphertext)
	}
	var f *found
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		at, there, err := record.Get[homeRecord](r, home(h.id))
		if err != nil {
			return err
		}
		if !there {
			return silent(codeCiphertext)
		}
		p := place{at.Account, at.Region}
		if h.multi {
			p.region = placeOf(ctx).region
		}
		if p.region != placeOf(ctx).region {
			return silent(codeCiphertext)
		}
		f, err = look(r, p, h.id)
		return err
	})
	return f, err
}
