package lambda

import (
	"context"
	"fmt"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// asyncConfig is the record of what becomes of asynchronous invocations of a function, version or alias
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html).
type asyncConfig struct {
	Modified  time.Time
	Retries   *int32 `json:",omitempty"`
	MaxAge    *int32 `json:",omitempty"` // seconds
	OnSuccess string `json:",omitempty"` // the ARN of a destination
	OnFailure string `json:",omitempty"`
}

// retries is how often a function that failed is tried again.
func (a *asyncConfig) retries() int {
	if a.Retries == nil {
		return defaultRetries
	}
	return int(*a.Retries)
}

// maxAge is how old an event may become.
func (a *asyncConfig) maxAge() time.Duration {
	if a.MaxAge == nil {
		return maxEventAge
	}
	return time.Duration(*a.MaxAge) * time.Second
}

func (a *asyncConfig) configuration(r ref) *api.FunctionEventInvokeConfig {
	c := &api.FunctionEventInvokeConfig{
		LastModified: ptr(a.Modified), FunctionArn: ptr(r.qualified().arn()), MaximumRetryAttempts: a.Retries, MaximumEventAgeInSeconds: a.MaxAge,
		DestinationConfig: &api.DestinationConfig{OnSuccess: &api.OnSuccess{}, OnFailure: &api.OnFailure{}},
	}
	if a.OnSuccess != "" {
		c.DestinationConfig.OnSuccess.Destination = ptr(a.OnSuccess)
	}
	if a.OnFailure != "" {
		c.DestinationConfig.OnFailure.Destination = ptr(a.OnFailure)
	}
	return c
}

// merge takes over what an input has.
func (a *asyncConfig) merge(in *api.UpdateFunctionEventInvokeConfigInput) {
	if in.MaximumRetryAttempts != nil {
		a.Retries = in.MaximumRetryAttempts
	}
	if in.MaximumEventAgeInSeconds != nil {
		a.MaxAge = in.MaximumEventAgeInSeconds
	}
	if d := in.DestinationConfig; d != nil {
		if d.OnSuccess != nil {
			a.OnSuccess = orZero(d.OnSuccess.Destination)
		}
		if d.OnFailure != nil {
			a.OnFailure = orZero(d.OnFailure.Destination)
		}
	}
}

func (l *Lambda) putFunctionEventInvokeConfig(ctx context.Context, in *api.PutFunctionEventInvokeConfigInput) (*api.PutFunctionEventInvokeConfigOutput, error) {
	return l.setAsync(ctx, api.UpdateFunctionEventInvokeConfigInput(*in), false)
}

func (l *Lambda) updateFunctionEventInvokeConfig(ctx context.Context, in *api.UpdateFunctionEventInvokeConfigInput) (*api.UpdateFunctionEventInvokeConfigOutput, error) {
	return l.setAsync(ctx, *in, true)
}

// errNoFunction is how these operations say that a function, version or alias does not exist.
var errNoFunction = notFound("The function doesn't exist.")

// setAsync writes the configuration; keep leaves what the input does not have as it is.
func (l *Lambda) setAsync(ctx context.Context, in api.UpdateFunctionEventInvokeConfigInput, keep bool) (*api.FunctionEventInvokeConfig, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if in.MaximumRetryAttempts == nil && in.MaximumEventAgeInSeconds == nil && in.DestinationConfig == nil {
		return nil, invalid("You must specify at least one of error handling or destination setting.")
	}
	if err := l.checkAsync(ctx, r, &in, keep); err != nil {
		return nil, err
	}
	var a asyncConfig
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		at := r.scope.async(r.name, r.qualified().qualifier)
		if a, err = currentAsync(tx, r, keep); err != nil {
			return err
		}
		a.Modified = l.deps.Clock.Now().UTC()
		a.merge(&in)
		return record.Set(tx, at, a)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return a.configuration(r), nil
}

