// Package mergepatch changes JSON documents by merge patches, as RFC 7396 defines them.
package mergepatch

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Apply returns the document with the patch applied: members of the patch's objects replace those of the document, null removes them, and a patch that is
// no object replaces the whole. Numbers are kept as they are written. It fails when either is not JSON.
func Apply(document, patch []byte) ([]byte, error) {
	target, err := decode(document)
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	change, err := decode(patch)
	if err != nil {
		return nil, fmt.Errorf("read the patch: %w", err)
	}
	return json.Marshal(merge(target, change))
}

func decode(b []byte) (v any, err error) {
	if !json.Valid(b) {
		return nil, json.Unmarshal(b, &v)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// merge is MergePatch of RFC 7396, section 2.
func merge(target, patch any) any {
	change, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, v := range change {
		if v == nil {
			delete(object, name)
		} else {
			object[name] = merge(object[name], v)
		}
	}
	return object
}
