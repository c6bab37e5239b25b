package sources

import (
	"bytes"
	"encoding/json"
	"time"

	"lambent.dev/lambent/internal/lib/jsonscan"
	"lambent.dev/lambent/internal/lib/pattern"
)

// streamRecord is one record of a stream.
type streamRecord struct {
	sequence  string
	partition string
	arrived   time.Time
	// json is the record as the function sees it, filter as filters see it.
	json, filter []byte
	done         bool // guarded by the tracker
}

// event makes the function's event of records. members are further members of the object, or nil.
func event(records [][]byte, members map[string]any) []byte {
	size := 16
	for _, r := range records {
		size += len(r) + 1
	}
	b := append(make([]byte, 0, size), `{"Records":[`...)
	b = append(b, bytes.Join(records, []byte{','})...)
	b = append(b, ']')
	if members != nil {
		more, err := json.Marshal(members)
		if err == nil && len(more) > 2 {
			b = append(append(b, ','), more[1:len(more)-1]...)
		}
	}
	return append(b, '}')
}

// withJSON returns a document in which the text of a member is replaced by the JSON object or array that it holds; other texts stay texts.
func withJSON(doc []byte, member string, text []byte) ([]byte, error) {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' || !jsonscan.Valid(text) {
		return doc, nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(doc, &m); err != nil {
		return nil, err
	}
	m[member] = text
	return json.Marshal(m)
}

// matchesAny tells whether one of the filters matches a document.
func matchesAny(filters *pattern.Set[int], doc []byte) bool {
	found, err := filters.Match(doc)
	return err == nil && len(found) > 0
}