// currentAsync is the configuration that an input is merged into: for an update what there is, which must exist, and otherwise an empty one.
func currentAsync(rd store.Reader, r ref, keep bool) (a asyncConfig, err error) {
	if _, _, err := resolve(rd, r); err != nil {
		if service.Code(err) == errNoFunction.Code {
			err = errNoFunction
		}
		return a, err
	}
	if !keep {
		return a, nil
	}
	a, ok, err := record.Get[asyncConfig](rd, r.scope.async(r.name, r.qualified().qualifier))
	if err == nil && !ok {
		err = noAsync(r)
	}
	return a, err
}

// checkAsync checks the numbers and the destinations of an input. It runs before the transaction, since it asks for permissions.
func (l *Lambda) checkAsync(ctx context.Context, r ref, in *api.UpdateFunctionEventInvokeConfigInput, keep bool) error {
	if err := setNumber(new(int32), in.MaximumRetryAttempts, 0, 2, "maximumRetryAttempts"); err != nil {
		return err
	}
	if err := setNumber(new(int32), in.MaximumEventAgeInSeconds, 60, 21600, "maximumEventAgeInSeconds"); err != nil {
		return err
	}
	var v version
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		if _, err := currentAsync(rd, r, keep); err != nil {
			return err
		}
		var err error
		_, v, err = resolve(rd, r)
		return err
	})
	if err != nil || in.DestinationConfig == nil {
		return err
	}
	d := in.DestinationConfig
	if d.OnSuccess != nil {
		if err := l.checkDestination(ctx, r, &v, d, orZero(d.OnSuccess.Destination), false); err != nil {
			return err
		}
	}
	if d.OnFailure != nil {
		return l.checkDestination(ctx, r, &v, d, orZero(d.OnFailure.Destination), true)
	}
	return nil
}

// sending is what a role must be allowed to do for a destination, by the service in its ARN.
var sending = map[string]struct{ action, what string }{
	"sqs": {"sqs:SendMessage", "SendMessage on SQS"}, "sns": {"sns:Publish", "Publish on SNS"},
	"lambda": {"lambda:InvokeFunction", "InvokeFunction on Lambda"}, "events": {"events:PutEvents", "PutEvents on EventBridge"},
	"s3": {"s3:PutObject", "PutObject on S3"},
}

// checkDestination makes sure that events of a function can be sent to the ARN target: of a kind that Lambda sends to, an existing function other than r,
// and one that the function's role may send to.
func (l *Lambda) checkDestination(ctx context.Context, r ref, v *version, d *api.DestinationConfig, target string, failure bool) error {
	if target == "" {
		return nil
	}
	a, err := arn.Parse(target)
	needed, known := sending[a.Service]
	if err != nil || !known || a.Service == "s3" && !failure || strings.HasSuffix(a.Resource, ".fifo") {
		return invalid("The provided destination config %s is invalid.", describeDestinations(d))
	}
	if a.Service == "lambda" {
		to, err := parseRef(ctx, target, nil)
		if err != nil {
			return err
		}
		if to.function() == r.function() {
			return invalid("You can't specify the function as a destination for itself.")
		}
		err = l.deps.Store.View(ctx, func(rd store.Reader) error {
			_, _, err := resolve(rd, to)
			return err
		})
		if service.Code(err) == errNoFunction.Code {
			return invalid("The destination ARN %s is invalid.", target)
		} else if err != nil {
			return err
		}
	}
	resource := target
	if a.Service == "s3" {
		resource += "/*"
	}
	allowed, err := l.roleMay(ctx, r, v.Role, needed.action, resource, a.Account)
	if err == nil && !allowed {
		err = invalid("The provided execution role does not have permissions to call %s", needed.what)
	}
	return err
}

