package lambda

import (
	"strconv"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

const initType = "import os\ndef handler(e, c): return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], os.getpid(), c.function_version]\n"

// publish creates a function and publishes its first version.
func (f *fixture) publish(t *testing.T, name, source string) {
	t.Helper()
	f.python(t, name, source, nil)
	f.republish(t, name)
}

func (f *fixture) republish(t *testing.T, name string) {
	t.Helper()
	if _, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) provision(name, qualifier string, n int32) error {
	_, err := f.putProvisionedConcurrencyConfig(f.ctx, &api.PutProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: qualifier, ProvisionedConcurrentExecutions: n})
	return err
}

// mustProvision provisions, and waits until that is done.
func (f *fixture) mustProvision(t *testing.T, name, qualifier string, n int32) {
	t.Helper()
	if err := f.provision(name, qualifier, n); err != nil {
		t.Fatal(err)
	}
	if err := f.awaitProvisioned(f.ctx, name, qualifier); err != nil {
		t.Fatal(err)
	}
}

// until waits for a state of what is provisioned for a function.
func (f *fixture) until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		news := f.provisioner.news.next()
		if reached() {
			return
		}
		select {
		case <-news:
		case <-limit:
			t.Fatal("not reached: " + what)
		}
	}
}

func TestProvisionedEnvironmentsAreReadyAheadOfInvocations(t *testing.T) {
	f := newFixture(t, nil)
	f.publish(t, "f", initType)
	put, err := f.putProvisionedConcurrencyConfig(f.ctx, &api.PutProvisionedConcurrencyConfigInput{FunctionName: "f", Qualifier: "1", ProvisionedConcurrentExecutions: 2})
	if err != nil || put.Status != "IN_PROGRESS" || orZero(put.AllocatedProvisionedConcurrentExecutions) != 0 {
		t.Fatalf("put answered %+v, %v", put, err)
	}
	if err := f.awaitProvisioned(f.ctx, "f", "1"); err != nil {
		t.Fatal(err)
	}
	got, err := f.getProvisionedConcurrencyConfig(f.ctx, &api.GetProvisionedConcurrencyConfigInput{FunctionName: "f", Qualifier: "1"})
	if err != nil || got.Status != "READY" || orZero(got.AllocatedProvisionedConcurrentExecutions) != 2 || orZero(got.AvailableProvisionedConcurrentExecutions) != 2 {
		t.Fatalf("get answered %+v, %v", got, err)
	}
	if out := f.call(t, "f:1", `{}`); !strings.HasPrefix(string(out.Payload), `["provisioned-concurrency"`) || strings.Contains(tailOf(t, out), "Init Duration") {
		t.Errorf("payload %s, log\n%s", out.Payload, tailOf(t, out))
	}
	if out := f.call(t, "f", `{}`); !strings.HasPrefix(string(out.Payload), `["on-demand"`) {
		t.Errorf("$LATEST answered %s", out.Payload)
	}
}

func TestProvisionedEnvironmentThatEndsIsReplaced(t *testing.T) {
	f := newFixture(t, nil)
	f.publish(t, "f", "import os\ndef handler(e, c):\n    if e == 'exit': os._exit(1)\n    return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n")
	f.mustProvision(t, "f", "1", 1)
	if out := f.call(t, "f:1", `"exit"`); orZero(out.FunctionError) == "" {
		t.Fatalf("answered %s", out.Payload)
	}
	if err := f.awaitProvisioned(f.ctx, "f", "1"); err != nil {
		t.Fatal(err)
	}
	if out := f.call(t, "f:1", `{}`); string(out.Payload) != `"provisioned-concurrency"` {
		t.Errorf("answered %s", out.Payload)
	}
}

func TestWhatIsNotProvisionedSpillsOver(t *testing.T) {
	f := newFixture(t, nil)
	f.publish(t, "f", initType)
	f.mustProvision(t, "f", "1", 1)
	r, err := parseRef(f.ctx, "f:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.snapshot(f.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if s.quota.provisioned != 1 || s.quota.unreserved != 999 {
		t.Errorf("quota %+v", s.quota)
	}
	w, err := f.pools.get(s.key) // the provisioned one is busy now
	if err != nil || w == nil || !w.allotted {
		t.Fatalf("environment %v, %v", w, err)
	}
	if out := f.call(t, "f:1", `{}`); !strings.HasPrefix(string(out.Payload), `["on-demand"`) {
		t.Errorf("beyond what is provisioned: %s", out.Payload)
	}
	f.pools.put(w)
	if out := f.call(t, "f:1", `{}`); !strings.HasPrefix(string(out.Payload), `["provisioned-concurrency"`) {
		t.Errorf("within what is provisioned: %s", out.Payload)
	}
}

