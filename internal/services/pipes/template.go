package pipes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"lambent.dev/lambent/internal/lib/jsonenc"
	"lambent.dev/lambent/internal/lib/jsonpath"
	"lambent.dev/lambent/internal/lib/jsonscan"
)

// placeholder is a variable of an input template: a path into the record, or one of the names that are given
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html).
var placeholder = regexp.MustCompile(`<(\$[^>]*|aws\.pipes\.[a-z.-]+)>`)

// template is an input template in pieces.
type template struct {
	parts []part
}

// part is literal text with the variable behind it: a path, or a name that is given, or neither at the end.
type part struct {
	literal string
	path    *jsonpath.Path
	name    string
}

// maxTemplate is the longest input template, in characters.
const maxTemplate = 8192

// newTemplate returns nil for no template.
func newTemplate(text string) (*template, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no template is a good answer
	}
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("it has more than %d characters", maxTemplate)
	}
	t, at := &template{}, 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		p := part{literal: text[at:m[0]]}
		if variable := text[m[2]:m[3]]; variable[0] == '$' {
			var err error
			if p.path, err = jsonpath.Parse(variable); err != nil {
				return nil, fmt.Errorf("%s is %w", variable, err)
			}
		} else if p.name = variable; !given(variable) {
			return nil, fmt.Errorf("<%s> is not a variable", variable)
		}
		t.parts = append(t.parts, p)
		at = m[1]
	}
	t.parts = append(t.parts, part{literal: text[at:]})
	return t, nil
}

func given(name string) bool {
	switch strings.TrimPrefix(name, "aws.pipes.") {
	case "pipe-arn", "pipe-name", "source-arn", "enrichment-arn", "target-arn", "event.ingestion-time", "event", "event.json":
		return true
	}
	return false
}

// render returns what the template makes of a record. Strings are put in without their quotes: the template has them where it wants them.
func (t *template) render(f *flow, record []byte, now time.Time) []byte {
	if t == nil {
		return record
	}
	var open []byte // the record with its body opened
	var out []byte
	for _, p := range t.parts {
		out = append(out, p.literal...)
		switch {
		case p.path != nil:
			if open == nil {
				open = opened(record)
			}
			if v, ok := p.path.Get(open); ok {
				out = append(out, bare(v)...)
			}
		case p.name != "":
			out = append(out, f.variable(p.name, record, now)...)
		}
	}
	return out
}

// bare returns a JSON value as it is put into a template: a string without its quotes.
func bare(v []byte) []byte {
	if len(v) > 1 && v[0] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}

func (f *flow) variable(name string, record []byte, now time.Time) []byte {
	switch strings.TrimPrefix(name, "aws.pipes.") {
	case "pipe-arn":
		return []byte(f.arn)
	case "pipe-name":
		return []byte(f.Name)
	case "source-arn":
		return []byte(f.Source)
	case "enrichment-arn":
		return []byte(f.Enrichment)
	case "target-arn":
		return []byte(f.Target)
	case "event.ingestion-time":
		return []byte(now.UTC().Format("2006-01-02T15:04:05Z"))
	case "event.json":
		return record
	}
	return opened(record)
}

// opened returns a record whose body is the JSON that it holds instead of text: the body of a message, the data of a data stream's record, which is in base64.
func opened(record []byte) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(record, &members) != nil {
		return record
	}
	changed := false
	for _, name := range []string{"body", "data"} {
		var text string
		if json.Unmarshal(members[name], &text) != nil {
			continue
		}
		if name == "data" {
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				continue
			}
			text = string(b)
			members[name] = jsonenc.String(nil, text)
			changed = true
		}
		if jsonscan.Valid([]byte(text)) {
			members[name] = json.RawMessage(text)
			changed = true
		}
	}
	if !changed {
		return record
	}
	out, err := json.Marshal(members)
	if err != nil {
		return record
	}
	return out
}

// flat returns a record as pipes show it: what a data stream's record has in its member "kinesis" is beside the other members.
func flat(record json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(record, &members) != nil || members["kinesis"] == nil {
		return record
	}
	var inner map[string]json.RawMessage
	if json.Unmarshal(members["kinesis"], &inner) != nil {
		return record
	}
	delete(members, "kinesis")
	maps.Copy(members, inner)
	out, err := json.Marshal(members)
	if err != nil {
		return record
	}
	return out
}
