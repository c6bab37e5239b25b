package awsapi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi"
)

func TestEveryGeneratedSchemaParses(t *testing.T) {
	files, err := filepath.Glob("*/schema.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no schemas: %v", err)
	}
	for _, file := range files {
		packed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := awsapi.Define(awsapi.Meta{Name: file}, string(packed)).Schema()
		if err != nil {
			t.Error(err)
			continue
		}
		if len(s.Operations) == 0 {
			t.Errorf("%s has no operations", file)
		}
	}
}

func TestParseSchemaReadsAttributes(t *testing.T) {
	s, err := awsapi.ParseSchema(`# comment
op Put PUT /{Id}?x in=PutInput err=Gone status=201
structure PutInput payload=Body
 Id! Name name=id in=uri
 Body .blob stream
string Name min=1 max=8 enum=a|b pattern="a b\\d+"
structure Gone error=Gone.Code status=410 sender
map Tags .string Name flat k.name=Key e.name=Value
`)
	if err != nil {
		t.Fatal(err)
	}
	op := s.Operation("Put")
	if op.Status != 201 || op.Error("Gone.Code") == nil || op.Error("Gone") == nil || op.URI != "/{Id}?x" {
		t.Errorf("operation: %+v", op)
	}
	id := op.Input.Member("Id")
	if !id.Required || id.Location != awsapi.URI || id.WireName != "id" {
		t.Errorf("member: %+v", id)
	}
	if n := id.Shape; *n.Min != 1 || *n.Max != 8 || n.Pattern != `a b\d+` || len(n.Enum) != 2 {
		t.Errorf("constraints: %+v", n)
	}
	if m := s.Shapes["Tags"]; !m.Flattened || m.Key.WireName != "Key" || m.Element.WireName != "Value" {
		t.Errorf("map: %+v", m)
	}
}

func TestParseSchemaNamesTheBrokenLine(t *testing.T) {
	for text, want := range map[string]string{
		"widget X":                        "unknown kind",
		"string A\n B .string":            "member outside",
		"op A":                            "without name",
		"structure A\n B C":               `"C" is used but not defined`,
		"string A colour=red":             "unknown attribute",
		"string A\nstring A":              "defined twice",
		"structure A\n B .string in=moon": "unknown location",
		`string A pattern="x`:             "quoted value",
		"string A min=x":                  "invalid syntax",
	} {
		_, err := awsapi.ParseSchema(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzParseSchema(f *testing.F) {
	f.Add("op A GET / in=B\nstructure B\n C! .string name=x\n")
	f.Add("map A .string .string k.name=\"a b\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = awsapi.ParseSchema(text)
	})
}
