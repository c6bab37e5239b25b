package cli

import (
	"time"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/term"
)

func (a *app) queueCommand() *cobra.Command {
	c := &cobra.Command{Use: "queue", Short: "Look into queues", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	limit := 10
	peek := a.jsonFlag(&cobra.Command{
		Use: "peek QUEUE", Short: "Show messages of a queue without receiving them",
		Long: "Peek shows the first messages of a queue in the order of sending, those in flight and delayed ones among them. Nothing changes: no\nmessage is received, and no count goes up.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.rootClient()
			if err != nil {
				return err
			}
			account, err := cl.Account(cmd.Context())
			if err != nil {
				return err
			}
			messages, err := cl.Peek(cmd.Context(), account, args[0], limit)
			if err != nil {
				return err
			}
			if a.json {
				return a.Term.JSON(nonNil(messages))
			}
			if len(messages) == 0 {
				a.Term.Say("The queue %s is empty.", args[0])
			}
			for _, m := range messages {
				state := m.State
				if !m.Until.IsZero() {
					state += " until " + m.Until.Format(time.RFC3339)
				}
				if m.Group != "" {
					state += ", group " + m.Group
				}
				a.Term.Print("%s  sent %s, received %d times, %s\n%s", a.Term.Paint(term.Bold, m.MessageID), m.Sent.Format(time.RFC3339), m.Received, state, m.Body)
			}
			return nil
		},
	})
	peek.Flags().IntVarP(&limit, "number", "n", limit, "how many messages, up to 100")
	c.AddCommand(peek)
	return c
}

func (a *app) outboxCommand() *cobra.Command {
	limit := 10
	c := a.jsonFlag(&cobra.Command{
		Use: "outbox", Short: "Show the mails and text messages of topics",
		Long: "Outbox shows the newest mails, text messages and pushes of topics. They are kept here and not sent, save mails when the setting mail-server names\na server for them. The mail that asks for the confirmation of a subscription has the link to confirm it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.rootClient()
			if err != nil {
				return err
			}
			account, err := cl.Account(cmd.Context())
			if err != nil {
				return err
			}
			messages, err := cl.Outbox(cmd.Context(), account, limit)
			if err != nil {
				return err
			}
			if a.json {
				return a.Term.JSON(nonNil(messages))
			}
			if len(messages) == 0 {
				a.Term.Say("The outbox is empty.")
			}
			for _, m := range messages {
				a.Term.Print("%s  %s to %s  %s\n%s", m.Time, m.Kind, a.Term.Paint(term.Bold, m.To), m.Subject, m.Body)
			}
			return nil
		},
	})
	c.Flags().IntVarP(&limit, "number", "n", limit, "how many messages, up to 100")
	return c
}
