package cli

import (
	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/term"
)

func (a *app) iamCommand() *cobra.Command {
	c := &cobra.Command{Use: "iam", Short: "Questions about permissions", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(a.jsonFlag(&cobra.Command{
		Use: "explain REQUEST-ID", Short: "Tell why a request was allowed or denied",
		Long: "Explain shows every permission decision of one of the last requests: who asked for what, the answer, and the policy statements\nthat led to it. The request id is in the error message and in the access log.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.rootClient()
			if err != nil {
				return err
			}
			decisions, err := cl.Decisions(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.Term.JSON(nonNil(decisions))
			}
			if len(decisions) == 0 {
				a.Term.Say("No decisions of the request %s are known. Only the most recent ones are kept, until Lambent stops.", args[0])
				return exit(ExitFailed)
			}
			for _, d := range decisions {
				verdict := a.Term.Paint(term.Green, "allowed")
				if !d.Allowed {
					verdict = a.Term.Paint(term.Red, "denied")
				}
				a.Term.Print("%s  %s on %s\n    by %s, in %s %s at %s", verdict, d.Action, d.Resource, d.Principal, d.API, d.Operation, d.Time)
				if d.Message != "" {
					a.Term.Print("    %s", d.Message)
				}
				for i := range d.Trace {
					a.Term.Print("    - %s", d.Trace[i].String())
				}
			}
			return nil
		},
	}))
	return c
}
