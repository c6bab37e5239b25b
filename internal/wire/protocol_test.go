package wire

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/service"
)

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// TestProtocolCases runs the protocol test cases of Smithy, in the form that
// botocore publishes them, against the server's side. Cases in
// testdata/protocols/skip.txt must fail; each has its reason there.
func TestProtocolCases(t *testing.T) {
	skipped := readSkips(t)
	seen := make(map[string]bool)
	for _, side := range []string{"input", "output"} {
		files, err := filepath.Glob(filepath.Join("testdata", "protocols", side, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no cases: %v", err)
		}
		for _, file := range files {
			name := side + "/" + strings.TrimSuffix(filepath.Base(file), ".json")
			for _, s := range readSuites(t, file) {
				for i := range s.Cases {
					id := name + "/" + s.Cases[i].ID
					seen[id] = true
					t.Run(id, func(t *testing.T) {
						diff := runCase(s, &s.Cases[i], side)
						switch reason, skip := skipped[id]; {
						case skip && diff == "":
							t.Errorf("passes, but testdata/protocols/skip.txt lists it (%s): take it off the list", reason)
						case !skip && diff != "":
							t.Error(diff)
						}
					})
				}
			}
		}
	}
	for id := range skipped {
		if !seen[id] {
			t.Errorf("skip.txt lists %s, which does not exist", id)
		}
	}
	t.Logf("%d cases, %d of them listed as not for a server", len(seen), len(skipped))
}

func readSkips(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "protocols", "skip.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := make(map[string]string)
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if line := sc.Text(); line != "" && line[0] != '#' {
			id, reason, ok := strings.Cut(line, " ")
			if !ok {
				t.Fatalf("no reason for %s", id)
			}
			out[id] = reason
		}
	}
	return out
}

func readSuites(t *testing.T, file string) []*suite {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var suites []*suite
	if err := json.Unmarshal(data, &suites); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return suites
}

func runCase(s *suite, c *protocolCase, side string) string {
	for _, shape := range s.Shapes {
		if shape.EventStream {
			return "the case has an event stream"
		}
	}
	op := s.operation(c)
	if side == "input" {
		return runInput(s, op, c)
	}
	if c.Error != nil || c.ErrorCode != "" {
		return runError(s, op, c)
	}
	return runOutput(s, op, c)
}

func runInput(s *suite, op *Operation, c *protocolCase) string {
	target, err := url.Parse(c.Serialized.URI)
	if err != nil {
		return err.Error()
	}
	body := []byte(c.Serialized.Body)
	if s.Metadata.Protocol == "smithy-rpc-v2-cbor" {
		if body, err = base64.StdEncoding.DecodeString(c.Serialized.Body); err != nil {
			return err.Error()
		}
	}
	req := &Request{
		Method: firstOf(c.Serialized.Method, "POST"), RawPath: target.EscapedPath(), RawQuery: target.RawQuery,
		Header: http.Header{}, Body: bytes.NewReader(body), ContentLength: int64(len(body)),
	}
	for name, value := range c.Serialized.Headers {
		req.Header.Set(name, value)
	}
	matched, err := op.API.Match(req)
	if err != nil {
		return "match: " + err.Error()
	}
	if matched != op || op.Schema.Input == nil {
		return ""
	}
	in := reflect.New(op.Binding.Input)
	if err := op.Decode(req, in.Interface()); err != nil {
		return "decode: " + err.Error()
	}
	want := reflect.New(op.Binding.Input).Elem()
	if err := build(op.Schema.Input, want, c.Params); err != nil {
		return "build: " + err.Error()
	}
	return cmp.Diff(plain(want), plain(in.Elem()))
}

