package deploy

import (
	"slices"
	"testing"

	"lambent.dev/lambent/internal/service"
)

func TestASnapshotComesAfterTheThingsOfItsParent(t *testing.T) {
	w := newWorld()
	w.kinds = NewTypes(
		service.NewResourceType("Test::Thing", service.ResourceSpec[thingProperties]{}),
		service.NewResourceType("Test::Snapshot", service.ResourceSpec[thingProperties]{After: []service.Order{{Type: "Test::Thing", Theirs: "Name", Own: "Value"}}}))
	const text = `
Resources:
  Parent: {Type: Test::Thing, Properties: {Value: parent}}
  Other: {Type: Test::Thing, Properties: {Value: other, Name: elsewhere}}
  One: {Type: Test::Thing, Properties: {Value: one, Name: !Ref Parent}}
  Two: {Type: Test::Thing, Properties: {Value: two, Name: !Ref Parent}}
  Later: {Type: Test::Thing, Properties: {Value: !Ref Snapshot, Name: !Ref Parent}}
  Latest: {Type: Test::Thing, Properties: {Value: latest, Name: !Ref Parent}, DependsOn: Later}
  Snapshot: {Type: Test::Snapshot, Properties: {Value: !Ref Parent}, DependsOn: Two}
`
	target := w.target(t, text)
	got := slices.Sorted(slices.Values(target.deps["Snapshot"]))
	if want := []string{"One", "Parent", "Two"}; !slices.Equal(got, want) {
		t.Errorf("the snapshot waits for %v, want %v", got, want)
	}
	if order := target.Live(); slices.Index(order, "One") > slices.Index(order, "Snapshot") || len(order) != 7 {
		t.Errorf("the order is %v", order)
	}
}
