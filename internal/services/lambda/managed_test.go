package lambda

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/image/imagetest"
	"lambent.dev/lambent/internal/service"
)

// met answers when as many invocations as its event says are in it at the same time, in one environment.
const met = `
import os, time
def handler(event, context):
    os.makedirs("/tmp/met", exist_ok=True)
    open("/tmp/met/" + context.aws_request_id, "w").close()
    while len(os.listdir("/tmp/met")) < event["n"]: time.sleep(0.005)
    if event.get("exit"): os._exit(3)
    print("answered")
    return [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], os.environ["AWS_LAMBDA_MAX_CONCURRENCY"]]
`

func (f *fixture) provider(t *testing.T, name string, scaling *api.CapacityProviderScalingConfig) string {
	t.Helper()
	out, err := f.createCapacityProvider(f.ctx, &api.CreateCapacityProviderInput{
		CapacityProviderName: name, VpcConfig: &api.CapacityProviderVpcConfig{SubnetIds: []string{"subnet-1"}},
		PermissionsConfig: &api.CapacityProviderPermissionsConfig{CapacityProviderOperatorRoleArn: testRole}, CapacityProviderScalingConfig: scaling,
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.CapacityProvider.State != api.CapacityProviderStatePending {
		t.Errorf("created in the state %s", out.CapacityProvider.State)
	}
	return out.CapacityProvider.CapacityProviderArn
}

func onProvider(arn string, concurrency int32) func(in *api.CreateFunctionInput) {
	return func(in *api.CreateFunctionInput) {
		in.Runtime, in.Timeout = "python3.13", ptr(int32(20))
		in.CapacityProviderConfig = &api.CapacityProviderConfig{LambdaManagedInstancesCapacityProviderConfig: &api.LambdaManagedInstancesCapacityProviderConfig{
			CapacityProviderArn: arn, PerExecutionEnvironmentMaxConcurrency: ptr(concurrency),
		}}
	}
}

// managed creates a function on a capacity provider, publishes its first version and waits until that is active.
func (f *fixture) managed(t *testing.T, name, source, provider string, concurrency int32) {
	t.Helper()
	f.python(t, name, source, onProvider(provider, concurrency))
	f.republish(t, name)
	if err := f.awaitActive(f.ctx, name, ptr("1")); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) scale(t *testing.T, name string, least, most int32) string {
	t.Helper()
	out, err := f.putFunctionScalingConfig(f.ctx, &api.PutFunctionScalingConfigInput{
		FunctionName: name, Qualifier: "1", FunctionScalingConfig: &api.FunctionScalingConfig{MinExecutionEnvironments: &least, MaxExecutionEnvironments: &most},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.FunctionState
}

// together invokes a version several times at once, and returns the answers or errors.
func (f *fixture) together(t *testing.T, name string, events ...string) []string {
	t.Helper()
	out := make([]string, len(events))
	var wg sync.WaitGroup
	for i, event := range events {
		wg.Go(func() {
			ctx := service.WithRequest(f.ctx, &service.Request{ID: "request-" + strconv.Itoa(i), Account: "000000000000", Region: "us-east-1", Principal: service.Principal{Kind: service.Root}})
			answer, err := f.invoke(ctx, &api.InvokeInput{FunctionName: name, Payload: []byte(event)})
			if err != nil {
				out[i] = err.Error()
				return
			}
			out[i] = string(answer.Payload)
		})
	}
	wg.Wait()
	return out
}

func TestManagedEnvironmentTakesSeveralInvocationsAtATime(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	arn := f.provider(t, "p", nil)
	f.managed(t, "f", met, arn, 4)
	c, err := f.getFunctionConfiguration(f.ctx, &api.GetFunctionConfigurationInput{FunctionName: "f"})
	if err != nil || c.State != api.StateActiveNonInvocable || orZero(c.MemorySize) != 2048 || c.LoggingConfig.LogFormat != "JSON" {
		t.Errorf("$LATEST: %s %d %+v, %v", c.State, orZero(c.MemorySize), c.LoggingConfig, err)
	}
	if c := c.CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig; c.CapacityProviderArn != arn || orZero(c.PerExecutionEnvironmentMaxConcurrency) != 4 {
		t.Errorf("capacity: %+v", c)
	}
	f.scale(t, "f", 1, 1)
	event := `{"n": 4}`
	for _, got := range f.together(t, "f:1", event, event, event, event) {
		if got != `["lambda-managed-instances", "4"]` {
			t.Errorf("answered %s", got)
		}
	}
	for i := range 4 {
		if id := `"requestId":"request-` + strconv.Itoa(i) + `"`; strings.Count(f.sink.text(), id) < 3 {
			t.Errorf("the log lacks lines of %s:\n%s", id, f.sink.text())
		}
	}
	if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f"}); service.Code(err) != "ResourceConflictException" {
		t.Errorf("$LATEST invoked: %v", err)
	}
}

func TestManagedVersionScalesWithinItsBounds(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	f.managed(t, "f", met, f.provider(t, "p", nil), 1)
	f.scale(t, "f", 1, 2)
	// Two environments at most, which take one each: of three that wait for each other's end, one finds no room.
	slow := "import time\ndef handler(e, c):\n    time.sleep(2)\n    return 'slept'\n"
	f.managed(t, "slow", slow, f.provider(t, "q", nil), 1)
	f.scale(t, "slow", 1, 2)
	got := f.together(t, "slow:1", `{}`, `{}`, `{}`)
	slices.Sort(got)
	if got[0] != `"slept"` || got[1] != `"slept"` || got[2] != "TooManyRequestsException: Rate Exceeded." {
		t.Errorf("answered %v", got)
	}
	if state := f.scale(t, "slow", 0, 0); state != api.StateDeactivated {
		t.Errorf("without environments its state is %s", state)
	}
	if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "slow:1"}); service.Code(err) != "ResourceConflictException" {
		t.Errorf("invoked: %v", err)
	}
	if state := f.scale(t, "slow", 1, 1); state != api.StatePending {
		t.Errorf("with one again its state is %s", state)
	}
	if err := f.awaitActive(f.ctx, "slow", ptr("1")); err != nil {
		t.Fatal(err)
	}
	s, err := f.getFunctionScalingConfig(f.ctx, &api.GetFunctionScalingConfigInput{FunctionName: "slow", Qualifier: "1"})
	if err != nil || orZero(s.AppliedFunctionScalingConfig.MaxExecutionEnvironments) != 1 || orZero(s.RequestedFunctionScalingConfig.MinExecutionEnvironments) != 1 {
		t.Errorf("scaling: %+v, %v", s, err)
	}
}

func TestManagedInvocationThatFailsLeavesTheOthers(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	f.managed(t, "f", met, f.provider(t, "p", nil), 2)
	f.scale(t, "f", 1, 1)
	got := f.together(t, "f:1", `{"n": 2, "exit": true}`, `{"n": 2}`)
	if !strings.Contains(got[0], "Runtime.ExitError") || got[1] != `["lambda-managed-instances", "2"]` {
		t.Errorf("answered %v", got)
	}
	hang := "import time\ndef handler(e, c):\n    if e == 'hang': time.sleep(60)\n    return 1\n"
	f.python(t, "hang", hang, func(in *api.CreateFunctionInput) {
		onProvider(f.provider(t, "q", nil), 2)(in)
		in.Timeout = ptr(int32(1))
	})
	f.republish(t, "hang")
	if err := f.awaitActive(f.ctx, "hang", ptr("1")); err != nil {
		t.Fatal(err)
	}
	if out := f.call(t, "hang:1", `"hang"`); !strings.Contains(string(out.Payload), "Sandbox.Timedout") {
		t.Errorf("answered %s", out.Payload)
	}
	if out := f.call(t, "hang:1", `{}`); string(out.Payload) != "1" {
		t.Errorf("then answered %s", out.Payload)
	}
}

func TestManagedVersionThatCannotBeInitialisedFails(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	f.python(t, "f", "raise ValueError('never')", onProvider(f.provider(t, "p", nil), 2))
	f.republish(t, "f")
	if err := f.awaitActive(f.ctx, "f", ptr("1")); err == nil || !strings.Contains(err.Error(), "could not be initialised") {
		t.Errorf("%v", err)
	}
}

func TestCapacityProviderLimitsAllOfItsVersions(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	arn := f.provider(t, "p", &api.CapacityProviderScalingConfig{MaxVCpuCount: ptr(int32(2))})
	f.managed(t, "a", met, arn, 1)
	f.managed(t, "b", met, arn, 1)
	f.fleets.mu.Lock()
	defer f.fleets.mu.Unlock()
	for _, e := range f.fleets.all {
		if f.fleets.roomLocked(e) {
			t.Errorf("there is room for another environment of %s", e.ref.arn())
		}
	}
}

func TestCapacityProvidersAreKept(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	for i := range 3 {
		f.provider(t, "p"+strconv.Itoa(i), nil)
	}
	arn := f.provider(t, "p3", &api.CapacityProviderScalingConfig{ScalingMode: "Manual", ScalingPolicies: []api.TargetTrackingScalingPolicy{{PredefinedMetricType: "LambdaCapacityProviderAverageCPUUtilization", TargetValue: 50}}})
	_, err := f.createCapacityProvider(f.ctx, &api.CreateCapacityProviderInput{
		CapacityProviderName: "p3", VpcConfig: &api.CapacityProviderVpcConfig{}, PermissionsConfig: &api.CapacityProviderPermissionsConfig{},
	})
	if service.Code(err) != "ResourceConflictException" {
		t.Errorf("made twice: %v", err)
	}
	got, err := f.getCapacityProvider(f.ctx, &api.GetCapacityProviderInput{CapacityProviderName: arn})
	if err != nil || got.CapacityProvider.State != "Active" || got.CapacityProvider.CapacityProviderScalingConfig.ScalingPolicies[0].TargetValue != 50 {
		t.Errorf("got %+v, %v", got, err)
	}
	page, err := f.listCapacityProviders(f.ctx, &api.ListCapacityProvidersInput{MaxItems: ptr(int32(3))})
	if err != nil || len(page.CapacityProviders) != 3 || orZero(page.NextMarker) != "p2" {
		t.Errorf("listed %+v, %v", page, err)
	}
	if page, err = f.listCapacityProviders(f.ctx, &api.ListCapacityProvidersInput{Marker: page.NextMarker}); err != nil || len(page.CapacityProviders) != 1 {
		t.Errorf("listed then %+v, %v", page, err)
	}
	if _, err := f.updateCapacityProvider(f.ctx, &api.UpdateCapacityProviderInput{CapacityProviderName: "p3", CapacityProviderScalingConfig: &api.CapacityProviderScalingConfig{ScalingMode: "Auto", MaxVCpuCount: ptr(int32(8))}}); err != nil {
		t.Error(err)
	}
	if _, err := f.tagResource(f.ctx, &api.TagResourceInput{Resource: arn, Tags: map[string]string{"a": "b"}}); err != nil {
		t.Error(err)
	}
	if tags, err := f.listTags(f.ctx, &api.ListTagsInput{Resource: arn}); err != nil || tags.Tags["a"] != "b" {
		t.Errorf("tags %v, %v", tags, err)
	}
	f.managed(t, "f", met, arn, 1)
	list, err := f.listFunctionVersionsByCapacityProvider(f.ctx, &api.ListFunctionVersionsByCapacityProviderInput{CapacityProviderName: "p3"})
	if err != nil || len(list.FunctionVersions) != 1 || list.FunctionVersions[0].State != "Active" || !strings.HasSuffix(list.FunctionVersions[0].FunctionArn, ":function:f:1") {
		t.Errorf("versions %+v, %v", list, err)
	}
	if _, err := f.deleteCapacityProvider(f.ctx, &api.DeleteCapacityProviderInput{CapacityProviderName: "p3"}); service.Code(err) != "ResourceConflictException" {
		t.Errorf("deleted while in use: %v", err)
	}
	if _, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	if out, err := f.deleteCapacityProvider(f.ctx, &api.DeleteCapacityProviderInput{CapacityProviderName: "p3"}); err != nil || out.CapacityProvider.State != "Deleting" {
		t.Errorf("deleted: %+v, %v", out, err)
	}
	if _, err := f.getCapacityProvider(f.ctx, &api.GetCapacityProviderInput{CapacityProviderName: "p3"}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("after that: %v", err)
	}
}

func TestWhatCannotRunOnACapacityProviderIsRefused(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	arn := f.provider(t, "p", nil)
	for want, change := range map[string]func(in *api.CreateFunctionInput){
		"python3.12 is not supported": func(in *api.CreateFunctionInput) { in.Runtime = "python3.12" },
		"need at least 2048 MB":       func(in *api.CreateFunctionInput) { in.MemorySize = ptr(int32(1024)) },
		"SnapStart is not supported":  func(in *api.CreateFunctionInput) { in.SnapStart = &api.SnapStart{ApplyOn: "PublishedVersions"} },
		"Set LogFormat to JSON":       func(in *api.CreateFunctionInput) { in.LoggingConfig = &api.LoggingConfig{LogFormat: "Text"} },
		"Capacity provider not found": func(in *api.CreateFunctionInput) { onProvider(arn+"x", 1)(in) },
		"less than or equal to 10240": func(in *api.CreateFunctionInput) { in.CapacityProviderConfig, in.MemorySize = nil, ptr(int32(20000)) },
	} {
		in := &api.CreateFunctionInput{FunctionName: "f", Handler: ptr("app.handler"), Role: testRole, Code: &api.FunctionCode{ZipFile: zipOf(t, map[string]string{"app.py": met})}}
		onProvider(arn, 1)(in)
		change(in)
		if _, err := f.createFunction(f.ctx, in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	f.managed(t, "f", met, arn, 1)
	if err := f.provision("f", "1", 1); err == nil || !strings.Contains(err.Error(), "capacity provider") {
		t.Errorf("provisioned: %v", err)
	}
	if err := f.setReserved(f.ctx, "f", ptr(int32(1))); err == nil || !strings.Contains(err.Error(), "capacity provider") {
		t.Errorf("reserved: %v", err)
	}
}

func TestManagedEnvironmentsEndWhenTheyAreIdle(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, func(o *Options) { o.IdleTimeout = 300 * time.Millisecond }))
	f.managed(t, "f", met, f.provider(t, "p", nil), 1)
	f.scale(t, "f", 2, 2)
	var two []*worker
	for len(two) < 2 {
		news := f.fleets.news.next()
		f.fleets.mu.Lock()
		for _, e := range f.fleets.all {
			two = slices.Clone(e.workers)
		}
		f.fleets.mu.Unlock()
		if len(two) < 2 {
			<-news
		}
	}
	f.scale(t, "f", 1, 2)
	select {
	case <-two[0].env.Done():
	case <-two[1].env.Done():
	case <-time.After(20 * time.Second):
		t.Error("both environments are still there")
	}
	if out := f.call(t, "f:1", `{"n": 1}`); orZero(out.FunctionError) != "" {
		t.Errorf("answered %s", out.Payload)
	}
}

// TestLatestPublishedVersionIsInvokedWithoutAQualifier publishes a function to $LATEST.PUBLISHED, and again while an invocation of it runs.
func TestLatestPublishedVersionIsInvokedWithoutAQualifier(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	source := "import os, time\ndef handler(e, c):\n    print('begun')\n    time.sleep(e.get('sleep', 0))\n    return [os.environ['NAME'], c.function_version, c.invoked_function_arn]\n"
	named := func(name string) *api.Environment {
		return &api.Environment{Variables: map[string]string{"NAME": name}}
	}
	f.python(t, "f", source, func(in *api.CreateFunctionInput) {
		onProvider(f.provider(t, "p", nil), 2)(in)
		in.Environment, in.PublishTo = named("one"), api.FunctionVersionLatestPublishedLatestPublished
	})
	if err := f.awaitActive(f.ctx, "f", ptr(latestPublished)); err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
	answers := func(want string) {
		t.Helper()
		if out := f.call(t, "f", `{}`); string(out.Payload) != want || orZero(out.ExecutedVersion) != latestPublished {
			t.Errorf("version %s answers %s, want %s", orZero(out.ExecutedVersion), out.Payload, want)
		}
	}
	answers(`["one", "$LATEST.PUBLISHED", "` + arn + `"]`)
	if _, err := f.putFunctionScalingConfig(f.ctx, &api.PutFunctionScalingConfigInput{
		FunctionName: "f", Qualifier: latestPublished, FunctionScalingConfig: &api.FunctionScalingConfig{MinExecutionEnvironments: ptr(int32(1)), MaxExecutionEnvironments: ptr(int32(2))},
	}); err != nil {
		t.Fatal(err)
	}
	slow := make(chan string, 1)
	go func() { slow <- f.together(t, "f", `{"sleep": 1.5}`)[0] }()
	f.sink.wait(t, "request-0")
	if _, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{FunctionName: "f", Environment: named("two")}); err != nil {
		t.Fatal(err)
	}
	again, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f", PublishTo: api.FunctionVersionLatestPublishedLatestPublished})
	if err != nil || orZero(again.FunctionArn) != arn+":$LATEST.PUBLISHED" || again.State != api.StateActive || again.LastUpdateStatus != api.LastUpdateStatusInProgress {
		t.Fatalf("published again: %+v, %v", again, err)
	}
	answers(`["two", "$LATEST.PUBLISHED", "` + arn + `"]`)
	if got := <-slow; !strings.HasPrefix(got, `["one", `) {
		t.Errorf("the invocation that ran meanwhile answers %s", got)
	}
	if err := f.awaitActive(f.ctx, "f", ptr(latestPublished)); err != nil {
		t.Fatal(err)
	}
	scaling, err := f.getFunctionScalingConfig(f.ctx, &api.GetFunctionScalingConfigInput{FunctionName: "f", Qualifier: latestPublished})
	if err != nil || orZero(scaling.RequestedFunctionScalingConfig.MaxExecutionEnvironments) != 2 {
		t.Errorf("scaling %+v, %v", scaling, err)
	}
	list, err := f.listVersionsByFunction(f.ctx, &api.ListVersionsByFunctionInput{FunctionName: "f"})
	if err != nil || len(list.Versions) != 2 || orZero(list.Versions[1].Version) != latestPublished {
		t.Errorf("versions %+v, %v", list, err)
	}
	for _, q := range []string{"0", "00", "1"} {
		if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Qualifier: &q}); service.Code(err) != "ResourceNotFoundException" {
			t.Errorf("version %s: %v", q, err)
		}
	}
	if _, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "f", Qualifier: ptr(latestPublished)}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f"}); service.Code(err) != "ResourceConflictException" {
		t.Errorf("after its deletion: %v", err)
	}
}

