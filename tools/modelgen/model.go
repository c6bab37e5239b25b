package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// model is a botocore API model (service-2.json).
type model struct {
	Metadata   metadata              `json:"metadata"`
	Operations map[string]*operation `json:"operations"`
	Shapes     map[string]*shape     `json:"shapes"`
}

type metadata struct {
	APIVersion         string    `json:"apiVersion"`
	EndpointPrefix     string    `json:"endpointPrefix"`
	SigningName        string    `json:"signingName"`
	ServiceID          string    `json:"serviceId"`
	TargetPrefix       string    `json:"targetPrefix"`
	JSONVersion        string    `json:"jsonVersion"`
	Protocol           string    `json:"protocol"`
	Protocols          []string  `json:"protocols"`
	XMLNamespace       string    `json:"xmlNamespace"`
	AWSQueryCompatible *struct{} `json:"awsQueryCompatible"`
}

type operation struct {
	Name string `json:"name"`
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input        *ref   `json:"input"`
	Output       *ref   `json:"output"`
	Errors       []ref  `json:"errors"`
	AuthType     string `json:"authtype"`
	HTTPChecksum struct {
		RequestAlgorithmMember  string `json:"requestAlgorithmMember"`
		RequestChecksumRequired bool   `json:"requestChecksumRequired"`
	} `json:"httpChecksum"`
	HTTPChecksumRequired bool `json:"httpChecksumRequired"`
	RequestCompression   struct {
		Encodings []string `json:"encodings"`
	} `json:"requestcompression"`
	Endpoint struct {
		HostPrefix string `json:"hostPrefix"`
	} `json:"endpoint"`
}

// ref is a reference to a shape with what the place of use adds.
type ref struct {
	Shape            string       `json:"shape"`
	LocationName     string       `json:"locationName"`
	Location         string       `json:"location"`
	QueryName        string       `json:"queryName"`
	Flattened        bool         `json:"flattened"`
	XMLAttribute     bool         `json:"xmlAttribute"`
	XMLNamespace     xmlNamespace `json:"xmlNamespace"`
	IdempotencyToken bool         `json:"idempotencyToken"`
	Streaming        bool         `json:"streaming"`
	JSONValue        bool         `json:"jsonvalue"`
	HostLabel        bool         `json:"hostLabel"`
	EventPayload     bool         `json:"eventpayload"`
	EventHeader      bool         `json:"eventheader"`
	TimestampFormat  string       `json:"timestampFormat"`
	ResultWrapper    string       `json:"resultWrapper"`

	// JSONName is set by the catalog where the name in JSON is not LocationName.
	JSONName string `json:"-"`
}

type shape struct {
	Type            string       `json:"type"`
	Members         members      `json:"members"`
	Required        []string     `json:"required"`
	Member          *ref         `json:"member"`
	Key             *ref         `json:"key"`
	Value           *ref         `json:"value"`
	Flattened       bool         `json:"flattened"`
	Payload         string       `json:"payload"`
	Union           bool         `json:"union"`
	EventStream     bool         `json:"eventstream"`
	Event           bool         `json:"event"`
	Streaming       bool         `json:"streaming"`
	Document        bool         `json:"document"`
	XMLNamespace    xmlNamespace `json:"xmlNamespace"`
	LocationName    string       `json:"locationName"`
	TimestampFormat string       `json:"timestampFormat"`
	Sparse          bool         `json:"sparse"`
	Exception       bool         `json:"exception"`
	Fault           bool         `json:"fault"`
	Error           *shapeError  `json:"error"`
	Min             *json.Number `json:"min"`
	Max             *json.Number `json:"max"`
	Pattern         string       `json:"pattern"`
	Enum            []string     `json:"enum"`
	Sensitive       bool         `json:"sensitive"`

	// GoType is set by the catalog where a hand-written type stands for it.
	GoType string `json:"-"`
}

