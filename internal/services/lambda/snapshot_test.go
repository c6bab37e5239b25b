package lambda

import (
	"context"
	"errors"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// TestEveryChangeIsSeenByTheNextInvocation calls a function between changes of everything that is kept in memory about it.
func TestEveryChangeIsSeenByTheNextInvocation(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "import os\ndef handler(e, c): return os.environ.get('WHO', 'nobody')\n", nil)
	publish := func(who string) string {
		t.Helper()
		if _, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{FunctionName: "f", Environment: &api.Environment{Variables: map[string]string{"WHO": who}}}); err != nil {
			t.Fatal(err)
		}
		v, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f"})
		if err != nil {
			t.Fatal(err)
		}
		return orZero(v.Version)
	}
	answers := func(name, want string) {
		t.Helper()
		if got := f.call(t, name, `{}`); string(got.Payload) != want {
			t.Errorf("%s answered %s, want %s", name, got.Payload, want)
		}
	}
	refused := func(name, want string) {
		t.Helper()
		if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: name}); service.Code(err) != want {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
	one, two := publish("one"), publish("two")
	refused("f:live", "ResourceNotFoundException")
	if _, err := f.createAlias(f.ctx, &api.CreateAliasInput{FunctionName: "f", Name: "live", FunctionVersion: one}); err != nil {
		t.Fatal(err)
	}
	answers("f:live", `"one"`)
	if _, err := f.updateAlias(f.ctx, &api.UpdateAliasInput{FunctionName: "f", Name: "live", FunctionVersion: &two}); err != nil {
		t.Fatal(err)
	}
	answers("f:live", `"two"`)
	if _, err := f.deleteAlias(f.ctx, &api.DeleteAliasInput{FunctionName: "f", Name: "live"}); err != nil {
		t.Fatal(err)
	}
	refused("f:live", "ResourceNotFoundException")
	answers("f:"+one, `"one"`)
	if _, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "f", Qualifier: &one}); err != nil {
		t.Fatal(err)
	}
	refused("f:"+one, "ResourceNotFoundException")
	answers("f", `"two"`)
	if err := f.setReserved(f.ctx, "f", ptr(int32(0))); err != nil {
		t.Fatal(err)
	}
	refused("f", "TooManyRequestsException")
	if err := f.setReserved(f.ctx, "f", nil); err != nil {
		t.Fatal(err)
	}
	answers("f", `"two"`)
	if _, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	refused("f", "ResourceNotFoundException")
}

func TestRemovedPermissionIsMissedByTheNextInvocation(t *testing.T) {
	f := newFixture(t, nil)
	f.create(t, "f", "provided.al2023", "x", map[string]string{"bootstrap": ""}, nil)
	from := port.Source{Service: "s3.amazonaws.com", ARN: "arn:aws:s3:::b", Account: "000000000000"}
	check := func(want string) {
		t.Helper()
		if err := f.CheckInvoke(f.ctx, from, "arn:aws:lambda:us-east-1:000000000000:function:f"); service.Code(err) != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for range 2 {
		check("AccessDeniedException")
		if _, err := f.addPermission(f.ctx, &api.AddPermissionInput{FunctionName: "f", StatementId: "s", Action: "lambda:InvokeFunction", Principal: from.Service}); err != nil {
			t.Fatal(err)
		}
		check("")
		if _, err := f.removePermission(f.ctx, &api.RemovePermissionInput{FunctionName: "f", StatementId: "s"}); err != nil {
			t.Fatal(err)
		}
	}
	check("AccessDeniedException")
}

// TestCallerThatGoesAwayIsNotHeld has a caller with less time than the function takes, as an HTTP API with its integration's timeout.
func TestCallerThatGoesAwayIsNotHeld(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "import time\ndef handler(e, c): time.sleep(60)\n", func(in *api.CreateFunctionInput) { in.Timeout = ptr(int32(90)) })
	from := port.Source{Service: "apigateway.amazonaws.com", ARN: "arn:aws:execute-api:us-east-1:000000000000:a/*", Account: "000000000000"}
	if _, err := f.addPermission(f.ctx, &api.AddPermissionInput{FunctionName: "f", StatementId: "s", Action: "lambda:InvokeFunction", Principal: from.Service}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(f.ctx, 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := f.Invoke(ctx, from, "arn:aws:lambda:us-east-1:000000000000:function:f", []byte(`{}`))
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 30*time.Second {
		t.Errorf("the caller got %v after %v, want the end of its own time", err, took)
	}
}
