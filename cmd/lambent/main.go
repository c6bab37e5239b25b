// Command lambent is the serverless application stack as one program; run lambent help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"lambent.dev/lambent/internal/cli"
	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
)

// version is set by the release build.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := cli.Run(ctx, cli.Process{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin,
		Term: term.New(os.Stdout, os.Stderr, os.Getenv), Clock: clock.System{}, Version: version,
	})
	stop()
	os.Exit(code)
}
