package lambda

import (
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// TestEnvironmentsServeOneTenant calls a function for two tenants, of which each finds only what it has left itself.
func TestEnvironmentsServeOneTenant(t *testing.T) {
	f := newFixture(t, nil)
	source := `
import os
seen = []
def handler(event, context):
    seen.append(context.tenant_id)
    with open("/tmp/left", "a") as f: f.write(context.tenant_id)
    return [seen, open("/tmp/left").read()]
`
	f.python(t, "f", source, func(in *api.CreateFunctionInput) {
		in.TenancyConfig = &api.TenancyConfig{TenantIsolationMode: api.TenantIsolationModePerTenant}
		in.LoggingConfig = &api.LoggingConfig{LogFormat: logJSON}
	})
	if c := f.shown(t, "f"); c.TenancyConfig == nil || c.TenancyConfig.TenantIsolationMode != api.TenantIsolationModePerTenant {
		t.Errorf("configuration %+v", c.TenancyConfig)
	}
	for _, tc := range []struct{ tenant, want string }{
		{"a", `[["a"], "a"]`}, {"b", `[["b"], "b"]`}, {"a", `[["a", "a"], "aa"]`}, {"b", `[["b", "b"], "bb"]`},
	} {
		out, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", TenantId: &tc.tenant})
		if err != nil || string(out.Payload) != tc.want {
			t.Errorf("tenant %s: %s, %v, want %s", tc.tenant, out.Payload, err, tc.want)
		}
	}
	if log := f.sink.text(); !strings.Contains(log, `"tenantId":"a"`) {
		t.Errorf("the log does not name the tenant:\n%s", log)
	}
	_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f"})
	if service.Code(err) != "InvalidParameterValueException" || !strings.Contains(err.Error(), "Add a valid tenant ID") {
		t.Errorf("without a tenant: %v", err)
	}
	f.python(t, "plain", "def handler(e, c): pass\n", nil)
	_, err = f.invoke(f.ctx, &api.InvokeInput{FunctionName: "plain", TenantId: ptr("a")})
	if service.Code(err) != "InvalidParameterValueException" || !strings.Contains(err.Error(), "Remove the tenant ID") {
		t.Errorf("a function without tenants: %v", err)
	}
}

func TestWhatFunctionsWithTenantsCannotHave(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	isolated := func(in *api.CreateFunctionInput) {
		in.TenancyConfig = &api.TenancyConfig{TenantIsolationMode: api.TenantIsolationModePerTenant}
	}
	f.python(t, "f", "def handler(e, c): pass\n", isolated)
	if _, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	for want, call := range map[string]func() error{
		"Provisioned Concurrency is not supported": func() error {
			_, err := f.putProvisionedConcurrencyConfig(f.ctx, &api.PutProvisionedConcurrencyConfigInput{FunctionName: "f", Qualifier: "1", ProvisionedConcurrentExecutions: 1})
			return err
		},
		"A function URL is not supported": func() error {
			_, err := f.createFunctionUrlConfig(f.ctx, &api.CreateFunctionUrlConfigInput{FunctionName: "f", AuthType: "NONE"})
			return err
		},
		"SnapStart is not supported": func() error {
			_, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{
				FunctionName: "f", Runtime: "python3.13", SnapStart: &api.SnapStart{ApplyOn: api.SnapStartApplyOnPublishedVersions},
			})
			return err
		},
		"An event source mapping is not supported": func() error {
			_, err := f.createEventSourceMapping(f.ctx, &api.CreateEventSourceMappingInput{FunctionName: "f", EventSourceArn: ptr(testQueue)})
			return err
		},
	} {
		if err := call(); service.Code(err) != "InvalidParameterValueException" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