func TestOnlyFunctionsOnProvidersArePublishedToLatest(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "def handler(e, c): pass\n", nil)
	_, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f", PublishTo: api.FunctionVersionLatestPublishedLatestPublished})
	if service.Code(err) != "InvalidParameterValueException" || !strings.Contains(err.Error(), "PublishTo LATEST_PUBLISHED is for functions with a capacity provider") {
		t.Error(err)
	}
}

func TestImagesRunOnProviders(t *testing.T) {
	r := imagetest.Serve(t)
	r.Push(t, "1", goImage(t))
	f := imageFixture(t, nil)
	in := &api.CreateFunctionInput{FunctionName: "f", PackageType: api.PackageTypeImage, Role: testRole, Code: &api.FunctionCode{ImageUri: ptr(r.Host() + "/app:1")}, PublishTo: api.FunctionVersionLatestPublishedLatestPublished}
	onProvider(f.provider(t, "p", nil), 2)(in)
	in.Runtime = ""
	if _, err := f.createFunction(f.ctx, in); err != nil {
		t.Fatal(err)
	}
	if err := f.awaitActive(f.ctx, "f", ptr(latestPublished)); err != nil {
		t.Fatal(err)
	}
	for _, got := range f.together(t, "f", `{"name":"ann"}`, `{"name":"ann"}`) {
		if !strings.HasPrefix(got, greets) {
			t.Errorf("answered %s", got)
		}
	}
}
