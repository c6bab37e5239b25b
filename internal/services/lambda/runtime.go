package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// runtimeVersion is the ARN of what a runtime identifier stands for. There is one version of each here: the one that is installed.
func runtimeVersion(s scope, id string) string {
	h := sha256.Sum256([]byte("lambent " + id))
	return "arn:aws:lambda:" + s.region + "::runtime:" + hex.EncodeToString(h[:])
}

// runtimeSetting is the record of how the runtime of a version is updated. Since there is one version of a runtime, it changes nothing.
type runtimeSetting struct {
	On  string // Auto, FunctionUpdate or Manual
	ARN string `json:",omitempty"` // with Manual
}

func (l *Lambda) putRuntimeManagementConfig(ctx context.Context, in *api.PutRuntimeManagementConfigInput) (*api.PutRuntimeManagementConfigOutput, error) {
	r, err := versionRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	setting := runtimeSetting{On: in.UpdateRuntimeOn, ARN: orZero(in.RuntimeVersionArn)}
	if manual := setting.On == api.UpdateRuntimeOnManual; manual != (setting.ARN != "") {
		return nil, invalid("RuntimeVersionArn must be given when UpdateRuntimeOn is Manual, and only then.")
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		_, v, err := resolve(tx, r)
		if err != nil {
			return err
		}
		if have := runtimeVersion(r.scope, v.Runtime); setting.ARN != "" && setting.ARN != have {
			return invalid("The runtime version %s is not on this machine. The runtime %s has the version %s.", setting.ARN, v.Runtime, have)
		}
		return record.Set(tx, r.runtimeSettings(r.name).Str(r.qualified().qualifier), setting)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.PutRuntimeManagementConfigOutput{UpdateRuntimeOn: setting.On, FunctionArn: r.arn(), RuntimeVersionArn: optional(setting.ARN)}, nil
}

// versionRef is parseRef for operations on versions, which aliases do not have.
func versionRef(ctx context.Context, name string, qualifier *string) (ref, error) {
	r, err := parseRef(ctx, name, qualifier)
	if err == nil && isAlias(r.qualifier) {
		err = invalid("This operation is permitted on versions of a function only, and %s is an alias.", r.qualifier)
	}
	return r, err
}

func (l *Lambda) getRuntimeManagementConfig(ctx context.Context, in *api.GetRuntimeManagementConfigInput) (*api.GetRuntimeManagementConfigOutput, error) {
	r, err := versionRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	var setting runtimeSetting
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		if _, _, err := resolve(rd, r); err != nil {
			return err
		}
		var ok bool
		if setting, ok, err = record.Get[runtimeSetting](rd, r.runtimeSettings(r.name).Str(r.qualified().qualifier)); !ok {
			setting.On = api.UpdateRuntimeOnAuto
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetRuntimeManagementConfigOutput{UpdateRuntimeOn: setting.On, FunctionArn: ptr(r.arn()), RuntimeVersionArn: optional(setting.ARN)}, nil
}

func (l *Lambda) putFunctionRecursionConfig(ctx context.Context, in *api.PutFunctionRecursionConfigInput) (*api.PutFunctionRecursionConfigOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		return changeFunction(tx, r, func(f *function) { f.Recursion = in.RecursiveLoop })
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.PutFunctionRecursionConfigOutput{RecursiveLoop: in.RecursiveLoop}, nil
}

func (l *Lambda) getFunctionRecursionConfig(ctx context.Context, in *api.GetFunctionRecursionConfigInput) (*api.GetFunctionRecursionConfigOutput, error) {
	if _, err := unqualified(ctx, in.FunctionName); err != nil {
		return nil, err
	}
	_, f, _, err := l.find(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if f.Recursion == "" {
		f.Recursion = api.RecursiveLoopTerminate
	}
	return &api.GetFunctionRecursionConfigOutput{RecursiveLoop: f.Recursion}, nil
}
