package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/cli/term"
)

func (a *app) driftCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "drift STACK", Short: "Show what of a stack is not as its template says",
		Long: "Drift reads the resources of a stack and compares them with its template: what somebody has changed or deleted past the stack is\nshown, property by property. It changes nothing. " +
			"The exit code is 0 when everything is as the template says, and 1 otherwise.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			drifts, err := cl.DetectDrift(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				if err := a.Term.JSON(nonNil(drifts)); err != nil {
					return err
				}
			} else {
				for _, d := range drifts {
					a.showDrift(d)
				}
			}
			return a.drifted(args[0], drifts)
		},
	})
}

// drifted says how many resources are not what they should be, as an error when there are any.
func (a *app) drifted(stack string, drifts []client.Drift) error {
	changed, unread := 0, 0
	for _, d := range drifts {
		switch d.Status {
		case "MODIFIED", "DELETED":
			changed++
		case "UNKNOWN":
			unread++
		}
	}
	switch {
	case changed > 0:
		return fmt.Errorf("%s has drifted: %d of %d resources are not as the template says. `lambent deploy` does not mend what the template has not changed", stack, changed, len(drifts))
	case unread > 0:
		return fmt.Errorf("%d of %d resources of %s could not be read", unread, len(drifts), stack)
	}
	a.Term.Say("%s is as its template says: %d resources compared.", stack, len(drifts))
	return nil
}

// showDrift prints a resource that is not what it should be, with its properties.
func (a *app) showDrift(d client.Drift) {
	line := func(style term.Style, sign, what string) {
		a.Term.Print("%s", a.Term.Paint(style, sign+" "+d.LogicalID+" "+what)+"  "+a.Term.Paint(term.Dim, d.Type+" "+d.PhysicalID))
	}
	switch d.Status {
	case "DELETED":
		line(term.Red, "-", "is gone")
	case "UNKNOWN":
		line(term.Yellow, "?", "could not be read: "+d.Reason)
	case "MODIFIED":
		line(term.Yellow, "~", "has changed")
	}
	for _, p := range d.Differences {
		switch p.Kind {
		case "ADD":
			a.Term.Print("    %s %s", a.Term.Paint(term.Green, "+ "+p.Path), p.Actual)
		case "REMOVE":
			a.Term.Print("    %s %s", a.Term.Paint(term.Red, "- "+p.Path), p.Expected)
		default:
			a.Term.Print("    %s %s → %s", a.Term.Paint(term.Yellow, "~ "+p.Path), p.Expected, p.Actual)
		}
	}
}
