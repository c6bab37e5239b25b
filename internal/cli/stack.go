package cli

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/cli/term"
)

func (a *app) statusCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "status [STACK]", Short: "Show the stacks, or the resources of one",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return a.showResources(cmd.Context(), cl, args[0])
			}
			return a.showStacks(cmd.Context(), cl)
		},
	})
}

func (a *app) showStacks(ctx context.Context, cl *client.Client) error {
	stacks, err := cl.Stacks(ctx, "")
	if err != nil {
		return err
	}
	if a.json {
		return a.Term.JSON(map[string]any{"endpoint": cl.Endpoint, "stacks": nonNil(stacks)})
	}
	a.Term.Say("%s is running", cl.Endpoint)
	if len(stacks) == 0 {
		a.Term.Say("No stacks yet. Deploy one with: lambent deploy DIR")
		return nil
	}
	rows := make([][]string, 0, len(stacks))
	for _, s := range stacks {
		changed := s.Updated
		if changed == "" {
			changed = s.Created
		}
		rows = append(rows, []string{s.Name, s.Status, changed})
	}
	return a.Term.Table([]string{"stack", "status", "changed"}, rows)
}

func (a *app) showResources(ctx context.Context, cl *client.Client, stack string) error {
	resources, err := cl.StackResources(ctx, stack)
	if err != nil {
		return err
	}
	if a.json {
		return a.Term.JSON(nonNil(resources))
	}
	rows := make([][]string, 0, len(resources))
	for _, r := range resources {
		rows = append(rows, []string{r.LogicalID, r.Type, r.Status, r.PhysicalID})
	}
	return a.Term.Table([]string{"resource", "type", "status", "id"}, rows)
}

func (a *app) outputsCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "outputs [STACK]", Short: "Show the outputs of a stack",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			stacks, err := cl.Stacks(cmd.Context(), name)
			if err != nil {
				return err
			}
			if len(stacks) != 1 {
				return usage{fmt.Errorf("there are %d stacks; name one (lambent status lists them)", len(stacks))}
			}
			return a.showStack(cl.Endpoint, &stacks[0])
		},
	})
}

// showStack prints the outputs of a stack, and under URLs of AWS's those that lead here.
func (a *app) showStack(endpoint string, s *client.Stack) error {
	if a.json {
		return a.Term.JSON(s.OutputMap())
	}
	rows := make([][]string, 0, len(s.Outputs))
	for _, o := range s.Outputs {
		rows = append(rows, []string{o.Key, o.Value})
		if here := localURL(endpoint, o.Value); here != "" {
			rows = append(rows, []string{"  here", here})
		}
	}
	if len(rows) == 0 {
		a.Term.Say("%s has no outputs.", s.Name)
		return nil
	}
	return a.Term.Table([]string{"output", "value"}, rows)
}

func (a *app) deleteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "delete STACK", Short: "Delete a stack and all that it made",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			cl, err := a.client()
			if err != nil {
				return err
			}
			stacks, err := cl.Stacks(ctx, args[0])
			if err != nil {
				return err
			}
			token := rand.Text()
			if err := cl.DeleteStack(ctx, args[0], token); err != nil {
				return err
			}
			tree := term.NewTree(a.Term, a.Clock)
			defer tree.Close()
			// By its id, because a deleted stack no longer has a name.
			if err := a.follow(ctx, cl, stacks[0].ID, token, func(string) string { return "" }, tree); err != nil {
				return err
			}
			tree.Close()
			a.Term.Say("deleted %s", args[0])
			return nil
		},
	}
}

// nonNil makes an empty list print as [].
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
