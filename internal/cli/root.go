package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/service"
)

// Exit codes of the program.
const (
	ExitFailed      = 1
	ExitUsage       = 2
	ExitNotRunning  = 3
	ExitInterrupted = 130
)

// Platform is a Lambent that runs in this process.
type Platform interface {
	// URL is the base URL that clients use, without a trailing slash.
	URL() string
	// Failed receives the reason when the platform cannot go on, such as a disk that no longer takes what was acknowledged.
	Failed() <-chan error
	// Reopen opens log files anew, after they were rotated.
	Reopen()
	// Close stops taking requests, finishes what was begun, and returns when everything is on disk.
	Close(ctx context.Context) error
}

// Process is what a command line gets from the operating system.
type Process struct {
	Args    []string
	Environ []string
	Stdin   io.Reader
	Term    *term.Terminal
	Clock   clock.Clock
	// Version is shown by `lambent version`.
	Version string
	// Start starts a platform. Without it there is no command up.
	Start func(ctx context.Context, c config.Config, log *slog.Logger) (Platform, error)
	// Types returns the resource types of this program.
	Types func(ctx context.Context) ([]service.ResourceType, error)
}

// Run runs a command line and returns the exit code of the program.
func Run(ctx context.Context, p Process) int {
	a := &app{Process: p}
	root := a.root()
	root.SetArgs(p.Args)
	root.SetOut(p.Term.Out)
	root.SetErr(p.Term.Err)
	root.SetIn(p.Stdin)
	err := root.ExecuteContext(ctx)
	return a.report(ctx, err)
}

// exit is an error that only carries the exit code of a program that was run.
type exit int

func (e exit) Error() string { return "exit" }

// usage marks an error of the caller's: wrong arguments or settings.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

func (a *app) report(ctx context.Context, err error) int {
	var code exit
	var wrong usage
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case ctx.Err() != nil:
		a.Term.Say("interrupted")
		return ExitInterrupted
	}
	a.complain(err)
	switch {
	case errors.Is(err, client.ErrNotRunning):
		a.Term.Say("Start one with: lambent up DIR")
		return ExitNotRunning
	case errors.As(err, &wrong):
		a.Term.Say("See: lambent help")
		return ExitUsage
	}
	return ExitFailed
}

type app struct {
	Process
	endpoint string
	json     bool
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lambent",
		Short: "The serverless application stack as one program",
		Long: "Lambent runs serverless applications: functions, HTTP APIs, objects and tables, deployed from SAM and\n" +
			"CloudFormation templates. It speaks the AWS protocols, so AWS SDKs, the AWS CLI and SAM work against it.",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.PersistentFlags().StringVar(&a.endpoint, "endpoint", "", "URL of the running Lambent (default: the one of this project, or "+defaultEndpoint+")")
	commands := []*cobra.Command{
		a.initCommand(), a.deployCommand(), a.planCommand(), a.driftCommand(), a.deleteCommand(), a.statusCommand(), a.outputsCommand(), a.invokeCommand(), a.replayCommand(), a.executionCommand(), a.logsCommand(), a.dbCommand(),
		a.envCommand(), a.execCommand(), a.iamCommand(), a.traceCommand(), a.s3Command(), a.backupCommand(), a.restoreCommand(), a.queueCommand(), a.outboxCommand(), a.runtimeCommand(), a.doctorCommand(), a.versionCommand(),
	}
	if a.Start != nil {
		commands = append([]*cobra.Command{a.upCommand(), a.devCommand()}, commands...)
	}
	if a.Types != nil {
		commands = append(commands, a.explainCommand(), a.exportCommand())
	}
	root.AddCommand(commands...)
	markUsage(root)
	return root
}

// markUsage makes errors about a command's arguments errors of usage.
func markUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		markUsage(sub)
	}
}

// jsonFlag gives a reading command its --json.
func (a *app) jsonFlag(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.json, "json", false, "print JSON")
	return c
}

func (a *app) getenv(name string) string {
	value := ""
	for _, entry := range a.Environ {
		if k, v, _ := strings.Cut(entry, "="); k == name {
			value = v
		}
	}
	return value
}
