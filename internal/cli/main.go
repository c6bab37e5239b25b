package cli

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/server"
)

// Main runs the command line of this process and returns its exit code.
func Main(version string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return Run(ctx, Process{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin,
		Term: term.New(os.Stdout, os.Stderr, os.Getenv), Clock: clock.System{}, Version: version,
		Start: func(ctx context.Context, c config.Config, log *slog.Logger) (Platform, error) {
			s, err := server.Start(ctx, c, log)
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		Types: server.ResourceTypes,
	})
}
