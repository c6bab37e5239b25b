package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/lib/mergepatch"
)

func (a *app) replayCommand() *cobra.Command {
	var data, edit string
	c := &cobra.Command{
		Use: "replay [REQUEST-ID]", Short: "Send the event of a past invocation again",
		Long: "Replay sends the event that a function got with a request to the same function again, whoever sent it: a client, an HTTP API, a queue,\n" +
			"a bucket. It prints what invoke prints. The request id is in the function's log. Without one it lists the last invocations. Events\n" +
			"are kept in memory until Lambent stops; the setting recorded-events says how many.",
		Example: "  lambent replay\n  lambent replay 8f7dfb1e-4c7c-4c0a-9b4e-6d1c1d4c7a11 --edit '{\"n\": 2}'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := a.rootClient()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.listRecorded(cmd, root)
			}
			event, err := root.Recorded(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			payload, err := a.replayed(event, data, edit)
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			return a.invoke(cmd.Context(), cl, client.Event{Function: event.Function, Payload: payload, ClientContext: event.ClientContext, Tenant: event.Tenant})
		},
	}
	c.Flags().StringVarP(&data, "data", "d", "", "another event, as JSON; @FILE reads a file, - reads standard input")
	c.Flags().StringVar(&edit, "edit", "", "what to change in the event, as a JSON merge patch (RFC 7396); @FILE reads a file, - reads standard input")
	return a.jsonFlag(c)
}

// replayed is the event to send: the recorded one, changed or replaced.
func (a *app) replayed(event *client.Recorded, data, edit string) ([]byte, error) {
	switch {
	case data != "" && edit != "":
		return nil, usage{errors.New("--data replaces the event and --edit changes it; give one of them")}
	case data != "":
		return a.payload(data)
	case edit == "":
		return event.Payload, nil
	}
	patch, err := a.payload(edit)
	if err != nil {
		return nil, err
	}
	changed, err := mergepatch.Apply(event.Payload, patch)
	if err != nil {
		return nil, fmt.Errorf("change the event: %w", err)
	}
	return changed, nil
}

func (a *app) listRecorded(cmd *cobra.Command, root *client.Client) error {
	list, err := root.RecordedList(cmd.Context())
	if err != nil {
		return err
	}
	if a.json {
		return a.Term.JSON(nonNil(list))
	}
	for _, e := range list {
		tenant := ""
		if e.Tenant != "" {
			tenant = "  tenant " + e.Tenant
		}
		a.Term.Print("%s  %s  %s  %d bytes%s", e.Time.Format(time.RFC3339), e.RequestID, e.Function, e.Size, tenant)
	}
	if len(list) == 0 {
		a.Term.Say("No invocation is known yet. Only the most recent ones are kept, until Lambent stops.")
	}
	return nil
}