func runOutput(s *suite, op *Operation, c *protocolCase) string {
	req := &Request{Method: "POST", Header: http.Header{}, Protocol: awsapi.Protocol(s.Metadata.Protocol), ID: requestID(c)}
	w := httptest.NewRecorder()
	if op.Schema.Output == nil {
		return cmp.Diff(nil, op.WriteResponse(nil, w, req, nil))
	}
	out := reflect.New(op.Binding.Output)
	if err := build(op.Schema.Output, out.Elem(), c.Result); err != nil {
		return "build: " + err.Error()
	}
	if err := op.WriteResponse(nil, w, req, out.Interface()); err != nil {
		return "encode: " + err.Error()
	}
	if diff := compareHead(c, w); diff != "" {
		return diff
	}
	if s.Metadata.Protocol == "json" || s.Metadata.Protocol == "rest-json" && op.Schema.Output.Payload == "" {
		if diff := compareJSON(c.Response.Body, w.Body.Bytes()); diff != "" {
			return diff
		}
	}
	want, err := decodeAnswer(s, op, c.Response.StatusCode, c.Response.Headers, c.Response.Body)
	if err != nil {
		return "decode the reference: " + err.Error()
	}
	headers := make(map[string]string)
	for name := range w.Header() {
		headers[name] = headerOf(w.Header(), name)
	}
	body := w.Body.String()
	if s.Metadata.Protocol == "smithy-rpc-v2-cbor" {
		body = base64.StdEncoding.EncodeToString(w.Body.Bytes())
	}
	got, err := decodeAnswer(s, op, w.Code, headers, body)
	if err != nil {
		return "decode ours: " + err.Error() + "\n" + body
	}
	if diff := cmp.Diff(plain(out.Elem()), plain(got)); diff != "" {
		return "ours is not the result: " + diff + "\n" + body
	}
	return cmp.Diff(plain(want), plain(got))
}

// requestID is the id that the case's answer carries.
func requestID(c *protocolCase) string {
	for name, value := range c.Response.Headers {
		if strings.EqualFold(name, "x-amzn-requestid") {
			return value
		}
	}
	return "request-id"
}

func compareHead(c *protocolCase, w *httptest.ResponseRecorder) string {
	if c.Response.StatusCode != w.Code {
		return cmp.Diff(c.Response.StatusCode, w.Code)
	}
	for name, want := range c.Response.Headers {
		got := headerOf(w.Header(), name)
		if strings.EqualFold(name, "Content-Type") {
			got, _, _ = strings.Cut(got, ";")
			want, _, _ = strings.Cut(want, ";")
			if strings.HasSuffix(got, "/xml") && strings.HasSuffix(want, "/xml") {
				continue
			}
		}
		if got != want {
			return name + ": " + cmp.Diff(want, got)
		}
	}
	return ""
}

func compareJSON(want string, got []byte) string {
	if want == "" {
		want = "{}"
	}
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		return "reference: " + err.Error()
	}
	if err := json.Unmarshal(got, &g); err != nil {
		return "ours: " + err.Error()
	}
	return cmp.Diff(w, g)
}

// decodeAnswer reads an answer with the decoders that servers use for requests;
// headers are read as a request's.
func decodeAnswer(s *suite, op *Operation, status int, headers map[string]string, body string) (reflect.Value, error) {
	p, err := op.compile()
	if err != nil {
		return reflect.Value{}, err
	}
	v := reflect.New(op.Binding.Output).Elem()
	data := []byte(body)
	t := &trail{}
	switch awsapi.Protocol(s.Metadata.Protocol) {
	case awsapi.JSON:
		return v, decodeJSON(data, p.output.field, v, t)
	case awsapi.CBOR:
		if data, err = base64.StdEncoding.DecodeString(body); err != nil {
			return v, err
		}
		return v, decodeCBOR(data, p.output.field, v, t, false)
	case awsapi.Query, awsapi.EC2:
		root, err := parseXML(data)
		if err != nil {
			return v, err
		}
		if wrapper := firstOf(op.Schema.ResultWrapper, op.Name+"Result"); s.Metadata.Protocol == "query" {
			for _, child := range root.children {
				if child.name == wrapper {
					root = child
				}
			}
		}
		return v, (&xmlDecoder{}).value(p.output.field, v, root)
	}
	req := &Request{Header: http.Header{}, Protocol: awsapi.Protocol(s.Metadata.Protocol), body: data, bodyRead: true, ContentLength: -1}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	if err := op.decodeREST(req, p.output, v, t); err != nil {
		return v, err
	}
	for i := range p.output.fields {
		if f := &p.output.fields[i]; f.Location == awsapi.StatusCode {
			f.target(v).SetInt(int64(status))
		}
	}
	return v, nil
}

