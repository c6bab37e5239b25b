package server

import (
	"context"
	"io"

	"lambent.dev/lambent/internal/service/port"
)

// late is a port of a service that is built after its user. It is filled in before anything starts.
type late struct{ port.Objects }

// OpenObject implements [port.Objects].
func (l *late) OpenObject(ctx context.Context, bucket, key, version string) (io.ReadCloser, int64, error) {
	return l.Objects.OpenObject(ctx, bucket, key, version)
}
