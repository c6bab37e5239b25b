package schemas

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

const account = "111111111111"

// harness is the service on a store in memory.
type harness struct {
	fake.Door

	t     testing.TB
	impl  *Service
	store store.Store
	ctx   context.Context
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{t: t, store: mem.New(), ctx: fake.Root(t.Context(), account, "eu-west-1")}
	var made service.Service
	made, h.impl = New(service.Deps{Store: h.store, Door: h, Clock: clock.NewFake(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)), Random: rand.Reader, Log: slog.New(slog.DiscardHandler)})
	h.Services = []service.Service{made}
	t.Cleanup(func() {
		if err := errors.Join(made.Close(context.WithoutCancel(t.Context())), h.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// try makes a call with an input in JSON, and returns its output in JSON.
func (h *harness) try(operation, input string) (string, error) {
	h.t.Helper()
	in := h.New("schemas", operation)
	if err := json.Unmarshal([]byte(input), in); err != nil {
		h.t.Fatalf("input of %s: %v", operation, err)
	}
	out, err := h.Call(h.ctx, "schemas", operation, in)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(out)
	return string(b), err
}

func (h *harness) do(operation, input string) string {
	h.t.Helper()
	out, err := h.try(operation, input)
	if err != nil {
		h.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

const openAPIContent = `{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"t\",\"version\":\"1\"},\"paths\":{},\"components\":{\"schemas\":{\"Order\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"number\",\"nullable\":true},\"o\":{\"$ref\":\"#/components/schemas/Other\"}}}}}}`

func TestSchemasHaveVersions(t *testing.T) {
	h := newHarness(t)
	h.do("CreateRegistry", `{"RegistryName":"shop"}`)
	create := `{"RegistryName":"shop","SchemaName":"order","Type":"OpenApi3","Content":"` + openAPIContent + `"}`
	h.do("CreateSchema", create)
	if _, err := h.try("CreateSchema", create); service.Code(err) != codeConflict {
		t.Errorf("the same schema again: %v", err)
	}
	same := h.do("UpdateSchema", `{"RegistryName":"shop","SchemaName":"order","Content":"`+openAPIContent+`","Description":"d"}`)
	if !strings.Contains(same, `"SchemaVersion":"1"`) || !strings.Contains(same, `"Description":"d"`) {
		t.Errorf("the same content made a version: %s", same)
	}
	for range 2 {
		h.do("UpdateSchema", `{"RegistryName":"shop","SchemaName":"order","Content":"`+strings.Replace(openAPIContent, "3.0.0", fmt.Sprintf("3.0.%d", len(same)), 1)+`"}`)
		same += " "
	}
	if got := h.do("ListSchemaVersions", `{"RegistryName":"shop","SchemaName":"order"}`); strings.Count(got, `"SchemaVersion":`) != 3 {
		t.Errorf("versions: %s", got)
	}
	h.do("DeleteSchemaVersion", `{"RegistryName":"shop","SchemaName":"order","SchemaVersion":"3"}`)
	if got := h.do("DescribeSchema", `{"RegistryName":"shop","SchemaName":"order"}`); !strings.Contains(got, `"SchemaVersion":"2"`) {
		t.Errorf("the newest version was deleted, and the one before it is not the newest: %s", got)
	}
	h.do("UpdateSchema", `{"RegistryName":"shop","SchemaName":"order","Content":"`+openAPIContent+`"}`)
	if got := h.do("DescribeSchema", `{"RegistryName":"shop","SchemaName":"order"}`); !strings.Contains(got, `"SchemaVersion":"4"`) {
		t.Errorf("a version number was used again: %s", got)
	}
	h.do("DeleteSchemaVersion", `{"RegistryName":"shop","SchemaName":"order","SchemaVersion":"1"}`)
	h.do("DeleteSchemaVersion", `{"RegistryName":"shop","SchemaName":"order","SchemaVersion":"2"}`)
	for _, tc := range []struct{ operation, input, code string }{
		{"DeleteSchemaVersion", `{"RegistryName":"shop","SchemaName":"order","SchemaVersion":"4"}`, codeBad},
		{"DescribeSchema", `{"RegistryName":"shop","SchemaName":"order","SchemaVersion":"2"}`, codeNotFound},
		{"DescribeSchema", `{"RegistryName":"shop","SchemaName":"order","SchemaVersion":"x"}`, codeBad},
		{"DescribeSchema", `{"RegistryName":"shop","SchemaName":"none"}`, codeNotFound},
		{"DescribeSchema", `{"RegistryName":"none","SchemaName":"order"}`, codeNotFound},
		{"DeleteRegistry", `{"RegistryName":"shop"}`, codeBad},
		{"CreateRegistry", `{"RegistryName":"shop"}`, codeConflict},
		{"CreateRegistry", `{"RegistryName":"aws.mine"}`, codeBad},
		{"CreateRegistry", `{"RegistryName":"a b"}`, codeBad},
		{"CreateSchema", `{"RegistryName":"shop","SchemaName":"a b","Type":"OpenApi3","Content":"{}"}`, codeBad},
		{"CreateSchema", `{"RegistryName":"shop","SchemaName":"x","Type":"OpenApi3","Content":"{}"}`, codeBad},
		{"CreateSchema", `{"RegistryName":"shop","SchemaName":"x","Type":"OpenApi3","Content":"["}`, codeBad},
		{"CreateSchema", `{"RegistryName":"shop","SchemaName":"x","Type":"JSONSchemaDraft4","Content":"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}"}`, codeBad},
		{"ExportSchema", `{"RegistryName":"shop","SchemaName":"order","Type":"OpenApi3"}`, codeBad},
		{"SearchSchemas", `{"RegistryName":"shop","Keywords":" "}`, codeBad},
		{"ListRegistries", `{"Limit":101}`, codeBad},
		{"ListRegistries", `{"Scope":"all"}`, codeBad},
		{"ListRegistries", `{"NextToken":"?"}`, codeBad},
		{"TagResource", `{"ResourceArn":"arn:aws:s3:::b","Tags":{}}`, codeBad},
		{"CreateDiscoverer", `{"SourceArn":"arn:aws:events:eu-west-1:222222222222:event-bus/b"}`, codeBad},
		{"CreateDiscoverer", `{"SourceArn":"arn:aws:sqs:eu-west-1:111111111111:queue"}`, codeBad},
		{"StartDiscoverer", `{"DiscovererId":"none"}`, codeNotFound},
	} {
		if _, err := h.try(tc.operation, tc.input); service.Code(err) != tc.code {
			t.Errorf("%s %s: %v, want %s", tc.operation, tc.input, err, tc.code)
		}
	}
	h.do("DeleteSchema", `{"RegistryName":"shop","SchemaName":"order"}`)
	h.do("DeleteRegistry", `{"RegistryName":"shop"}`)
}

func TestSchemaIsExportedAsDraft4(t *testing.T) {
	h := newHarness(t)
	h.do("CreateRegistry", `{"RegistryName":"shop"}`)
	h.do("CreateSchema", `{"RegistryName":"shop","SchemaName":"order","Type":"OpenApi3","Content":"`+openAPIContent+`"}`)
	out := api.ExportSchemaOutput{}
	if err := json.Unmarshal([]byte(h.do("ExportSchema", `{"RegistryName":"shop","SchemaName":"order","Type":"JSONSchemaDraft4"}`)), &out); err != nil {
		t.Fatal(err)
	}
	want := `{"$schema":"http://json-schema.org/draft-04/schema#","definitions":{"Order":{"properties":{"n":{"type":["number","null"]},"o":{"$ref":"#/definitions/Other"}},"type":"object"}},"title":"order"}`
	if diff := cmp.Diff(want, *out.Content); diff != "" {
		t.Error(diff)
	}
}

func TestSchemasAreFoundByTheirWords(t *testing.T) {
	h := newHarness(t)
	h.do("CreateRegistry", `{"RegistryName":"shop"}`)
	for _, name := range []string{"a", "b", "c"} {
		h.do("CreateSchema", `{"RegistryName":"shop","SchemaName":"`+name+`","Type":"OpenApi3","Content":"`+strings.Replace(openAPIContent, "Order", "Order"+name, 1)+`"}`)
	}
	for words, want := range map[string]int{"ordera": 1, "order": 3, "order nothing": 0, "Other OrderB": 1} {
		if got := h.do("SearchSchemas", `{"RegistryName":"shop","Keywords":"`+words+`"}`); strings.Count(got, `"SchemaName":`) != want {
			t.Errorf("%q finds %s, want %d", words, got, want)
		}
	}
}

func TestPolicyOfARegistryHasARevision(t *testing.T) {
	h := newHarness(t)
	h.do("CreateRegistry", `{"RegistryName":"shop"}`)
	policy := `{\"Version\":\"2012-10-17\",\"Statement\":[]}`
	var put api.PutResourcePolicyOutput
	if err := json.Unmarshal([]byte(h.do("PutResourcePolicy", `{"RegistryName":"shop","Policy":"`+policy+`"}`)), &put); err != nil {
		t.Fatal(err)
	}
	if _, err := h.try("PutResourcePolicy", `{"RegistryName":"shop","Policy":"`+policy+`","RevisionId":"old"}`); service.Code(err) != codePrecondition {
		t.Errorf("another revision: %v", err)
	}
	h.do("PutResourcePolicy", `{"RegistryName":"shop","Policy":"`+policy+`","RevisionId":"`+*put.RevisionId+`"}`)
	targets, err := h.impl.access()["DescribeRegistry"].Targets(h.ctx, &api.DescribeRegistryInput{RegistryName: "shop"})
	if err != nil || !strings.Contains(targets[0].Policy, "Statement") {
		t.Errorf("the policy does not count: %v, %v", targets, err)
	}
	h.do("DeleteResourcePolicy", `{"RegistryName":"shop"}`)
	if _, err := h.try("GetResourcePolicy", `{"RegistryName":"shop"}`); service.Code(err) != codeNotFound {
		t.Errorf("after the deletion: %v", err)
	}
}

func TestTagsOfEveryKindOfResource(t *testing.T) {
	h := newHarness(t)
	h.do("CreateDiscoverer", `{"SourceArn":"arn:aws:events:eu-west-1:111111111111:event-bus/default"}`)
	h.do("CreateRegistry", `{"RegistryName":"shop"}`)
	h.do("CreateSchema", `{"RegistryName":"shop","SchemaName":"a/b","Type":"OpenApi3","Content":"`+openAPIContent+`"}`)
	for _, resource := range []string{"registry/shop", "schema/shop/a/b", "discoverer/events-event-bus-default"} {
		arn := `"ResourceArn":"arn:aws:schemas:eu-west-1:111111111111:` + resource + `"`
		h.do("TagResource", `{`+arn+`,"Tags":{"a":"1","b":"2"}}`)
		h.do("UntagResource", `{`+arn+`,"TagKeys":["a"]}`)
		if got := h.do("ListTagsForResource", `{`+arn+`}`); got != `{"Tags":{"b":"2"}}` {
			t.Errorf("tags of %s: %s", resource, got)
		}
	}
}

// event returns an event of EventBridge.
func event(source, kind, detail string) string {
	return `{"version":"0","id":"i","detail-type":"` + kind + `","source":"` + source + `","account":"` + account + `","time":"2026-11-29T12:00:00Z","region":"eu-west-1","resources":["r"],"detail":` + detail + `}`
}

func (h *harness) see(bus, source, kind, detail string) {
	h.impl.Discover(h.ctx, account, "eu-west-1", bus, []byte(event(source, kind, detail)))
}

func TestDiscovererLearnsTheSchemaOfEvents(t *testing.T) {
	h := newHarness(t)
	h.see("default", "shop", "Order placed", `{"id":"before"}`)
	h.do("CreateDiscoverer", `{"SourceArn":"arn:aws:events:eu-west-1:111111111111:event-bus/default"}`)
	versions := func() int {
		return strings.Count(h.do("ListSchemaVersions", `{"RegistryName":"discovered-schemas","SchemaName":"shop@OrderPlaced"}`), `"SchemaVersion":`)
	}
	for i, detail := range []string{
		`{"id":"1","at":"2026-11-29T12:00:00Z","total":1.5,"lines":[{"sku":"a"}],"note":null}`,
		`{"id":"2","at":"2026-11-29T13:00:00Z","total":2,"lines":[],"note":null}`, // nothing new
		`{"id":"3","at":"2026-11-29T13:00:00Z","total":2,"lines":[{"sku":"b","n":1}],"note":"hello"}`,
		`{"id":"3","at":"2026-11-29T13:00:00Z","total":2,"lines":[{"sku":"b"}]}`, // the note is not required
	} {
		h.see("default", "shop", "Order placed", detail)
		if got, want := versions(), []int{1, 1, 2, 3}[i]; got != want {
			t.Errorf("after event %d: %d versions, want %d", i, got, want)
		}
	}
	h.see("other", "shop", "On another bus", `{}`)
	h.do("StopDiscoverer", `{"DiscovererId":"events-event-bus-default"}`)
	h.see("default", "shop", "While it stands", `{}`)
	h.do("StartDiscoverer", `{"DiscovererId":"events-event-bus-default"}`)
	h.do("UpdateDiscoverer", `{"DiscovererId":"events-event-bus-default","CrossAccount":false}`)
	h.impl.Discover(h.ctx, account, "eu-west-1", "default", []byte(strings.Replace(event("shop", "From elsewhere", `{}`), account, "222222222222", 1)))
	if got := h.do("ListSchemas", `{"RegistryName":"discovered-schemas"}`); strings.Count(got, `"SchemaName":`) != 1 {
		t.Errorf("schemas: %s", got)
	}
	var d api.DescribeSchemaOutput
	if err := json.Unmarshal([]byte(h.do("DescribeSchema", `{"RegistryName":"discovered-schemas","SchemaName":"shop@OrderPlaced"}`)), &d); err != nil {
		t.Fatal(err)
	}
	want := `"OrderPlaced":{"properties":{"at":{"format":"date-time","type":"string"},"id":{"type":"string"},"lines":{"items":{"properties":{"n":{"type":"number"},"sku":{"type":"string"}},"required":["sku"],"type":"object"},"type":"array"},` +
		`"note":{"nullable":true,"type":"string"},"total":{"type":"number"}},"required":["at","id","lines","total"],"type":"object"}`
	if !strings.Contains(*d.Content, want) {
		t.Errorf("schema\n got %s\nwant %s", *d.Content, want)
	}

	// The export is a schema that a validator takes, and that events of before meet.
	var x api.ExportSchemaOutput
	if err := json.Unmarshal([]byte(h.do("ExportSchema", `{"RegistryName":"discovered-schemas","SchemaName":"shop@OrderPlaced","Type":"JSONSchemaDraft4"}`)), &x); err != nil {
		t.Fatal(err)
	}
	validates(t, *x.Content, event("shop", "Order placed", `{"id":"9","at":"2026-11-29T12:00:00Z","total":1,"lines":[{"sku":"a","n":2}],"note":null}`), true)
	validates(t, *x.Content, event("shop", "Order placed", `{"id":"9","at":"2026-11-29T12:00:00Z","total":"much","lines":[]}`), false)
}

// validates checks a document against a schema with a library.
func validates(t *testing.T, schema, doc string, want bool) {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(value); (err == nil) != want {
		t.Errorf("%s is valid: %v, want %v (%v)", doc, err == nil, want, err)
	}
}

func TestDiscoveryEndsWhereASchemaIsFull(t *testing.T) {
	h := newHarness(t)
	h.do("CreateDiscoverer", `{"SourceArn":"arn:aws:events:eu-west-1:111111111111:event-bus/default"}`)
	for i := range maxVersions + 5 {
		h.see("default", "shop", "k", fmt.Sprintf(`{"key-%d":1}`, i))
	}
	got := h.do("ListSchemas", `{"RegistryName":"discovered-schemas"}`)
	if !strings.Contains(got, fmt.Sprintf(`"VersionCount":%d`, maxVersions)) {
		t.Errorf("schemas: %s", got)
	}
}

func TestSchemaIsInferredFromGivenEvents(t *testing.T) {
	h := newHarness(t)
	for _, tc := range []struct{ input, want string }{
		{`{"Type":"JSONSchemaDraft4","Events":["{\"a\":1}","{\"a\":null,\"b\":[true]}"]}`, `{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"type":["number","null"]},"b":{"items":{"type":"boolean"},"type":"array"}},"required":["a"],"title":"Event","type":"object"}`},
		{`{"Type":"OpenApi3","Events":["{\"a\":{\"b\":\"x\"}}"]}`, `{"openapi":"3.0.0","info":{"title":"Event","version":"1.0.0"},"paths":{},"components":{"schemas":{"Event":{"properties":{"a":{"properties":{"b":{"type":"string"}},"required":["b"],"type":"object"}},"required":["a"],"type":"object"}}}}`},
	} {
		var out api.GetDiscoveredSchemaOutput
		if err := json.Unmarshal([]byte(h.do("GetDiscoveredSchema", tc.input)), &out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, *out.Content); diff != "" {
			t.Errorf("%s: %s", tc.input, diff)
		}
	}
	if _, err := h.try("GetDiscoveredSchema", `{"Type":"OpenApi3","Events":["{"]}`); service.Code(err) != codeBad {
		t.Errorf("broken event: %v", err)
	}
}

func FuzzShape(f *testing.F) {
	f.Add(`{"a":[1,"x",{"b":null}]}`, `{"a":["2026-11-29T12:00:00Z"],"c":{}}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := decodeShape([]byte(a))
		if err != nil {
			return
		}
		y, err := decodeShape([]byte(b))
		if err != nil {
			return
		}
		both, _ := x.merge(y)
		if again, more := both.merge(y); more || again != both {
			t.Errorf("%s is new in what it was merged into", b)
		}
		if again, more := both.merge(x); more || again != both {
			t.Errorf("%s is new in what it was merged into", a)
		}
		if _, err := eventSchema(api.TypeOpenApi3, "s", a, both); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkEventOnAnUnwatchedBus(b *testing.B) {
	h := newHarness(b)
	e := []byte(event("shop", "k", `{"a":1}`))
	for b.Loop() {
		h.impl.Discover(h.ctx, account, "eu-west-1", "default", e)
	}
}
