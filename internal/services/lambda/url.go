package lambda

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// urlConfig is the record of the URL of a function or an alias.
type urlConfig struct {
	// ID is the first label of the URL's host name; it is unique among all accounts.
	ID        string
	Qualifier string    `json:",omitempty"` // an alias
	Auth      string    // api.FunctionUrlAuthTypeNone or api.FunctionUrlAuthTypeAwsIam
	Mode      string    // api.InvokeModeBuffered, api.InvokeModeResponseStream, or empty where none was given, which is the first
	CORS      *api.Cors `json:",omitempty"`
	Created   time.Time
	Modified  time.Time
}

// urlTarget is the record by which a URL's id is found.
type urlTarget struct{ Account, Region, Name, Qualifier string }

func (t urlTarget) ref() ref {
	return ref{scope: scope{account: t.Account, region: t.Region}, name: t.Name, qualifier: t.Qualifier}
}

// urlPath is where the URLs of functions are found by path, without a host name of their own.
const urlPath = "/_aws/lambda-url/"

// address is the URL as clients on this machine can use it: without name resolution.
func (l *Lambda) address(u *urlConfig) string { return l.deps.BaseURL + urlPath + u.ID + "/" }

func (u *urlConfig) times() (created, modified string) {
	const layout = "2006-01-02T15:04:05.000000Z"
	return u.Created.UTC().Format(layout), u.Modified.UTC().Format(layout)
}

func (l *Lambda) urlAnswer(r ref, u *urlConfig) api.FunctionUrlConfig {
	created, modified := u.times()
	mode := u.Mode
	if mode == "" {
		mode = api.InvokeModeBuffered
	}
	return api.FunctionUrlConfig{
		FunctionUrl: l.address(u), FunctionArn: r.with(u.Qualifier).arn(), AuthType: u.Auth, Cors: u.CORS, CreationTime: created, LastModifiedTime: modified, InvokeMode: mode,
	}
}

// urlRef names the function or the alias of an input.
func urlRef(ctx context.Context, name string, qualifier *string) (ref, error) {
	r, err := parseRef(ctx, name, qualifier)
	if err == nil && (r.qualifier == latest || isNumber(r.qualifier)) {
		err = validation("Value '%s' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)", r.qualifier)
	}
	return r, err
}

// checkURLTarget fails when the function or the alias does not exist.
func checkURLTarget(rd store.Reader, r ref) error {
	_, v, err := resolve(rd, r)
	if service.Code(err) == "ResourceNotFoundException" {
		return notFound("Function does not exist")
	}
	if err != nil {
		return err
	}
	return v.withoutTenants("A function URL")
}

func (l *Lambda) createFunctionUrlConfig(ctx context.Context, in *api.CreateFunctionUrlConfigInput) (*api.CreateFunctionUrlConfigOutput, error) {
	r, err := urlRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	id = hexOf(id)
	now := l.deps.Clock.Now().UTC()
	u := urlConfig{ID: id, Qualifier: r.qualifier, Auth: in.AuthType, Mode: in.InvokeMode, CORS: in.Cors, Created: now, Modified: now}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if err := checkURLTarget(tx, r); err != nil {
			return err
		}
		at := r.urls(r.name).Str(r.qualifier)
		if exists, err := record.Has(tx, at); err != nil || exists {
			if err != nil {
				return err
			}
			return conflict("Failed to create function url config for [functionArn = %s]. Error message:  FunctionUrlConfig exists for this Lambda function", r.arn())
		}
		if err := record.Set(tx, urlID(id), urlTarget{Account: r.account, Region: r.region, Name: r.name, Qualifier: r.qualifier}); err != nil {
			return err
		}
		return record.Set(tx, at, u)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	c := l.urlAnswer(r, &u)
	return &api.CreateFunctionUrlConfigOutput{
		FunctionUrl: c.FunctionUrl, FunctionArn: c.FunctionArn, AuthType: c.AuthType, Cors: c.Cors, CreationTime: c.CreationTime, InvokeMode: in.InvokeMode,
	}, nil
}

