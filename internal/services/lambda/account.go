package lambda

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of an account, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; sizes in bytes.
const (
	maxTotalCode = 80530636800
	maxUnzipped  = 262144000
	maxZipped    = 52428800
)

// usage is what an account uses of its limits in a region.
type usage struct {
	functions, size int64
	reserved        int32
}

// usageOf adds up the code of every version of every function and layer.
func usageOf(rd store.Reader, s scope) (u usage, err error) {
	if u.reserved, err = reservedIn(rd, s); err != nil {
		return u, err
	}
	for f, err := range record.Range[function](rd, s.functions().Span()) {
		if err != nil {
			return u, err
		}
		u.functions++
		u.size += f.Value.Latest.Code.Size
	}
	for v, err := range record.Range[version](rd, s.root("v").Span()) {
		if err != nil {
			return u, err
		}
		u.size += v.Value.Code.Size
	}
	for v, err := range record.Range[layerVersion](rd, s.allLayerVersions().Span()) {
		if err != nil {
			return u, err
		}
		u.size += v.Value.Content.Size
	}
	return u, nil
}

func (l *Lambda) getAccountSettings(ctx context.Context, _ *api.GetAccountSettingsInput) (*api.GetAccountSettingsOutput, error) {
	var u usage
	err := l.deps.Store.View(ctx, func(rd store.Reader) (err error) {
		u, err = usageOf(rd, scopeOf(ctx))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetAccountSettingsOutput{
		AccountLimit: &api.AccountLimit{
			TotalCodeSize: ptr(int64(maxTotalCode)), CodeSizeUnzipped: ptr(int64(maxUnzipped)), CodeSizeZipped: ptr(int64(maxZipped)),
			ConcurrentExecutions: ptr(int32(l.o.Concurrency)), UnreservedConcurrentExecutions: ptr(int32(l.o.Concurrency) - u.reserved),
		},
		AccountUsage: &api.AccountUsage{TotalCodeSize: ptr(u.size), FunctionCount: ptr(u.functions)},
	}, nil
}
