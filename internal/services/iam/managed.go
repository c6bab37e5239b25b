package iam

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// managedJSON holds AWS's managed policies that exist here: path, name, description and document.
// The permissions are those of AWS's policies for the services that Lambent has.
//
//go:embed managed.json
var managedJSON string

// builtin reads AWS's managed policies. They have one version and fixed ids.
func builtin() (map[string]*managed, error) {
	var list []struct {
		Path, Name, Description string
		Document                json.RawMessage
	}
	if err := json.Unmarshal([]byte(managedJSON), &list); err != nil {
		return nil, fmt.Errorf("decode the list: %w", err)
	}
	since := time.Date(2015, 2, 6, 18, 39, 46, 0, time.UTC)
	out := make(map[string]*managed, len(list))
	for _, p := range list {
		out[strings.TrimPrefix(p.Path, "/")+p.Name] = &managed{
			Name: p.Name, Path: p.Path, ID: builtinID(p.Name), Description: p.Description, Created: since, Updated: since, Default: "v1", Last: 1, aws: true,
			Versions: []policyVersion{{"v1", string(p.Document), since}},
		}
	}
	return out, nil
}

// builtinID returns an id that follows from the name, so that it is the same on every start.
func builtinID(name string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	b := []byte("ANPA")
	for range 17 {
		b = append(b, alphabet[h>>59])
		h = h*6364136223846793005 + 1442695040888963407
	}
	return string(b)
}
