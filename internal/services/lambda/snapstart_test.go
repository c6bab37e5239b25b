package lambda

import (
	"slices"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/service"
)

// hooked counts what is initialised and restored in its process.
const hooked = `
import os, snapshot_restore_py
state = {"pid": os.getpid(), "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "before": 0, "after": 0}
print("initialised")
@snapshot_restore_py.register_before_snapshot
def before():
    state["before"] += 1
    if os.environ.get("FAIL") == "before": raise ValueError("not now")
@snapshot_restore_py.register_after_restore
def after():
    state["after"] += 1
    if os.environ.get("FAIL") == "after": raise ValueError("not now")
    if os.environ.get("FAIL") == "hang": __import__("time").sleep(3600)
def handler(event, context):
    return [state["type"], state["before"], state["after"]]
`

func withSnapStart(env map[string]string) func(in *api.CreateFunctionInput) {
	return func(in *api.CreateFunctionInput) {
		in.Runtime, in.SnapStart = "python3.13", &api.SnapStart{ApplyOn: api.SnapStartApplyOnPublishedVersions}
		in.Environment = &api.Environment{Variables: env}
	}
}

// snapStarted creates a function with SnapStart and publishes its first version.
func (f *fixture) snapStarted(t *testing.T, name, source string, env map[string]string) *api.FunctionConfiguration {
	t.Helper()
	f.python(t, name, source, withSnapStart(env))
	v, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// kept waits until snapshots of these functions are kept, one of each.
func (f *fixture) kept(t *testing.T, names ...string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		news := f.snapshotter.news.next()
		f.snapshotter.mu.Lock()
		var have []string
		for _, h := range f.snapshotter.shelves {
			have = append(have, slices.Repeat([]string{h.ref.name}, len(h.ready))...)
		}
		f.snapshotter.mu.Unlock()
		slices.Sort(have)
		if slices.Equal(have, names) {
			return
		}
		select {
		case <-news:
		case <-limit:
			t.Fatalf("kept are %v, not %v", have, names)
		}
	}
}

// ofSnapshots returns the texts of the streams of initialisations for snapshots, and of those of restored environments.
func (s *lines) ofSnapshots() (initialised, restored []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.streams {
		text := strings.Join(list, "\n")
		if strings.Contains(text, "RESTORE_") {
			restored = append(restored, text)
		} else {
			initialised = append(initialised, text)
		}
	}
	return initialised, restored
}

func withSnapshots(o *Options) { o.SnapshotMemory = 1 << 30 }

// withSystemRuntimes has runtimes looked for where the distribution puts them alone, which is soon done: the tests name one that may not be installed.
func withSystemRuntimes(t *testing.T, change func(o *Options)) func(o *Options) {
	t.Helper()
	catalog, err := runtimes.NewCatalog(runtimes.Options{Dir: t.TempDir(), Path: []string{"/usr/bin", "/usr/local/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) {
		o.Runtimes = catalog
		if change != nil {
			change(o)
		}
	}
}

func TestPublishedVersionIsInitialisedBeforeItIsInvoked(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, withSnapshots))
	v := f.snapStarted(t, "f", hooked, nil)
	if v.State != api.StatePending || v.StateReasonCode != "Creating" || *v.SnapStart != (api.SnapStartResponse{ApplyOn: "PublishedVersions", OptimizationStatus: "On"}) {
		t.Errorf("published: %s %s %+v", v.State, v.StateReasonCode, v.SnapStart)
	}
	if err := f.awaitActive(f.ctx, "f", ptr("1")); err != nil {
		t.Fatal(err)
	}
	f.kept(t, "f")
	if log := f.sink.text(); !strings.Contains(log, "initialised") || !strings.Contains(log, "INIT_REPORT Init Duration: ") {
		t.Errorf("log of the initialisation:\n%s", log)
	}
	out := f.call(t, "f:1", `{}`)
	if string(out.Payload) != `["snap-start", 1, 1]` {
		t.Errorf("answered %s", out.Payload)
	}
	if log := tailOf(t, out); !strings.Contains(log, "\tRestore Duration: ") || !strings.Contains(log, "\tBilled Restore Duration: ") || strings.Contains(log, "Init Duration") {
		t.Errorf("log of the first invocation:\n%s", log)
	}
	if log := f.sink.text(); !strings.Contains(log, "RESTORE_START Runtime Version: python3.13\t") || !strings.Contains(log, "RESTORE_REPORT Restore Duration: ") {
		t.Errorf("log of the restoration:\n%s", log)
	}
	if log := tailOf(t, f.call(t, "f:1", `{}`)); strings.Contains(log, "Restore Duration") {
		t.Errorf("log of the second invocation:\n%s", log)
	}
	f.kept(t, "f") // another one
	initialised, restored := f.sink.ofSnapshots()
	if len(restored) != 1 || strings.Count(restored[0], "REPORT RequestId: ") != 2 || strings.Contains(restored[0], "initialised") {
		t.Errorf("streams of restored environments, want one with both invocations and nothing of an initialisation:\n%q", restored)
	}
	// How many are made ahead follows the demand, and one may be in the making.
	done := 0
	for _, text := range initialised {
		n := strings.Count(text, "INIT_REPORT")
		done += n
		if n > 1 || strings.Count(text, "initialised") > 1 || strings.Contains(text, "RequestId") {
			t.Errorf("stream of an initialisation, want nothing but one:\n%s", text)
		}
	}
	if done < 2 {
		t.Errorf("%d initialisations, want that of the snapshot that was restored and that of the one that is kept:\n%q", done, initialised)
	}
	if out := f.call(t, "f", `{}`); string(out.Payload) != `["on-demand", 0, 0]` {
		t.Errorf("$LATEST answered %s", out.Payload)
	}
	c, err := f.getFunctionConfiguration(f.ctx, &api.GetFunctionConfigurationInput{FunctionName: "f"})
	if err != nil || *c.SnapStart != (api.SnapStartResponse{ApplyOn: "PublishedVersions", OptimizationStatus: "Off"}) {
		t.Errorf("$LATEST is %+v, %v", c.SnapStart, err)
	}
}

