package s3

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// version is one version of an object, or a delete marker: the head of its row. An inline body follows it in the same row.
type version struct {
	attributes

	Seq      uint64    `json:"q"`
	Size     int64     `json:"n"`
	ETag     string    `json:"e"`
	Modified time.Time `json:"m"`
	Sum      checksum  `json:"c"`
	// Blob names the body when it is neither inline nor a table.
	Blob blob.ID `json:"b,omitempty"`
	// Blocks are the block sums of a plain body in a blob.
	Blocks []byte `json:"bs,omitempty"`
	// Upload is the multipart upload that made the version, and names its part table; Parts is how many there are.
	Upload string `json:"u,omitempty"`
	Parts  int32  `json:"p,omitempty"`
	// Versioned tells that the version has an id of its own; without one it is the null version.
	Versioned bool `json:"v,omitempty"`
	// Replication is the replication status: "", PENDING, COMPLETED, FAILED or REPLICA.
	Replication string `json:"rp,omitempty"`
	// Damaged tells that a scrub found other bytes than were stored.
	Damaged bool `json:"bad,omitempty"`
	// Marker tells that this is a delete marker, which has no body.
	Marker bool `json:"d,omitempty"`

	inline []byte
}

// attributes are what an object has beside its body. A multipart upload keeps them for the object that it will make.
type attributes struct {
	Headers headers `json:"h"`
	Tags    []tag   `json:"t,omitempty"`
	// Class is the storage class; empty means STANDARD.
	Class string `json:"sc,omitempty"`
	// Restored is until when an archived object can be read; zero when it was not restored.
	Restored time.Time `json:"rs,omitzero"`
	// Renamed is the client token of the rename that gave the version its key.
	Renamed string     `json:"rn,omitempty"`
	Lock    objectLock `json:"l,omitzero"`
	// Owner is the account of the owner when it is not that of the bucket.
	Owner string  `json:"o,omitempty"`
	ACL   []grant `json:"acl,omitempty"`
	// Seal is how the bodies are encrypted; nil when they are not.
	Seal *encryption `json:"x,omitempty"`
}

// headers are the headers that an object keeps and gives back.
type headers struct {
	ContentType        string            `json:"type,omitempty"`
	CacheControl       string            `json:"cache,omitempty"`
	ContentDisposition string            `json:"disp,omitempty"`
	ContentEncoding    string            `json:"enc,omitempty"`
	ContentLanguage    string            `json:"lang,omitempty"`
	Expires            string            `json:"exp,omitempty"`
	Redirect           string            `json:"redir,omitempty"`
	Meta               map[string]string `json:"meta,omitempty"`
}

// tag is a key and a value on an object.
type tag struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// encodeRow returns a row of a JSON head, preceded by its length, and a body.
func encodeRow(head any, inline []byte) ([]byte, error) {
	j, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("encode row: %w", err)
	}
	row := make([]byte, 0, len(j)+len(inline)+binary.MaxVarintLen32)
	row = binary.AppendUvarint(row, uint64(len(j)))
	row = append(row, j...)
	return append(row, inline...), nil
}

// decodeRow reads a row of encodeRow. The body is a part of row.
func decodeRow(row []byte, head any) ([]byte, error) {
	n, used := binary.Uvarint(row)
	if used <= 0 || n > uint64(len(row)-used) {
		return nil, errors.New("decode row: bad length")
	}
	if err := json.Unmarshal(row[used:used+int(n)], head); err != nil {
		return nil, fmt.Errorf("decode row: %w", err)
	}
	return row[used+int(n):], nil
}

func decodeVersion(row []byte) (*version, error) {
	v := &version{}
	var err error
	v.inline, err = decodeRow(row, v)
	return v, err
}

// findVersion returns the current version of an object; ok is false when there is none. Its inline body is valid in
// the transaction only.
func findVersion(r store.Reader, b *bucket, object string) (v *version, ok bool, err error) {
	cur, ok, err := getCurrent(r, b, object)
	if err != nil || !ok {
		return nil, false, err
	}
	v, err = getVersion(r, b, object, cur.Seq)
	if err == nil && v == nil {
		err = fmt.Errorf("read version %d of an object: %w", cur.Seq, store.ErrNotFound)
	}
	return v, err == nil, err
}

// getVersion returns the version with a sequence number, or nil.
func getVersion(r store.Reader, b *bucket, object string, seq uint64) (*version, error) {
	row, err := r.Get(b.versionKey(object, seq))
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read version %d of an object: %w", seq, err)
	}
	return decodeVersion(row)
}

