package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Build builds the released binary, with further variables in the environment of the compiler.
func Build(ctx context.Context, binary string, environ []string) error {
	return GoBuild(ctx, binary, "./cmd/lambent", environ)
}

// GoBuild builds a program as the released binary is built.
func GoBuild(ctx context.Context, binary, source string, environ []string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, source)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	return nil
}