func TestVersionThatCannotBeInitialisedFails(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, withSnapshots))
	for name, env := range map[string]map[string]string{"hook": {"FAIL": "before"}, "import": {"AWS_LAMBDA_X": "1"}} {
		source := hooked
		if name == "import" {
			source = "raise ValueError('never')"
		}
		f.snapStarted(t, name, source, env)
		if err := f.awaitActive(f.ctx, name, ptr("1")); err == nil || !strings.Contains(err.Error(), "could not be initialised") {
			t.Errorf("%s: %v", name, err)
		}
		_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: name, Qualifier: ptr("1")})
		if service.Code(err) != "ResourceConflictException" || !strings.Contains(err.Error(), "Failed") {
			t.Errorf("%s: invoked: %v", name, err)
		}
		again, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: name})
		if err != nil || orZero(again.Version) != "2" {
			t.Errorf("%s: published again: %v, %v", name, again, err)
		}
	}
	if log := f.sink.text(); !strings.Contains(log, "Status: error\tError Type: Runtime.BeforeSnapshotError") {
		t.Errorf("log:\n%s", log)
	}
}

func TestRestorationThatFailsIsTheCallersError(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, withSnapshots))
	f.snapStarted(t, "f", hooked, map[string]string{"FAIL": "after"})
	if err := f.awaitActive(f.ctx, "f", ptr("1")); err != nil {
		t.Fatal(err)
	}
	_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Qualifier: ptr("1")})
	if service.Code(err) != "SnapStartException" || !strings.Contains(err.Error(), "Runtime.AfterRestoreError") {
		t.Errorf("invoked: %v", err)
	}
	if log := f.sink.text(); !strings.Contains(log, "RESTORE_REPORT Restore Duration: ") || !strings.Contains(log, "Status: error\tError Type: Runtime.AfterRestoreError") {
		t.Errorf("log:\n%s", log)
	}
}

// shortClock has the time that hooks have after a restoration pass at once.
type shortClock struct{ clock.System }

// NewTimer implements [clock.Clock].
func (c shortClock) NewTimer(d time.Duration) clock.Timer {
	if d == restoreLimit {
		d = 100 * time.Millisecond
	}
	return c.System.NewTimer(d)
}

func TestRestorationThatHangsIsEnded(t *testing.T) {
	f := newFixtureAt(t, shortClock{}, withSystemRuntimes(t, withSnapshots))
	f.snapStarted(t, "f", hooked, map[string]string{"FAIL": "hang"})
	if err := f.awaitActive(f.ctx, "f", ptr("1")); err != nil {
		t.Fatal(err)
	}
	_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Qualifier: ptr("1")})
	if service.Code(err) != "SnapStartTimeoutException" || !strings.Contains(err.Error(), "10s") {
		t.Errorf("invoked: %v", err)
	}
	if log := f.sink.text(); !strings.Contains(log, "RESTORE_REPORT Restore Duration: ") || !strings.Contains(log, "Status: timeout") {
		t.Errorf("log:\n%s", log)
	}
}

func TestSnapshotsKeepToTheirMemory(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil)) // none
	f.snapStarted(t, "f", hooked, nil)
	if err := f.awaitActive(f.ctx, "f", ptr("1")); err != nil {
		t.Fatal(err)
	}
	if out := f.call(t, "f:1", `{}`); string(out.Payload) != `["snap-start", 1, 1]` || !strings.Contains(tailOf(t, out), "Restore Duration") {
		t.Errorf("answered %s", out.Payload)
	}
	f.kept(t)
}