// loadURL returns the record of the URL of a function or an alias.
func loadURL(rd store.Reader, r ref) (urlConfig, error) {
	u, ok, err := record.Get[urlConfig](rd, r.urls(r.name).Str(r.qualifier))
	if err == nil && !ok {
		err = notFound("The resource you requested does not exist.")
	}
	return u, err
}

func (l *Lambda) getFunctionUrlConfig(ctx context.Context, in *api.GetFunctionUrlConfigInput) (*api.GetFunctionUrlConfigOutput, error) {
	r, err := urlRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	var u urlConfig
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		u, err = loadURL(rd, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := l.urlAnswer(r, &u)
	return &api.GetFunctionUrlConfigOutput{
		FunctionUrl: c.FunctionUrl, FunctionArn: c.FunctionArn, AuthType: c.AuthType, Cors: c.Cors, CreationTime: c.CreationTime, LastModifiedTime: c.LastModifiedTime,
		InvokeMode: c.InvokeMode,
	}, nil
}

func (l *Lambda) updateFunctionUrlConfig(ctx context.Context, in *api.UpdateFunctionUrlConfigInput) (*api.UpdateFunctionUrlConfigOutput, error) {
	r, err := urlRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	var u urlConfig
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if err := checkURLTarget(tx, r); err != nil {
			return err
		}
		if u, err = loadURL(tx, r); err != nil {
			return err
		}
		if in.AuthType != "" {
			u.Auth = in.AuthType
		}
		if in.InvokeMode != "" {
			u.Mode = in.InvokeMode
		}
		if in.Cors != nil {
			u.CORS = in.Cors
		}
		u.Modified = l.deps.Clock.Now().UTC()
		return record.Set(tx, r.urls(r.name).Str(r.qualifier), u)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	c := l.urlAnswer(r, &u)
	return &api.UpdateFunctionUrlConfigOutput{
		FunctionUrl: c.FunctionUrl, FunctionArn: c.FunctionArn, AuthType: c.AuthType, Cors: c.Cors, CreationTime: c.CreationTime, LastModifiedTime: c.LastModifiedTime,
		InvokeMode: u.Mode,
	}, nil
}

func (l *Lambda) deleteFunctionUrlConfig(ctx context.Context, in *api.DeleteFunctionUrlConfigInput) (*api.DeleteFunctionUrlConfigOutput, error) {
	r, err := urlRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadURL(tx, r); err != nil {
			return err
		}
		return removeURL(tx, r)
	})
	return &api.DeleteFunctionUrlConfigOutput{}, unavailable(err)
}

// removeURL removes the URL of a function or an alias, if it has one.
func removeURL(tx store.Txn, r ref) error {
	at := r.urls(r.name).Str(r.qualifier)
	u, ok, err := record.Get[urlConfig](tx, at)
	if err != nil || !ok {
		return err
	}
	tx.Delete(at)
	tx.Delete(urlID(u.ID))
	return nil
}

func (l *Lambda) listFunctionUrlConfigs(ctx context.Context, in *api.ListFunctionUrlConfigsInput) (*api.ListFunctionUrlConfigsOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	limit := pageSize(in.MaxItems, defaultPage)
	span := r.urls(r.name).Span()
	if in.Marker != nil {
		span.Lo = append(r.urls(r.name).Str(*in.Marker), 0)
	}
	out := &api.ListFunctionUrlConfigsOutput{FunctionUrlConfigs: []api.FunctionUrlConfig{}}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		if err := checkURLTarget(rd, r); err != nil {
			return err
		}
		last := ""
		for u, err := range record.Range[urlConfig](rd, span) {
			if err != nil {
				return err
			}
			if len(out.FunctionUrlConfigs) == limit {
				out.NextMarker = &last
				return nil
			}
			last = u.Value.Qualifier
			out.FunctionUrlConfigs = append(out.FunctionUrlConfigs, l.urlAnswer(r, &u.Value))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