func runError(s *suite, op *Operation, c *protocolCase) string {
	l, err := op.API.load()
	if err != nil {
		return err.Error()
	}
	m := &caseModel{s, make(map[string]int)}
	e := &service.Error{Code: c.ErrorCode}
	var typ reflect.Type
	for _, r := range c.Given.Errors {
		shape, shapeType := m.shape(r.Shape)
		shape.Exception = true
		l.errors[shape.Name] = shape
		if shape.ErrorCode != "" {
			l.errors[shape.ErrorCode] = shape
		}
		if shape.Name == c.ErrorCode || shape.ErrorCode == c.ErrorCode || len(c.Given.Errors) == 1 {
			e.Code, typ = shape.Name, shapeType
			detail := reflect.New(shapeType)
			if err := build(shape, detail.Elem(), c.Error); err != nil {
				return err.Error()
			}
			e.Detail = detail.Interface()
			e.Status = c.Response.StatusCode
		}
	}
	if typ == nil {
		return "the case has no shape for its error"
	}
	req := &Request{Method: "POST", Header: http.Header{}, Protocol: awsapi.Protocol(s.Metadata.Protocol), ID: requestID(c)}
	if op.API.QueryCompatible {
		req.Header.Set("X-Amzn-Query-Mode", "true")
	}
	w := httptest.NewRecorder()
	if err := op.WriteError(w, req, e); err != nil {
		return err.Error()
	}
	if diff := compareHead(c, w); diff != "" {
		return diff
	}
	return compareErrorBody(s, c, w.Body.Bytes())
}

// compareErrorBody compares the members of an error by name.
func compareErrorBody(s *suite, c *protocolCase, got []byte) string {
	want := []byte(c.Response.Body)
	switch s.Metadata.Protocol {
	case "json", "rest-json":
		var w, g map[string]any
		if err := json.Unmarshal(want, &w); err != nil {
			return "reference: " + err.Error()
		}
		if err := json.Unmarshal(got, &g); err != nil {
			return "ours: " + err.Error()
		}
		return cmp.Diff(simplify(w), simplify(g))
	case "smithy-rpc-v2-cbor":
		raw, err := base64.StdEncoding.DecodeString(c.Response.Body)
		if err != nil {
			return err.Error()
		}
		return cmp.Diff(cborStrings(raw), cborStrings(got))
	}
	w, err := parseXML(want)
	if err != nil {
		return "reference: " + err.Error()
	}
	g, err := parseXML(got)
	if err != nil {
		return "ours: " + err.Error()
	}
	return cmp.Diff(flatten(w), flatten(g))
}

// simplify drops what is free in an error: the namespace of its type, and an
// empty message, which ours always have.
func simplify(m map[string]any) map[string]any {
	if typ, ok := m["__type"].(string); ok {
		m["__type"] = typ[strings.LastIndexByte(typ, '#')+1:]
	}
	if m["message"] == "" {
		delete(m, "message")
	}
	if m["Message"] == "" {
		delete(m, "Message")
	}
	return m
}

// flatten lists the leaves of a document by path, without request ids.
func flatten(e *element) map[string]string {
	out := make(map[string]string)
	var walk func(e *element, path string)
	walk = func(e *element, path string) {
		path += "/" + e.name
		if len(e.children) == 0 && !strings.EqualFold(e.name, "RequestId") && e.name != "Message" {
			out[path] = strings.TrimSpace(e.text.String())
		}
		for _, child := range e.children {
			walk(child, path)
		}
	}
	walk(e, "")
	return out
}

// cborStrings lists the text strings of a flat CBOR map, other values by
// presence.
func cborStrings(data []byte) map[string]string {
	d := &cborDecoder{data: data}
	out := make(map[string]string)
	count, err := d.container(cborMap)
	for i := uint64(0); err == nil; i++ {
		var more bool
		if more, err = d.more(i, count); err != nil || !more {
			break
		}
		var key string
		if key, err = d.mapKey(); err != nil {
			break
		}
		start := d.pos
		if err = d.skip(0); err == nil {
			value := string(data[start:d.pos])
			if key == "__type" {
				value = value[strings.LastIndexByte(value, '#')+1:]
			}
			if !strings.EqualFold(key, "message") || len(value) > 1 {
				out[key] = strings.TrimLeft(value, "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f\x70\x71\x72\x73\x74\x75\x76\x77\x78\xbf\xff")
			}
		}
	}
	return out
}

// headerOf returns a field of an answer's head, in whatever case it was written.
func headerOf(h http.Header, name string) string {
	for n, values := range h {
		if strings.EqualFold(n, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}
