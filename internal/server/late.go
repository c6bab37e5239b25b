package server

import (
	"context"
	"io"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service/port"
)

// late is a port of a service that is built after its user. It is filled in before anything starts.
type late struct{ port.Objects }

// OpenObject implements [port.Objects].
func (l *late) OpenObject(ctx context.Context, bucket, key, version string) (io.ReadCloser, int64, error) {
	return l.Objects.OpenObject(ctx, bucket, key, version)
}

// lateLogs are the ports of services that are built after the logs: of what is logged, and of what takes logs. They are filled in before anything starts.
type lateLogs struct {
	port.LoggedResources
	port.DeliveryStreams
}

// arrivals are the ports of the services that functions read from, by the service in the source's ARN. They are built after their user.
type arrivals map[string]port.Arrivals

// Arrivals implements [port.Arrivals]. A source of a service that tells of nothing gets a channel that stays empty.
func (a arrivals) Arrivals(source string) (arrived <-chan struct{}, stop func()) {
	if name, err := arn.Parse(source); err == nil {
		if p, ok := a[name.Service]; ok {
			return p.Arrivals(source)
		}
	}
	return make(chan struct{}), func() {}
}