// shapeError is how an exception looks on the wire.
type shapeError struct {
	Code           string `json:"code"`
	HTTPStatusCode int    `json:"httpStatusCode"`
	SenderFault    bool   `json:"senderFault"`
}

// xmlNamespace is an object in most places and a string in some.
type xmlNamespace struct {
	URI    string `json:"uri"`
	Prefix string `json:"prefix"`
}

func (x *xmlNamespace) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &x.URI)
	}
	type plain xmlNamespace
	return json.Unmarshal(data, (*plain)(x))
}

// members keeps the order of a JSON object, which is the model's order.
type members struct {
	names []string
	refs  map[string]*ref
}

func (m *members) UnmarshalJSON(data []byte) error {
	if m.refs == nil {
		m.refs = make(map[string]*ref)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		key, ok := name.(string)
		if !ok {
			return fmt.Errorf("member name %v is not a string", name)
		}
		r := new(ref)
		if err := dec.Decode(r); err != nil {
			return fmt.Errorf("member %s: %w", key, err)
		}
		if _, seen := m.refs[key]; !seen {
			m.names = append(m.names, key)
		}
		m.refs[key] = r
	}
	return nil
}

// readModel reads the newest version of an API's model and merges botocore's
// additions (sdk-extras) into it.
func readModel(dir, api string) (*model, error) {
	versions, err := filepath.Glob(filepath.Join(dir, api, "*", "service-2.json*"))
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 {
		return nil, fmt.Errorf("no model of %s in %s", api, dir)
	}
	slices.Sort(versions)
	newest := versions[len(versions)-1]
	m := new(model)
	if err := readJSON(newest, m); err != nil {
		return nil, err
	}
	var extras struct {
		Merge model `json:"merge"`
	}
	err = readJSON(filepath.Join(filepath.Dir(newest), "service-2.sdk-extras.json"), &extras)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	m.merge(&extras.Merge)
	return m, err
}

// merge adds the types and members that extras has to the shapes of m, which is
// all that the additions in use contain.
func (m *model) merge(extras *model) {
	for name, extra := range extras.Shapes {
		s := m.Shapes[name]
		if s == nil {
			m.Shapes[name] = extra
			continue
		}
		if extra.Type != "" {
			s.Type = extra.Type
		}
		for _, member := range extra.Members.names {
			if s.Members.refs[member] == nil {
				s.Members.names = append(s.Members.names, member)
			}
			s.Members.refs[member] = extra.Members.refs[member]
		}
	}
}

func readJSON(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var r io.Reader = f
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
	if err := json.NewDecoder(r).Decode(into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// prune drops the shapes that no operation reaches.
func (m *model) prune() error {
	reached := make(map[string]bool)
	var missing error
	var visit func(r *ref)
	visit = func(r *ref) {
		if r == nil || reached[r.Shape] {
			return
		}
		s := m.Shapes[r.Shape]
		if s == nil {
			missing = fmt.Errorf("shape %q does not exist", r.Shape)
			return
		}
		reached[r.Shape] = true
		if s.GoType != "" {
			return
		}
		for _, name := range s.Members.names {
			visit(s.Members.refs[name])
		}
		visit(s.Member)
		visit(s.Key)
		visit(s.Value)
	}
	for _, o := range m.Operations {
		visit(o.Input)
		visit(o.Output)
		for i := range o.Errors {
			visit(&o.Errors[i])
		}
	}
	maps.DeleteFunc(m.Shapes, func(name string, _ *shape) bool { return !reached[name] })
	return missing
}

// operationNames returns the names of the operations in order.
func (m *model) operationNames() []string { return slices.Sorted(maps.Keys(m.Operations)) }

// shapeNames returns the names of the shapes in order.
func (m *model) shapeNames() []string { return slices.Sorted(maps.Keys(m.Shapes)) }

func (s *shape) requires(member string) bool { return slices.Contains(s.Required, member) }