func TestProvisionedAndReservedConcurrencyOverlap(t *testing.T) {
	f := newFixture(t, nil)
	f.publish(t, "f", initType)
	f.mustProvision(t, "f", "1", 2)
	reserve := func(n int32) error { return f.setReserved(f.ctx, "f", &n) }
	if err := reserve(1); err == nil || !strings.Contains(err.Error(), " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].") {
		t.Errorf("reserving less: %v", err)
	}
	if err := reserve(2); err != nil {
		t.Fatal(err)
	}
	_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f"})
	if e, ok := err.(*service.Error); !ok || e.Detail.(*api.TooManyRequestsException).Reason != reasonReserved {
		t.Errorf("$LATEST, for which nothing is left: %v", err)
	}
	if out := f.call(t, "f:1", `{}`); !strings.HasPrefix(string(out.Payload), `["provisioned-concurrency"`) {
		t.Errorf("version 1 answered %s", out.Payload)
	}
	if err := f.provision("f", "1", 3); err == nil || !strings.Contains(err.Error(), "should not be greater than the reservedConcurrentExecution") {
		t.Errorf("provisioning more than is reserved: %v", err)
	}
}

func TestProvisionedConcurrencyMovesWithItsAlias(t *testing.T) {
	f := newFixture(t, nil)
	f.publish(t, "f", initType)
	if _, err := f.createAlias(f.ctx, &api.CreateAliasInput{FunctionName: "f", Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	f.mustProvision(t, "f", "live", 3)
	if _, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{FunctionName: "f", Timeout: ptr(int32(9))}); err != nil {
		t.Fatal(err)
	}
	f.republish(t, "f")
	move := func(in *api.UpdateAliasInput) {
		t.Helper()
		in.FunctionName, in.Name = "f", "live"
		if _, err := f.updateAlias(f.ctx, in); err != nil {
			t.Fatal(err)
		}
		if err := f.awaitProvisioned(f.ctx, "f", "live"); err != nil {
			t.Fatal(err)
		}
	}
	have := func(number string) int {
		_, _, v, err := f.find(f.ctx, "f", &number)
		if err != nil {
			t.Fatal(err)
		}
		return f.pools.readiness(keyOf(ref{scope: scopeOf(f.ctx), name: "f"}, &v)).have
	}
	// A third of the invocations go to version 2, and so does a third of the environments.
	move(&api.UpdateAliasInput{RoutingConfig: &api.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.3}}})
	f.until(t, "two of version 1 and one of version 2", func() bool { return have("1") == 2 && have("2") == 1 })
	move(&api.UpdateAliasInput{FunctionVersion: ptr("2"), RoutingConfig: &api.AliasRoutingConfiguration{}})
	f.until(t, "all of version 2", func() bool { return have("1") == 0 && have("2") == 3 })
	for name, want := range map[string]string{"f:1": `["on-demand"`, "f:2": `["provisioned-concurrency"`, "f:live": `["provisioned-concurrency"`} {
		if out := f.call(t, name, `{}`); !strings.HasPrefix(string(out.Payload), want) {
			t.Errorf("%s answered %s, want %s", name, out.Payload, want)
		}
	}
}

func TestProvisionedConcurrencyOfBrokenFunctionFails(t *testing.T) {
	f := newFixture(t, nil)
	f.publish(t, "f", "raise Exception('no start')\n")
	if err := f.provision("f", "1", 1); err != nil {
		t.Fatal(err)
	}
	if err := f.awaitProvisioned(f.ctx, "f", "1"); err == nil {
		t.Error("it is ready")
	}
	got, err := f.getProvisionedConcurrencyConfig(f.ctx, &api.GetProvisionedConcurrencyConfigInput{FunctionName: "f", Qualifier: "1"})
	if err != nil || got.Status != "FAILED" || orZero(got.StatusReason) != "FUNCTION_ERROR_INIT_FAILURE" {
		t.Errorf("get answered %+v, %v", got, err)
	}
	if text := f.sink.text(); !strings.Contains(text, "no start") || !strings.Contains(text, "Phase: init\tStatus: error") {
		t.Errorf("log:\n%s", text)
	}
}

func TestNothingStaysProvisionedThatIsNotWanted(t *testing.T) {
	f := newFixture(t, nil)
	live := func() int {
		f.pools.mu.Lock()
		defer f.pools.mu.Unlock()
		n := 0
		for _, a := range f.pools.allotments {
			n += a.have
		}
		return n
	}
	for name, remove := range map[string]func() error{
		"config": func() error {
			_, err := f.deleteProvisionedConcurrencyConfig(f.ctx, &api.DeleteProvisionedConcurrencyConfigInput{FunctionName: "config", Qualifier: "1"})
			return err
		},
		"function": func() error {
			_, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "function"})
			return err
		},
		"version": func() error {
			_, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "version", Qualifier: ptr("1")})
			return err
		},
	} {
		f.publish(t, name, initType)
		f.mustProvision(t, name, "1", 1)
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		f.until(t, "nothing is left of "+name, func() bool { return live() == 0 })
	}
}

func TestFunctionGrowsByItsScalingRate(t *testing.T) {
	rates, now := startRates{}, time.Unix(0, 0)
	count := func() (n int) {
		for rates.take("f", now) {
			n++
		}
		return n
	}
	if n := count(); n != 1000 {
		t.Errorf("%d at once", n)
	}
	now = now.Add(time.Second)
	if n := count(); n != 100 {
		t.Errorf("%d a second later", n)
	}
	now = now.Add(time.Minute)
	if n := count(); n != 1000 {
		t.Errorf("%d a minute later", n)
	}
	for i := range 3000 {
		now = now.Add(time.Second)
		rates.take(strconv.Itoa(i), now)
	}
	if len(rates) > maxRates+1 {
		t.Errorf("%d functions are kept", len(rates))
	}
}
