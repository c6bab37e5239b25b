package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"lambent.dev/lambent/internal/awsapi/cloudcontrol"
	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// samples are applications that have every resource type, with all that their templates can say: those of scenarios, and others of the folder testdata/resources.
func samples(t *testing.T) []string {
	t.Helper()
	names := []string{"event_types_change", "http_api_types_change", "lambda_types_change", "networks", "queues_and_topics", "rest_api_types_change", "secrets"}
	files, err := filepath.Glob("testdata/resources/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name, changed := strings.CutSuffix(strings.TrimSuffix(filepath.Base(f), ".yaml"), ".changed"); !changed {
			names = append(names, name)
		}
	}
	return names
}

// sample returns the template of a sample, or what that is changed to; "" when it does not change.
func sample(t *testing.T, name string, changed bool) string {
	t.Helper()
	file, scenario := name+".yaml", "app/template.yaml"
	if changed {
		file, scenario = name+".changed.yaml", "app/changed.yaml"
	}
	if text, err := os.ReadFile(filepath.Join("testdata", "resources", file)); err == nil {
		return string(text)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "test", "scenario", "testdata", name+".txtar"))
	if err != nil && !changed {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse(text).Files {
		if f.Name == scenario {
			return string(f.Data)
		}
	}
	return ""
}

// contract deploys stacks and holds their resources against their templates.
type contract struct {
	*testing.T

	s   *Server
	ctx context.Context //nolint:containedctx // of the test
}

func ask[Out any](c *contract, api, operation string, in any) *Out {
	c.Helper()
	out, err := service.Call[Out](c.ctx, c.s.plane.Door, api, operation, in)
	if err != nil {
		c.Fatalf("%s %s: %v", api, operation, err)
	}
	return out
}

// until asks again and again whether what goes on after an answer has come about, for a minute.
func (c *contract) until(what string, fn func() bool) {
	c.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for end := time.After(time.Minute); !fn(); {
		select {
		case <-again.C:
		case <-end:
			c.Fatal("in a minute this does not come about:", what)
		}
	}
}

// settled waits until nothing happens to the stack any more, and returns its status.
func (c *contract) settled(stack string) (status string) {
	c.Helper()
	c.until("the stack settles", func() bool {
		status = ask[cloudformation.DescribeStacksOutput](c, "cloudformation", "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: &stack}).Stacks[0].StackStatus
		return !strings.HasSuffix(status, "_IN_PROGRESS")
	})
	if strings.Contains(status, "ROLLBACK") || strings.Contains(status, "FAILED") {
		c.failures(stack)
	}
	return status
}

func (c *contract) failures(stack string) {
	out := ask[cloudformation.DescribeStackEventsOutput](c, "cloudformation", "DescribeStackEvents", &cloudformation.DescribeStackEventsInput{StackName: stack})
	for _, e := range out.StackEvents {
		if strings.HasSuffix(e.ResourceStatus, "_FAILED") {
			c.Errorf("%s: %s", opt.Value(e.LogicalResourceId), opt.Value(e.ResourceStatusReason))
		}
	}
}

// inSync detects drift, of which there must be none, and returns what was read.
func (c *contract) inSync(stack string) []cloudformation.StackResourceDrift {
	c.Helper()
	id := ask[cloudformation.DetectStackDriftOutput](c, "cloudformation", "DetectStackDrift", &cloudformation.DetectStackDriftInput{StackName: stack}).StackDriftDetectionId
	c.until("drift is detected", func() bool {
		out := ask[cloudformation.DescribeStackDriftDetectionStatusOutput](
			c, "cloudformation", "DescribeStackDriftDetectionStatus", &cloudformation.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: id})
		return out.DetectionStatus != "DETECTION_IN_PROGRESS"
	})
	drifts := ask[cloudformation.DescribeStackResourceDriftsOutput](c, "cloudformation", "DescribeStackResourceDrifts", &cloudformation.DescribeStackResourceDriftsInput{StackName: stack}).StackResourceDrifts
	for _, d := range drifts {
		if d.StackResourceDriftStatus != "IN_SYNC" {
			c.Errorf("%s %s is %s: %s", d.ResourceType, d.LogicalResourceId, d.StackResourceDriftStatus, opt.Value(d.DriftStatusReason))
		}
		for _, p := range d.PropertyDifferences {
			c.Errorf("%s %s %s: %s, expected %s, is %s", d.ResourceType, d.LogicalResourceId, p.PropertyPath, p.DifferenceType, p.ExpectedValue, p.ActualValue)
		}
	}
	return drifts
}

// listed finds the resource of a drift in the list of its type, and returns its identifier there.
func (c *contract) listed(typ *service.ResourceType, d *cloudformation.StackResourceDrift) string {
	c.Helper()
	in := &cloudcontrol.ListResourcesInput{TypeName: typ.Name, MaxResults: new(int32(100))}
	if typ.ListBy != nil {
		in.ResourceModel = d.ActualProperties
	}
	for {
		out := ask[cloudcontrol.ListResourcesOutput](c, "cloudcontrol", "ListResources", in)
		for _, r := range out.ResourceDescriptions {
			var parts map[string]any
			if err := json.Unmarshal([]byte(*r.Properties), &parts); err != nil {
				c.Fatal(err)
			}
			// The id of what is known by several parts is these together.
			if is(parts, d) || *r.Identifier == *d.PhysicalResourceId {
				return *r.Identifier
			}
		}
		if out.NextToken == nil {
			c.Errorf("%s %s (%s) is not in the list of its type", typ.Name, d.LogicalResourceId, *d.PhysicalResourceId)
			return ""
		}
		in.NextToken = out.NextToken
	}
}