func TestSnapshotGivesWayToThatOfAVersionInUse(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, withSnapshots))
	for _, name := range []string{"a", "b"} {
		f.snapStarted(t, name, hooked, nil)
		if err := f.awaitActive(f.ctx, name, ptr("1")); err != nil {
			t.Fatal(err)
		}
	}
	f.kept(t, "a", "b")
	f.snapshotter.mu.Lock()
	f.o.SnapshotMemory = f.snapshotter.bytes * 3 / 4 // room for one
	f.snapshotter.mu.Unlock()
	f.call(t, "b:1", `{}`)
	f.kept(t, "b")
	f.call(t, "a:1", `{}`)
	f.kept(t, "a")
}

func TestSnapStartIsRefusedWhereItCannotBe(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, withSnapshots))
	in := &api.CreateFunctionInput{
		FunctionName: "f", Runtime: "nodejs20.x", Handler: ptr("a.b"), Role: testRole, Code: &api.FunctionCode{ZipFile: zipOf(t, map[string]string{"a.js": ""})},
		SnapStart: &api.SnapStart{ApplyOn: api.SnapStartApplyOnPublishedVersions},
	}
	if _, err := f.createFunction(f.ctx, in); err == nil || err.Error() != "InvalidParameterValueException: nodejs20.x is not supported for SnapStart enabled functions." {
		t.Errorf("node: %v", err)
	}
	in.Runtime, in.EphemeralStorage = "python3.13", &api.EphemeralStorage{Size: 513}
	if _, err := f.createFunction(f.ctx, in); err == nil || !strings.Contains(err.Error(), "Ephemeral storage") {
		t.Errorf("storage: %v", err)
	}
	f.snapStarted(t, "f", hooked, nil)
	if err := f.provision("f", "1", 1); err == nil || !strings.Contains(err.Error(), "SnapStart") {
		t.Errorf("provisioned: %v", err)
	}
}

func TestSnapshotsAreMadeAFewAtATime(t *testing.T) {
	f := newFixture(t, withSystemRuntimes(t, nil))
	f.snapshotter.follower.close() // none is made
	f.python(t, "f", hooked, withSnapStart(nil))
	for n := range maxSnapshotCreations + 1 {
		_, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{FunctionName: "f", Timeout: ptr(int32(n + 1))})
		if err != nil {
			t.Fatal(err)
		}
		v, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f"})
		if n < maxSnapshotCreations {
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Qualifier: v.Version})
				if service.Code(err) != "SnapStartNotReadyException" {
					t.Errorf("invoked before it is ready: %v", err)
				}
			}
			continue
		}
		e, ok := err.(*service.Error)
		if !ok || e.Detail.(*api.TooManyRequestsException).Reason != reasonSnapshots {
			t.Errorf("one too many: %v", err)
		}
	}
	if _, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	f.python(t, "f", hooked, withSnapStart(nil))
	if _, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f"}); err != nil {
		t.Errorf("after the function was deleted: %v", err)
	}
}

// TestVersionThatIsNotInvokedBecomesInactive moves the clock past the days after which AWS drops a version's snapshots.
func TestVersionThatIsNotInvokedBecomesInactive(t *testing.T) {
	now := clock.NewMovable()
	f := newFixture(t, withSystemRuntimes(t, withSnapshots))
	f.restart(t, func(d *service.Deps, _ *Options) { d.Clock = now })
	f.snapStarted(t, "f", hooked, nil)
	await := func() {
		t.Helper()
		if err := f.awaitActive(f.ctx, "f", ptr("1")); err != nil {
			t.Fatal(err)
		}
		f.kept(t, "f")
	}
	await()
	now.Advance(13 * 24 * time.Hour)
	if out := f.call(t, "f:1", `{}`); string(out.Payload) != `["snap-start", 1, 1]` {
		t.Errorf("after 13 days: %s", out.Payload)
	}
	f.kept(t, "f") // another one, and the use is written down
	f.restart(t, func(*service.Deps, *Options) {})
	await()
	now.Advance(13*24*time.Hour + time.Minute)
	if c := f.version(t, "f"); c.State != api.StateActive {
		t.Errorf("13 days after its last invocation: %s", c.State)
	}
	now.Advance(24 * time.Hour)
	f.kept(t)
	if c := f.version(t, "f"); c.State != api.StateInactive || c.StateReasonCode != "Idle" {
		t.Errorf("14 days after its last invocation: %s %s", c.State, c.StateReasonCode)
	}
	if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f:1"}); service.Code(err) != "SnapStartNotReadyException" {
		t.Errorf("an inactive version: %v", err)
	}
	await()
	if out := f.call(t, "f:1", `{}`); string(out.Payload) != `["snap-start", 1, 1]` {
		t.Errorf("woken up: %s", out.Payload)
	}
}

// version is what the API shows of a function's first version.
func (f *fixture) version(t *testing.T, name string) *api.FunctionConfiguration {
	t.Helper()
	c, err := f.getFunctionConfiguration(f.ctx, &api.GetFunctionConfigurationInput{FunctionName: name, Qualifier: ptr("1")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