// roleMay tells whether a function's role has a permission. A role of which nothing is known here, or a resource of another account, is left to the call.
func (l *Lambda) roleMay(ctx context.Context, r ref, role, action, resource, owner string) (bool, error) {
	if l.o.Roles == nil || owner != "" && owner != r.account {
		return true, nil
	}
	ctx, err := l.sender.Caller(ctx, r.source(), role, service.RequestFrom(ctx).ID, r.function())
	if err == nil {
		err = l.deps.Door.Allow(ctx, service.Target{Action: action, ARN: resource, Owner: r.account})
	}
	if code := service.Code(err); code == "AccessDenied" || code == "AccessDeniedException" {
		return false, nil
	}
	return err == nil, err
}

// source is a function as the one on whose behalf Lambda calls other services.
func (r ref) source() port.Source {
	return port.Source{Service: servicePrincipal, ARN: r.function(), Account: r.account}
}

// describeDestinations writes a configuration as AWS's messages do.
func describeDestinations(d *api.DestinationConfig) string {
	success, failure := "null", "null"
	if d.OnSuccess != nil {
		success = fmt.Sprintf("OnSuccess(destination=%s)", orNull(d.OnSuccess.Destination))
	}
	if d.OnFailure != nil {
		failure = fmt.Sprintf("OnFailure(destination=%s)", orNull(d.OnFailure.Destination))
	}
	return fmt.Sprintf("DestinationConfig(onSuccess=%s, onFailure=%s)", success, failure)
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func noAsync(r ref) error {
	return notFound("The function %s doesn't have an EventInvokeConfig", r.qualified().arn())
}

func (l *Lambda) getFunctionEventInvokeConfig(ctx context.Context, in *api.GetFunctionEventInvokeConfigInput) (*api.GetFunctionEventInvokeConfigOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	var a asyncConfig
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		var ok bool
		if a, ok, err = record.Get[asyncConfig](rd, r.scope.async(r.name, r.qualified().qualifier)); err == nil && !ok {
			err = noAsync(r)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.configuration(r), nil
}

func (l *Lambda) listFunctionEventInvokeConfigs(ctx context.Context, in *api.ListFunctionEventInvokeConfigsInput) (*api.ListFunctionEventInvokeConfigsOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	limit := pageSize(in.MaxItems, 50)
	out := &api.ListFunctionEventInvokeConfigsOutput{FunctionEventInvokeConfigs: []api.FunctionEventInvokeConfig{}}
	all := r.scope.asyncs(r.name)
	span := all.Span()
	if in.Marker != nil {
		span.Lo = append(r.scope.async(r.name, *in.Marker), 0)
	}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		if ok, err := record.Has(rd, r.scope.function(r.name)); err != nil {
			return err
		} else if !ok {
			return errNoFunction
		}
		for row, err := range record.Range[asyncConfig](rd, span) {
			if err != nil {
				return err
			}
			qualifier := key.Decode(row.Key).Skip(all).Str()
			if len(out.FunctionEventInvokeConfigs) == limit {
				out.NextMarker = ptr(lastQualifier(out.FunctionEventInvokeConfigs))
				return nil
			}
			out.FunctionEventInvokeConfigs = append(out.FunctionEventInvokeConfigs, *row.Value.configuration(r.with(qualifier)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// lastQualifier is the qualifier of the last entry of a page.
func lastQualifier(list []api.FunctionEventInvokeConfig) string {
	name := *list[len(list)-1].FunctionArn
	return name[strings.LastIndexByte(name, ':')+1:]
}

func (l *Lambda) deleteFunctionEventInvokeConfig(ctx context.Context, in *api.DeleteFunctionEventInvokeConfigInput) (*api.DeleteFunctionEventInvokeConfigOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		at := r.scope.async(r.name, r.qualified().qualifier)
		ok, err := record.Has(tx, at)
		if err != nil {
			return err
		}
		if !ok {
			return noAsync(r)
		}
		tx.Delete(at)
		return nil
	})
	return &api.DeleteFunctionEventInvokeConfigOutput{}, unavailable(err)
}