// is tells whether the parts of an identifier are those of a resource.
func is(parts map[string]any, d *cloudformation.StackResourceDrift) bool {
	for _, x := range d.PhysicalResourceIdContext {
		if fmt.Sprint(parts[x.Key]) != x.Value {
			return false
		}
	}
	return slices.Contains(slices.Collect(maps.Values(parts)), any(*d.PhysicalResourceId))
}

// TestResourceTypesReadWhatTheyMake holds every resource type to the contract of AWS's types
// (https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract.html): what was made or changed is read as it was asked for and stands in the list of its type; what was
// deleted is not found.
func TestResourceTypesReadWhatTheyMake(t *testing.T) {
	for _, name := range samples(t) {
		t.Run(name, func(t *testing.T) {
			s := run(t, machine{clock: clock.System{}}, func(cfg *config.Config) { cfg.Ephemeral, cfg.Sandbox = true, config.SandboxOff })
			c := &contract{t, s, asRoot(t, s)}
			types := map[string]*service.ResourceType{}
			for i := range s.services {
				for j := range s.services[i].Resources {
					r := &s.services[i].Resources[j]
					types[r.Name] = r
				}
			}
			ask[cloudformation.CreateStackOutput](c, "cloudformation", "CreateStack", &cloudformation.CreateStackInput{
				StackName: "app", TemplateBody: new(sample(t, name, false)), Capabilities: []string{"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"},
			})
			if status := c.settled("app"); status != "CREATE_COMPLETE" {
				t.Fatalf("the stack is %s", status)
			}
			identifiers := map[string]string{}
			for _, d := range c.inSync("app") {
				typ := types[d.ResourceType]
				if typ == nil || typ.List == nil {
					continue
				}
				if id := c.listed(typ, &d); id != "" {
					identifiers[id] = d.ResourceType
					c.model(typ, id)
				}
			}
			if changed := sample(t, name, true); changed != "" {
				ask[cloudformation.UpdateStackOutput](c, "cloudformation", "UpdateStack", &cloudformation.UpdateStackInput{
					StackName: "app", TemplateBody: &changed, Capabilities: []string{"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"},
				})
				if status := c.settled("app"); status != "UPDATE_COMPLETE" {
					t.Fatalf("the stack is %s", status)
				}
				c.inSync("app")
			}
			id := *ask[cloudformation.DescribeStacksOutput](c, "cloudformation", "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: new("app")}).Stacks[0].StackId
			ask[cloudformation.DeleteStackOutput](c, "cloudformation", "DeleteStack", &cloudformation.DeleteStackInput{StackName: "app"})
			if status := c.settled(id); status != "DELETE_COMPLETE" {
				t.Fatalf("the stack is %s", status)
			}
			for id, typ := range identifiers {
				_, err := service.Call[cloudcontrol.GetResourceOutput](c.ctx, s.plane.Door, "cloudcontrol", "GetResource", &cloudcontrol.GetResourceInput{TypeName: typ, Identifier: id})
				if code := service.Code(err); code != "ResourceNotFoundException" {
					t.Errorf("%s %s after its deletion: %v", typ, id, err)
				}
			}
		})
	}
}

// model reads a resource by its identifier; its model must have nothing that can only be written, and what identifies it.
func (c *contract) model(typ *service.ResourceType, id string) {
	c.Helper()
	out := ask[cloudcontrol.GetResourceOutput](c, "cloudcontrol", "GetResource", &cloudcontrol.GetResourceInput{TypeName: typ.Name, Identifier: id})
	var m map[string]any
	if err := json.Unmarshal([]byte(*out.ResourceDescription.Properties), &m); err != nil {
		c.Fatal(err)
	}
	for _, name := range typ.Identifier {
		if deploy.Member(m, name) == nil {
			c.Errorf("%s %s: the model has no %s", typ.Name, id, name)
		}
	}
	shape, err := property.Of(typ.NewProperties())
	if err != nil {
		c.Fatal(err)
	}
	if readable := shape.Readable(shape.Known(m)); len(readable) != len(shape.Known(m)) {
		c.Errorf("%s %s: the model has what can only be written: %v", typ.Name, id, m)
	}
}

// TestUnreadableTypesAreKnown holds testdata/unreadable.txt against the types: every one whose resources cannot be read by an identifier, so that neither Cloud Control nor an import has them, stands
// there with its reason, and none that can be read does.
func TestUnreadableTypesAreKnown(t *testing.T) {
	text, err := os.ReadFile("testdata/unreadable.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, ": ")
		if !ok || reason == "" {
			t.Errorf("%q has no reason", line)
		}
		known[name] = true
	}
	types, err := ResourceTypes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range types {
		switch r := &types[i]; {
		case r.Read == nil && !known[r.Name]:
			t.Errorf("%s cannot be read: write its Read, or its reason into testdata/unreadable.txt", r.Name)
		case r.Read != nil && known[r.Name]:
			t.Errorf("%s can be read: take it out of testdata/unreadable.txt", r.Name)
		case r.Read != nil && len(r.Identifier) == 0:
			t.Errorf("%s can be read and has no identifier", r.Name)
		}
		delete(known, types[i].Name)
	}
	for name := range known {
		t.Errorf("%s of testdata/unreadable.txt is no type", name)
	}
}
