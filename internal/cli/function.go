package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/clock"
)

func (a *app) invokeCommand() *cobra.Command {
	var data, tenant string
	var debug bool
	c := &cobra.Command{
		Use: "invoke FUNCTION", Short: "Run a function and print its answer",
		Long: "Invoke runs a function by its name or ARN, or by STACK/LogicalId. The answer goes to standard output, the log to standard error. A\n" +
			"function that fails makes the exit code 1.\n\nWith --debug the function waits for a debugger before it runs anything, and its time does not run out.",
		Example: "  lambent invoke photoboard/ImageFunction --data @event.json\n  echo '{\"n\": 1}' | lambent invoke my-function --data -",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			payload, err := a.payload(data)
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			name, err := functionName(ctx, cl, args[0])
			if err != nil {
				return err
			}
			if debug {
				root, err := a.rootClient()
				if err != nil {
					return err
				}
				session, err := a.debug(ctx, root, name)
				if err != nil {
					return err
				}
				defer session.Close()
			}
			return a.invoke(ctx, cl, client.Event{Function: name, Payload: payload, Tenant: tenant})
		},
	}
	c.Flags().BoolVar(&debug, "debug", false, "open the debugger of the function's language on this machine, and wait until one is attached")
	c.Flags().StringVarP(&data, "data", "d", "{}", "the event as JSON; @FILE reads a file, - reads standard input")
	c.Flags().StringVar(&tenant, "tenant", "", "the tenant whom the function serves, if it isolates its tenants")
	return c
}

// debug opens the debugger of a function, and says how to attach.
func (a *app) debug(ctx context.Context, root *client.Client, function string) (*client.Debugging, error) {
	session, err := root.Debug(ctx, function)
	if err != nil {
		return nil, err
	}
	a.Term.Say("%s waits: %s", function, session.Help)
	return session, nil
}

// invoke runs a function, and prints its log and its answer.
func (a *app) invoke(ctx context.Context, cl *client.Client, e client.Event) error {
	out, err := cl.Invoke(ctx, e)
	if err != nil {
		return err
	}
	if out.Log != "" {
		a.Term.Say("%s", strings.TrimRight(out.Log, "\n"))
	}
	a.Term.Print("%s", bytes.TrimRight(out.Payload, "\n"))
	if out.Error != "" {
		return exit(ExitFailed)
	}
	return nil
}

func (a *app) payload(data string) ([]byte, error) {
	raw, err := []byte(data), error(nil)
	if data == "-" {
		raw, err = io.ReadAll(a.Stdin)
	} else if file, ok := strings.CutPrefix(data, "@"); ok {
		raw, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	if !json.Valid(raw) {
		return nil, usage{errors.New("the event is not JSON; a text needs its quotes, as in --data '\"text\"'")}
	}
	return raw, nil
}

// functionName returns the name of a function that may be given as STACK/LogicalId.
func functionName(ctx context.Context, cl *client.Client, name string) (string, error) {
	stack, logical, ok := strings.Cut(name, "/")
	if !ok {
		return name, nil
	}
	resources, err := cl.StackResources(ctx, stack)
	if err != nil {
		return "", err
	}
	var functions []string
	for _, r := range resources {
		if r.Type != "AWS::Lambda::Function" {
			continue
		}
		if r.LogicalID == logical {
			return r.PhysicalID, nil
		}
		functions = append(functions, r.LogicalID)
	}
	return "", usage{fmt.Errorf("the stack %s has no function %s; it has %s", stack, logical, strings.Join(functions, ", "))}
}

func (a *app) logsCommand() *cobra.Command {
	var l logFollower
	c := &cobra.Command{
		Use: "logs FUNCTION", Short: "Show the log of a function",
		Long: "Logs shows the log of a function, given by name or as STACK/LogicalId. With --follow it goes on until Ctrl-C.",
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
			l.group = "/aws/lambda/" + name
			return l.run(cmd.Context(), a, cl)
		},
	}
	c.Flags().BoolVarP(&l.follow, "follow", "f", false, "go on with new lines")
	c.Flags().DurationVar(&l.since, "since", time.Hour, "how far back to begin")
	c.Flags().StringVar(&l.pattern, "filter", "", "a CloudWatch Logs filter pattern")
	return a.jsonFlag(c)
}

// lateness is how much later than its timestamp a line may become readable. Following reads that far back each time,
// and leaves out what it has shown, so that no line is missed and none doubled.
const lateness = 10 * time.Second

type logFollower struct {
	group, pattern string
	follow         bool
	since          time.Duration
}

func (l *logFollower) run(ctx context.Context, a *app, cl *client.Client) error {
	from := a.Clock.Now().Add(-l.since).UnixMilli()
	shown := map[string]int64{} // event id → timestamp
	for {
		events, err := cl.LogEvents(ctx, l.group, from, l.pattern)
		if client.HasCode(err, "ResourceNotFoundException") {
			if !l.follow {
				return fmt.Errorf("there is no log group %s; a function has one after its first invocation", l.group)
			}
			err = nil
		}
		if ctx.Err() != nil && l.follow {
			return nil
		}
		if err != nil {
			return err
		}
		newest := from
		for _, e := range events {
			newest = max(newest, e.Timestamp)
			if _, ok := shown[e.ID]; ok {
				continue
			}
			shown[e.ID] = e.Timestamp
			if err := l.show(a, e); err != nil {
				return err
			}
		}
		if !l.follow {
			return nil
		}
		from = max(from, newest-lateness.Milliseconds())
		for id, t := range shown {
			if t < from {
				delete(shown, id)
			}
		}
		if clock.Sleep(ctx, a.Clock, 500*time.Millisecond) != nil {
			return nil //nolint:nilerr // Ctrl-C is how this ends
		}
	}
}

func (l *logFollower) show(a *app, e client.LogEvent) error {
	if a.json {
		return a.Term.JSONLine(e)
	}
	a.Term.Print("%s %s", time.UnixMilli(e.Timestamp).UTC().Format("15:04:05.000"), strings.TrimRight(e.Message, "\n"))
	return nil
}
