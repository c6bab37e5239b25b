package server

import (
	"context"
	"log/slog"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/service"
)

// ResourceTypes returns the resource types of this program, for those who ask without a Lambent that runs.
func ResourceTypes(ctx context.Context) ([]service.ResourceType, error) {
	c := config.Default()
	c.Ephemeral, c.Listen, c.Sandbox = true, "127.0.0.1:0", config.SandboxOff
	s, err := Start(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	var out []service.ResourceType
	for _, svc := range s.Services() {
		out = append(out, svc.Resources...)
	}
	return out, s.Close(ctx)
}
