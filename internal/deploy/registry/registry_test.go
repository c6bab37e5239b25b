package registry

import "testing"

func TestPropertiesAreFoundThroughListsAndDefinitions(t *testing.T) {
	r, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	table := r["AWS::DynamoDB::Table"]
	p, ok := table.Property("GlobalSecondaryIndexes", "Projection", "ProjectionType")
	if !ok || table.Form(p.Schema) != "string" {
		t.Errorf("the property is %+v, %v", p, ok)
	}
	if p, ok := table.Property("TableName"); !ok || !p.Replaces || p.Required {
		t.Errorf("TableName is %+v, %v", p, ok)
	}
	if p, ok := r["AWS::SQS::Queue"].Property("DelaySeconds"); !ok || r["AWS::SQS::Queue"].Form(p.Schema) != "integer, 0 to 900" {
		t.Errorf("DelaySeconds is %+v, %v", p, ok)
	}
	if _, ok := table.Property("TableName", "Nothing"); ok {
		t.Error("a text has members")
	}
	if _, ok := table.Property("Nothing"); ok {
		t.Error("there is a property Nothing")
	}
}

// TestEveryTypeCanBeWalked walks all properties of all types: references lead somewhere.
func TestEveryTypeCanBeWalked(t *testing.T) {
	r, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(r) < 300 {
		t.Errorf("there are %d types", len(r))
	}
	for _, name := range r.Names() {
		for _, p := range r[name].Members() {
			if p.Schema == nil {
				t.Errorf("%s: %v leads nowhere", name, p.Path)
			}
			r[name].Form(p.Schema)
		}
	}
}
