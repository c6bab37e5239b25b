package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/cli/term"
)

func (a *app) executionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "execution", Short: "Look into durable executions", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: "  lambent execution list shop/Order --status RUNNING\n  lambent execution show arn:aws:lambda:…/durable-execution/order-7/…",
	}
	c.AddCommand(a.executionListCommand(), a.executionShowCommand(), a.executionStopCommand())
	return c
}

func (a *app) executionListCommand() *cobra.Command {
	status, limit := "", 20
	c := a.jsonFlag(&cobra.Command{
		Use: "list FUNCTION", Short: "List the durable executions of a function",
		Long: "List shows the executions of a function, given by its name or ARN or by STACK/LogicalId, the newest first.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			name, err := functionName(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			list, err := cl.Executions(cmd.Context(), name, strings.ToUpper(status), limit)
			if err != nil {
				return err
			}
			if a.json {
				return a.Term.JSON(nonNil(list))
			}
			if len(list) == 0 {
				a.Term.Say("There are no such executions of %s.", args[0])
			}
			for i := range list {
				a.Term.Print("%s", executionLine(&list[i]))
			}
			return nil
		},
	})
	c.Flags().StringVar(&status, "status", "", "only those that are RUNNING, SUCCEEDED, FAILED, TIMED_OUT or STOPPED")
	c.Flags().IntVarP(&limit, "number", "n", limit, "how many executions")
	return c
}

// executionLine is an execution in one line.
func executionLine(e *client.Execution) string {
	line := client.UnixTime(e.Start).Format(time.RFC3339) + "  " + e.Status
	if e.End != 0 {
		line += " after " + client.UnixTime(e.End).Sub(client.UnixTime(e.Start)).String()
	}
	return line + "  " + e.Name + "\n  " + e.ARN
}

func (a *app) executionShowCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "show ARN", Short: "Show what a durable execution has done so far",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			e, err := cl.Execution(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			history, err := cl.ExecutionHistory(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.Term.JSON(map[string]any{"execution": e, "history": nonNil(history)})
			}
			a.showExecution(e, history)
			return nil
		},
	})
}

// showExecution prints an execution with its history; each event with the time since the beginning.
func (a *app) showExecution(e *client.Execution, history []client.ExecutionEvent) {
	a.Term.Print("%s", executionLine(e))
	for i := range history {
		v := &history[i]
		line := "+" + client.UnixTime(v.Time).Sub(client.UnixTime(e.Start)).String() + "  " + a.Term.Paint(term.Bold, v.Type)
		if v.Name != "" {
			line += "  " + v.Name
		}
		if details := compact(v.Details); details != "" && details != "{}" {
			line += "  " + details
		}
		a.Term.Print("  %s", line)
	}
}

func compact(document json.RawMessage) string {
	var b bytes.Buffer
	if len(document) == 0 || json.Compact(&b, document) != nil {
		return ""
	}
	return b.String()
}

func (a *app) executionStopCommand() *cobra.Command {
	return &cobra.Command{
		Use: "stop ARN", Short: "End a durable execution, and those that it waits for",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			return a.stopExecution(cmd.Context(), cl, args[0])
		},
	}
}

func (a *app) stopExecution(ctx context.Context, cl *client.Client, arn string) error {
	if err := cl.StopExecution(ctx, arn); err != nil {
		return err
	}
	e, err := cl.Execution(ctx, arn)
	if err == nil {
		a.Term.Say("%s", executionLine(e))
	}
	return err
}