// latestVersion returns the newest version of an object, which may be a delete marker; nil when there is none.
func latestVersion(r store.Reader, b *bucket, object string) (*version, error) {
	rows := b.row("ver").Str(object).Span()
	rows.Limit = 1
	for p, err := range r.Range(rows) {
		if err != nil {
			return nil, fmt.Errorf("read versions: %w", err)
		}
		return decodeVersion(p.Value)
	}
	return nil, nil
}

// nullVersion returns the null version of an object, or nil.
func nullVersion(r store.Reader, b *bucket, object string) (*version, error) {
	cur, ok, err := getCurrent(r, b, object)
	if err != nil {
		return nil, err
	}
	if ok && !cur.Versioned {
		return getVersion(r, b, object, cur.Seq)
	}
	raw, err := r.Get(b.nullKey(object))
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read null version: %w", err)
	}
	d := key.Decode(raw)
	seq := d.Uint()
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("read null version: %w", err)
	}
	return getVersion(r, b, object, seq)
}

// findByID returns the version that a version id names; nil when there is none.
func findByID(r store.Reader, b *bucket, object, id string) (*version, error) {
	if id == nullID {
		return nullVersion(r, b, object)
	}
	seq, ok := seqOf(id)
	if !ok {
		return nil, nil
	}
	v, err := getVersion(r, b, object, seq)
	if err != nil || v == nil || !v.Versioned {
		return nil, err
	}
	return v, nil
}

// setVersion makes v, which may be a delete marker, the newest version of an object, as the bucket's versioning says. It returns
// what it dropped; prev is the current version, which may be nil.
func (s *Service) setVersion(tx store.Txn, b *bucket, object string, v, prev *version) error {
	v.Versioned = b.Versioning == versioningEnabled
	switch {
	case v.Versioned && prev != nil && !prev.Versioned:
		tx.Set(b.nullKey(object), key.Key{}.Uint(prev.Seq))
	case b.Versioning == versioningSuspended:
		old, err := nullVersion(tx, b, object)
		if err != nil {
			return err
		}
		if old != nil {
			if err := s.dropVersion(tx, b, object, old); err != nil {
				return err
			}
		}
		tx.Delete(b.nullKey(object))
	case b.Versioning == "" && prev != nil:
		if err := s.dropVersion(tx, b, object, prev); err != nil {
			return err
		}
	}
	if err := putRow(tx, b, object, v); err != nil {
		return err
	}
	if v.Marker {
		tx.Delete(b.currentKey(object))
		if !v.Versioned {
			tx.Set(b.nullKey(object), key.Key{}.Uint(v.Seq))
		}
		return nil
	}
	setCurrent(tx, b, object, v)
	return nil
}

// putRow writes the row of a version.
func putRow(tx store.Txn, b *bucket, object string, v *version) error {
	row, err := encodeRow(v, v.inline)
	if err != nil {
		return err
	}
	tx.Set(b.versionKey(object, v.Seq), row)
	return nil
}

// deleteVersion removes one version for good. When it was the newest, the one before it takes its place.
func (s *Service) deleteVersion(tx store.Txn, b *bucket, object string, v *version) error {
	if err := s.dropVersion(tx, b, object, v); err != nil {
		return err
	}
	if !v.Versioned {
		tx.Delete(b.nullKey(object))
	}
	newest, err := latestVersion(tx, b, object)
	if err != nil {
		return err
	}
	if newest == nil || newest.Marker {
		tx.Delete(b.currentKey(object))
		return nil
	}
	if newest.Seq > v.Seq {
		return nil
	}
	if !newest.Versioned {
		tx.Delete(b.nullKey(object))
	}
	setCurrent(tx, b, object, newest)
	return nil
}

// dropVersion removes a version's rows, and its bodies when nothing else refers to them.
func (s *Service) dropVersion(tx store.Txn, b *bucket, object string, v *version) error {
	tx.Delete(b.versionKey(object, v.Seq))
	var ids []blob.ID
	if v.Blob != "" {
		ids = append(ids, v.Blob)
	}
	if v.Upload != "" {
		parts, err := tableParts(tx, b, v.Upload)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if p.Blob != "" {
				ids = append(ids, p.Blob)
			}
		}
		tx.DeleteRange(b.tableKey(v.Upload), b.tableKey(v.Upload).End())
	}
	return s.release(tx, ids)
}

// nextSeq returns a sequence number that is greater than every one given before, as far as this process knows, and than that
// of prev. It is taken inside the transaction: two writers of one key conflict on its row, so that the numbers of a key follow its commits.
func (s *Service) nextSeq(prev *version) uint64 {
	for {
		last := s.lastSeq.Load()
		next := max(uint64(s.now().UnixNano()), last+1)
		if prev != nil {
			next = max(next, prev.Seq+1)
		}
		if s.lastSeq.CompareAndSwap(last, next) {
			return next
		}
	}
}
