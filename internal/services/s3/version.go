package s3

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// version is one version of an object: the head of its row. An inline body follows it in the same row.
type version struct {
	Seq      uint64    `json:"q"`
	Size     int64     `json:"n"`
	ETag     string    `json:"e"`
	Modified time.Time `json:"m"`
	Sum      checksum  `json:"c"`
	Headers  headers   `json:"h"`
	Tags     []tag     `json:"t,omitempty"`
	// Blob names the body when it is neither inline nor a table.
	Blob blob.ID `json:"b,omitempty"`
	// Upload is the multipart upload that made the version, and names its part table; Parts is how many there are.
	Upload string `json:"u,omitempty"`
	Parts  int32  `json:"p,omitempty"`

	inline []byte
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

// current is what a listing shows of an object, and the sequence number of its version.
type current struct {
	Seq       uint64 `json:"q"`
	Size      int64  `json:"n"`
	ETag      string `json:"e"`
	Modified  int64  `json:"m"` // Unix seconds
	Algorithm string `json:"a,omitempty"`
	Type      string `json:"t,omitempty"`
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

// findVersion returns the current version of an object; ok is false when there is none. Its inline body is valid in
// the transaction only.
func findVersion(r store.Reader, b *bucket, object string) (v *version, ok bool, err error) {
	cur, ok, err := record.Get[current](r, b.currentKey(object))
	if err != nil || !ok {
		return nil, false, wrap("read object", err)
	}
	row, err := r.Get(b.versionKey(object, cur.Seq))
	if err != nil {
		return nil, false, fmt.Errorf("read version %d of an object: %w", cur.Seq, err)
	}
	v = &version{}
	if v.inline, err = decodeRow(row, v); err != nil {
		return nil, false, err
	}
	return v, true, nil
}

// setVersion makes v the current version of an object and drops prev, which may be nil.
func (s *Service) setVersion(tx store.Txn, b *bucket, object string, v, prev *version) error {
	if prev != nil {
		if err := s.dropVersion(tx, b, object, prev); err != nil {
			return err
		}
	}
	row, err := encodeRow(v, v.inline)
	if err != nil {
		return err
	}
	tx.Set(b.versionKey(object, v.Seq), row)
	return record.Set(tx, b.currentKey(object), current{
		Seq: v.Seq, Size: v.Size, ETag: v.ETag, Modified: v.Modified.Unix(), Algorithm: v.Sum.Algorithm, Type: v.Sum.Type,
	})
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
