package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/deploy/pack"
)

func (a *app) planCommand() *cobra.Command {
	var d deployment
	var parameters []string
	c := &cobra.Command{
		Use: "plan [DIR]", Short: "Show what a deploy would change",
		Long: "Plan builds the application in DIR (the working folder by default) and shows what a deploy of it would add, change, replace and\nremove. It changes nothing. " +
			"Resources that would be replaced or removed are shown in red, with the property that forces\nit and the data that would be lost. Of a folder with cdk.json it shows what cdk diff says.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := d.begin(args, parameters); err != nil {
				return err
			}
			if d.project.tool != nil {
				return a.planWithTool(cmd.Context(), &d)
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			changes, err := a.plan(cmd.Context(), cl, d)
			if err != nil {
				return err
			}
			if a.json {
				return a.Term.JSON(map[string]any{"stack": d.stack, "changes": nonNil(changes)})
			}
			a.showPlan(d.stack, changes)
			return nil
		},
	}
	d.flags(c, &parameters)
	return a.jsonFlag(c)
}

// plan makes a change set, reads it and removes it, with the stack that it was made for if that was not there.
func (a *app) plan(ctx context.Context, cl *client.Client, d deployment) (changes []client.Change, err error) {
	options, err := a.packing(ctx, cl, d)
	if err != nil {
		return nil, err
	}
	application, err := pack.Pack(ctx, options)
	if err != nil {
		return nil, err
	}
	if len(application.Template) > inlineTemplate {
		if err := cl.EnsureBucket(ctx, options.Bucket); err != nil {
			return nil, err
		}
	}
	p, err := a.propose(ctx, cl, d, options.Bucket, application)
	if p.id != "" && p.create {
		defer func() { err = errors.Join(err, a.discard(ctx, cl, d.stack)) }()
	}
	if err != nil || !p.changes {
		return nil, err
	}
	defer func() { err = errors.Join(cl.DeleteChangeSet(ctx, p.id), err) }()
	return cl.Changes(ctx, p.id)
}

// discard deletes the stack of a plan, and waits until it is gone: a deploy that comes next would meet it.
func (a *app) discard(ctx context.Context, cl *client.Client, stack string) error {
	if err := cl.DeleteStack(ctx, stack, rand.Text()); err != nil {
		return err
	}
	for {
		if done, err := settled(ctx, cl, stack); done || err != nil {
			return err
		}
		if err := a.pause(ctx); err != nil {
			return err
		}
	}
}

// planned is a kind of change, as it is shown.
type planned struct {
	sign, verb string
	style      term.Style
}

func kindOf(c client.Change) planned {
	switch {
	case c.Action == "Add":
		return planned{"+", "add", term.Green}
	case c.Action == "Remove":
		return planned{"-", "remove", term.Red}
	case c.Replacement == "True":
		return planned{"±", "replace", term.Red}
	case c.Replacement == "Conditional":
		return planned{"±", "may replace", term.Yellow}
	}
	return planned{"~", "change", term.Yellow}
}

// data is what resources of a type hold that nothing can make again.
var data = map[string]string{
	"AWS::S3::Bucket": "objects", "AWS::DynamoDB::Table": "items", "AWS::DynamoDB::GlobalTable": "items", "AWS::SQS::Queue": "messages", "AWS::Logs::LogGroup": "log events", "AWS::Kinesis::Stream": "records",
	"AWS::Cognito::UserPool": "users", "AWS::SecretsManager::Secret": "secret value", "AWS::KMS::Key": "key material", "AWS::ECR::Repository": "images", "AWS::EFS::FileSystem": "files",
	"AWS::RDS::DBInstance": "rows", "AWS::RDS::DBCluster": "rows", "AWS::SSM::Parameter": "value",
}

// lost is the data that a change would delete; "" is none.
func lost(c client.Change) string {
	if c.PolicyAction != "Delete" && c.PolicyAction != "ReplaceAndDelete" {
		return ""
	}
	return data[c.Type]
}

// reasons are the properties that differ; of a replacement only those that force it.
func reasons(c client.Change) []string {
	var out []string
	for _, detail := range c.Details {
		if c.Replacement == "True" && detail.Recreation != "Always" {
			continue
		}
		name := strings.TrimPrefix(detail.Path, "/Properties/")
		if name == "" {
			name = detail.Name
		}
		if name == "" {
			name = detail.Attribute
		}
		if detail.Before != "" && detail.After != "" && len(detail.Before)+len(detail.After) < 60 {
			name += " (" + detail.Before + " → " + detail.After + ")"
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if out == nil && c.Action == "Modify" {
		return c.Scope
	}
	return out
}

// showPlan prints a line for each change, and a summary.
func (a *app) showPlan(stack string, changes []client.Change) {
	if len(changes) == 0 {
		a.Term.Say("%s is up to date: a deploy would change nothing.", stack)
		return
	}
	counts := map[string]int{}
	for _, c := range changes {
		k := kindOf(c)
		counts[k.verb]++
		a.Term.Print("%s", a.Term.Paint(k.style, k.sign+" "+k.verb+" "+c.LogicalID)+"  "+a.Term.Paint(term.Dim, c.Type))
		if why := reasons(c); len(why) > 0 && c.Action == "Modify" {
			forced := ""
			if c.Replacement == "True" {
				forced = "forced by "
			}
			a.Term.Print("    %s%s", forced, strings.Join(why, ", "))
		}
		if what := lost(c); what != "" {
			a.Term.Print("    %s", a.Term.Paint(term.Red, "the "+what+" of "+c.PhysicalID+" would be lost"))
		}
	}
	var parts []string
	for _, verb := range []string{"add", "change", "replace", "may replace", "remove"} {
		if counts[verb] > 0 {
			parts = append(parts, strconv.Itoa(counts[verb])+" to "+strings.TrimPrefix(verb, "may ")+map[bool]string{true: " perhaps"}[verb == "may replace"])
		}
	}
	a.Term.Say("%s: %s. Deploy with: lambent deploy", stack, strings.Join(parts, ", "))
}
