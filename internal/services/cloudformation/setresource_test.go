package cloudformation

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func instances(accounts, regions []string, values ...string) instancesPropertyItem {
	var i instancesPropertyItem
	i.DeploymentTargets.Accounts, i.Regions = accounts, regions
	for n := 0; n < len(values); n += 2 {
		i.ParameterOverrides = append(i.ParameterOverrides, parameterProperty{values[n], values[n+1]})
	}
	return i
}

// Every try of a step begins the same operations, whose ids are the numbers of their batches.
func TestStacksOfASetAreBatchedInOneOrder(t *testing.T) {
	p := &stackSetProperties{StackInstancesGroup: []instancesPropertyItem{
		instances([]string{"222222222222", "111111111111"}, []string{"us-east-1", "eu-west-1"}, "b", "2", "a", "1"),
		instances([]string{"333333333333"}, []string{"eu-west-1", "us-east-1"}, "a", "1", "b", "2"),
		instances([]string{"333333333333"}, []string{"us-west-2"}),
	}}
	const values = `[{"ParameterKey":"a","ParameterValue":"1"},{"ParameterKey":"b","ParameterValue":"2"}]`
	want := []batch{
		{[]string{"111111111111", "222222222222", "333333333333"}, []string{"eu-west-1", "us-east-1"}, values},
		{[]string{"333333333333"}, []string{"us-west-2"}, "null"},
	}
	for range 20 {
		targets, err := p.wanted()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, batches(targets), cmp.AllowUnexported(batch{})); diff != "" {
			t.Fatal(diff)
		}
	}
}
