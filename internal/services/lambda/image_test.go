package lambda

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/clock"
	images "lambent.dev/lambent/internal/image"
	"lambent.dev/lambent/internal/image/imagetest"
	"lambent.dev/lambent/internal/service"
)

// bucket has objects of one bucket.
type bucket map[string][]byte

func (b bucket) OpenObject(_ context.Context, _, key, _ string) (io.ReadCloser, int64, error) {
	data, ok := b[key]
	if !ok {
		return nil, 0, service.Errorf("NoSuchKey", "The specified key does not exist.")
	}
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
}

// goBuild builds a function of aws-lambda-go without libraries of the machine, once for all tests.
var goBuild = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "lambda-test-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "../../runtimes/testdata/lambdago"
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return program, nil
})

func goProgram(t testing.TB) string {
	t.Helper()
	program, err := goBuild()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// imageStore opens the store of images in a folder.
func imageStore(t testing.TB, dir string, now clock.Clock) *images.Store {
	t.Helper()
	s, err := images.Open(images.Options{Dir: dir, Registries: []string{"localhost"}, Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// imageFixture is a fixture that has images in the bucket "images".
func imageFixture(t testing.TB, objects bucket) *fixture {
	t.Helper()
	s := imageStore(t, t.TempDir(), nil)
	f := newFixture(t, func(o *Options) { o.Images, o.Objects, o.SnapshotMemory = s, objects, 1<<30 })
	if !f.host.Report().Isolated() {
		t.Skip(f.host.Report().Layer("namespaces").Detail)
	}
	return f
}

func (f *fixture) createImage(t testing.TB, name, uri string, config *api.ImageConfig) *api.CreateFunctionOutput {
	t.Helper()
	out, err := f.createFunction(f.ctx, &api.CreateFunctionInput{
		FunctionName: name, PackageType: api.PackageTypeImage, Role: testRole, Code: &api.FunctionCode{ImageUri: &uri}, ImageConfig: config,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestContainerImageRunsAsItSays(t *testing.T) {
	image := imagetest.Image{
		Layers:     [][]byte{imagetest.Layer(t, imagetest.Entry{Name: "app/main", File: goProgram(t)}, imagetest.Entry{Name: "app/data.txt", Content: "data"})},
		Entrypoint: []string{"main"}, Env: []string{"PATH=/app", "GREETING=from the image", "AWS_REGION=nowhere"}, WorkingDir: "/app",
	}
	f := imageFixture(t, bucket{"app.tar": image.Saved(t), "other.tar": (&imagetest.Image{Layers: image.Layers}).Archive(t)})
	made := f.createImage(t, "app", "s3://images/app.tar", nil)
	if made.PackageType != api.PackageTypeImage || made.State != api.StatePending || len(orZero(made.CodeSha256)) != 64 || made.Runtime != "" || made.ImageConfigResponse != nil {
		t.Errorf("created %+v", made)
	}
	out := f.call(t, "app", `{"name":"ann"}`)
	if want := `{"hello":"ann",`; out.FunctionError != nil || !strings.HasPrefix(string(out.Payload), want) {
		t.Fatalf("answer %s, want %s…\n%s", out.Payload, want, tailOf(t, out))
	}
	got, err := f.getFunction(f.ctx, &api.GetFunctionInput{FunctionName: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if c := got.Code; orZero(c.RepositoryType) != "ECR" || orZero(c.ImageUri) != "s3://images/app.tar" || orZero(c.ResolvedImageUri) != "s3://images/app.tar@sha256:"+orZero(made.CodeSha256) {
		t.Errorf("code %+v", c)
	}
	updated, err := f.updateFunctionCode(f.ctx, &api.UpdateFunctionCodeInput{FunctionName: "app", ImageUri: ptr("s3://images/other.tar")})
	if err != nil || orZero(updated.CodeSha256) == orZero(made.CodeSha256) {
		t.Fatalf("updated %+v, %v", updated, err)
	}
	out = f.call(t, "app", `{}`)
	if want := `{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: `; !strings.HasPrefix(string(out.Payload), want) {
		t.Errorf("an image without a program: %s", out.Payload)
	}
	if _, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{
		FunctionName: "app", ImageConfig: &api.ImageConfig{EntryPoint: []string{"./main"}, WorkingDirectory: ptr("/app")},
	}); err != nil {
		t.Fatal(err)
	}
	if out = f.call(t, "app", `{"name":"bob"}`); !strings.HasPrefix(string(out.Payload), `{"hello":"bob",`) {
		t.Errorf("with an entry point of the function: %s", out.Payload)
	}
	if _, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{
		FunctionName: "app", ImageConfig: &api.ImageConfig{EntryPoint: []string{"/app/main"}, WorkingDirectory: ptr("/missing")},
	}); err != nil {
		t.Fatal(err)
	}
	if out = f.call(t, "app", `{}`); !strings.HasPrefix(string(out.Payload), `{"errorType":"Runtime.InvalidWorkingDir"`) {
		t.Errorf("with a missing working directory: %s", out.Payload)
	}
}

func TestImagesThatCannotBeUsedAreRefused(t *testing.T) {
	f := imageFixture(t, bucket{"text": []byte("no image")})
	for name, tc := range map[string]struct{ uri, want string }{
		"no image":        {"s3://images/text", "The image s3://images/text cannot be used: this is not a tar file with an image"},
		"no object":       {"s3://images/missing", "S3 Error Code: NoSuchKey"},
		"no key":          {"s3://images", "does not name an image"},
		"no registry":     {"registry.example.com/app", "images are not pulled from the registry registry.example.com"},
		"files of hosts":  {"tar:/etc/passwd", "tar:/etc/passwd names a file. Deploy a template"},
		"folders of host": {"oci:/etc", "oci:/etc names a file"},
		"metadata":        {"169.254.169.254/latest", "images are not pulled from the registry 169.254.169.254"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.createFunction(f.ctx, &api.CreateFunctionInput{
				FunctionName: "f", PackageType: api.PackageTypeImage, Role: testRole, Code: &api.FunctionCode{ImageUri: &tc.uri},
			})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// goImage is an image with a function of aws-lambda-go.
func goImage(t testing.TB, more ...imagetest.Entry) *imagetest.Image {
	t.Helper()
	return &imagetest.Image{
		Layers:     [][]byte{imagetest.Layer(t, more...), imagetest.Layer(t, imagetest.Entry{Name: "app/main", File: goProgram(t)})},
		Entrypoint: []string{"/app/main"},
	}
}

// shown is the configuration that the API shows of a function or a version.
func (f *fixture) shown(t testing.TB, name string) *api.FunctionConfiguration {
	t.Helper()
	c, err := f.getFunctionConfiguration(f.ctx, &api.GetFunctionConfigurationInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// restart ends the service, and starts another one on the same state.
func (f *fixture) restart(t testing.TB, change func(d *service.Deps, o *Options)) {
	t.Helper()
	if err := f.svc.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	deps, o := f.deps, f.o
	change(&deps, &o)
	f.svc, f.Lambda = New(deps, o)
	if err := f.svc.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) await(t testing.TB, name string) {
	t.Helper()
	if err := f.awaitActive(f.ctx, name, nil); err != nil {
		t.Fatal(err)
	}
}

// wantAnswer calls a function of goImage.
func (f *fixture) wantAnswer(t testing.TB, name, want string) {
	t.Helper()
	if out := f.call(t, name, `{"name":"ann"}`); !strings.HasPrefix(string(out.Payload), want) {
		t.Errorf("%s answers %s, want %s…", name, out.Payload, want)
	}
}

// What functions of an image with a program answer, and of one without.
const (
	greets    = `{"hello":"ann",`
	noProgram = `{"errorType":"Runtime.InvalidEntrypoint"`
)

// TestPullOfAnImageIsAState creates a function whose image is still on its way, ends the platform in the middle of the pull, and starts it again.
func TestPullOfAnImageIsAState(t *testing.T) {
	r, made := imagetest.Serve(t), goImage(t, imagetest.Entry{Name: "first"})
	made.Compress = true
	manifest := r.Push(t, "1", made)
	first, second := imagetest.Digest(imagetest.Zip(t, made.Layers[0])), imagetest.Digest(imagetest.Zip(t, made.Layers[1]))
	gate := r.Gate(second)
	dir := t.TempDir()
	f := imageFixture(t, nil)
	store := imageStore(t, dir, nil)
	f.restart(t, func(_ *service.Deps, o *Options) { o.Images = store })
	created := f.createImage(t, "app", r.Host()+"/team/app:1", nil)
	if created.State != api.StatePending || "sha256:"+orZero(created.CodeSha256) != manifest {
		t.Errorf("created %+v", created)
	}
	if c := f.shown(t, "app"); c.State != api.StatePending || c.StateReasonCode != "Creating" {
		t.Errorf("while the image comes: %s %s", c.State, c.StateReasonCode)
	}
	for what, call := range map[string]func() error{
		"invoke": func() error { _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "app"}); return err },
		"update": func() error {
			_, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{FunctionName: "app", Timeout: ptr(int32(9))})
			return err
		},
		"publish": func() error {
			_, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "app"})
			return err
		},
	} {
		if err := call(); service.Code(err) != "ResourceConflictException" || !strings.Contains(err.Error(), "currently in the following state: Pending") {
			t.Errorf("%s while the image comes: %v", what, err)
		}
	}
	imagetest.Wait(t, filepath.Join(dir, "layers"), func() bool {
		_, err := os.Stat(filepath.Join(dir, "layers", strings.TrimPrefix(imagetest.Digest(made.Layers[0]), "sha256:")))
		return err == nil
	})
	store.Close() // the platform ends
	close(gate)
	again := imageStore(t, dir, nil)
	f.restart(t, func(_ *service.Deps, o *Options) { o.Images = again })
	f.await(t, "app")
	f.wantAnswer(t, "app", greets)
	if n := r.Pulled(first); n != 1 {
		t.Errorf("the first layer was pulled %d times", n)
	}
}

// TestMovedTagIsUsedFromItsUpdateOn moves a tag, which changes nothing before UpdateFunctionCode. Until the other image is there the old one answers; a
// published version keeps it.
func TestMovedTagIsUsedFromItsUpdateOn(t *testing.T) {
	r, made := imagetest.Serve(t), goImage(t)
	old := r.Push(t, "live", made)
	f := imageFixture(t, nil)
	uri := r.Host() + "/app:live"
	f.createImage(t, "app", uri, nil)
	f.await(t, "app")
	if _, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "app"}); err != nil {
		t.Fatal(err)
	}
	other := &imagetest.Image{Layers: [][]byte{imagetest.Layer(t, imagetest.Entry{Name: "other"})}, Entrypoint: []string{"/app/main"}}
	moved, gate := r.Push(t, "live", other), r.Gate(imagetest.Digest(other.Layers[0]))
	f.wantAnswer(t, "app", greets)
	in := &api.UpdateFunctionCodeInput{FunctionName: "app", ImageUri: &uri, Publish: ptr(true)}
	published, err := f.updateFunctionCode(f.ctx, in)
	if err != nil || orZero(published.Version) != "2" || published.State != api.StatePending {
		t.Fatalf("published %+v, %v", published, err)
	}
	c := f.shown(t, "app")
	if c.State != api.StateActive || c.LastUpdateStatus != api.LastUpdateStatusInProgress || "sha256:"+orZero(c.CodeSha256) != moved {
		t.Errorf("while the image comes: %s, update %s, %s", c.State, c.LastUpdateStatus, orZero(c.CodeSha256))
	}
	if _, err := f.updateFunctionCode(f.ctx, in); service.Code(err) != "ResourceConflictException" || !strings.Contains(err.Error(), "An update is in progress for resource: arn:aws:lambda:us-east-1:000000000000:function:app") {
		t.Errorf("another update: %v", err)
	}
	f.wantAnswer(t, "app", greets)
	close(gate)
	f.await(t, "app")
	f.await(t, "app:2")
	if c := f.shown(t, "app"); c.LastUpdateStatus != api.LastUpdateStatusSuccessful || "sha256:"+orZero(c.CodeSha256) != moved {
		t.Errorf("afterwards: %s %s", c.LastUpdateStatus, orZero(c.CodeSha256))
	}
	f.wantAnswer(t, "app", noProgram)
	f.wantAnswer(t, "app:2", noProgram)
	f.wantAnswer(t, "app:1", greets)
	got, err := f.getFunction(f.ctx, &api.GetFunctionInput{FunctionName: "app:1"})
	if err != nil || orZero(got.Code.ResolvedImageUri) != r.Host()+"/app@"+old {
		t.Errorf("version 1 is %+v, %v", got.Code, err)
	}
}

func TestPullsThatFail(t *testing.T) {
	r := imagetest.Serve(t)
	broken := &imagetest.Image{Layers: [][]byte{imagetest.Layer(t, imagetest.Entry{Name: "lost"})}}
	r.Push(t, "broken", broken)
	layer := imagetest.Digest(broken.Layers[0])
	r.Push(t, "good", goImage(t))
	f := imageFixture(t, nil)
	for code, fail := range map[string]func(){
		"ImageDeleted": func() { r.Replace(layer, nil) },
		"InvalidImage": func() { r.Replace(layer, []byte("something else")) },
	} {
		fail()
		f.createImage(t, code, r.Host()+"/app:broken", nil)
		if err := f.awaitActive(f.ctx, code, nil); err == nil || !strings.Contains(err.Error(), "could not be prepared") {
			t.Errorf("%s: %v", code, err)
		}
		if c := f.shown(t, code); c.State != api.StateFailed || c.StateReasonCode != code || c.LastUpdateStatus != api.LastUpdateStatusFailed {
			t.Errorf("%s: %s %s, update %s", code, c.State, c.StateReasonCode, c.LastUpdateStatus)
		}
		if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: code}); service.Code(err) != "ResourceConflictException" {
			t.Errorf("%s: %v", code, err)
		}
	}
	update := func(name, tag string) {
		t.Helper()
		if _, err := f.updateFunctionCode(f.ctx, &api.UpdateFunctionCodeInput{FunctionName: name, ImageUri: ptr(r.Host() + "/app:" + tag)}); err != nil {
			t.Fatal(err)
		}
	}
	update("InvalidImage", "good")
	f.await(t, "InvalidImage")
	f.wantAnswer(t, "InvalidImage", greets)
	update("InvalidImage", "broken")
	if err := f.awaitActive(f.ctx, "InvalidImage", nil); err == nil || !strings.Contains(err.Error(), "could not be updated") {
		t.Error(err)
	}
	if c := f.shown(t, "InvalidImage"); c.State != api.StateActive || c.LastUpdateStatus != api.LastUpdateStatusFailed || orZero(c.LastUpdateStatusReason) == "" {
		t.Errorf("after an update that failed: %s, %s", c.State, c.LastUpdateStatus)
	}
	f.wantAnswer(t, "InvalidImage", greets)
	for tag, want := range map[string]string{"absent": "Source image " + r.Host() + "/app:absent does not exist. Provide a valid source image."} {
		_, err := f.updateFunctionCode(f.ctx, &api.UpdateFunctionCodeInput{FunctionName: "InvalidImage", ImageUri: ptr(r.Host() + "/app:" + tag)})
		if service.Code(err) != "InvalidParameterValueException" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", tag, err)
		}
	}
}

// TestPullIsTriedAgain has a registry out of order for a moment.
func TestPullIsTriedAgain(t *testing.T) {
	r, made := imagetest.Serve(t), goImage(t)
	r.Push(t, "1", made)
	gate := r.Gate(imagetest.Digest(made.Layers[0]))
	f := imageFixture(t, nil)
	f.createImage(t, "app", r.Host()+"/app:1", nil)
	r.Break(imagetest.Digest(made.Layers[1]), 1)
	close(gate)
	f.await(t, "app")
	f.wantAnswer(t, "app", greets)
}

// TestImagesAreInitialisedAhead starts a function of an image twice; from then on an environment waits for the next cold start.
func TestImagesAreInitialisedAhead(t *testing.T) {
	f := imageFixture(t, bucket{"app.tar": goImage(t).Saved(t)})
	f.createImage(t, "app", "s3://images/app.tar", nil)
	r, _, v, err := f.find(f.ctx, "app", nil)
	if err != nil {
		t.Fatal(err)
	}
	cold := func() string {
		t.Helper()
		f.pools.retireIf(func(poolKey) bool { return true })
		return tailOf(t, f.call(t, "app", `{"name":"ann"}`))
	}
	for range aheadAfter {
		if tail := cold(); !strings.Contains(tail, "Init Duration: ") {
			t.Errorf("a cold start:\n%s", tail)
		}
	}
	f.awaitAhead(t, keyOf(r, &v))
	if tail := cold(); strings.Contains(tail, "Init Duration: ") {
		t.Errorf("an environment that was ready:\n%s", tail)
	}
	f.awaitAhead(t, keyOf(r, &v)) // another one
	if _, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{FunctionName: "app", Timeout: ptr(int32(9))}); err != nil {
		t.Fatal(err)
	}
	f.snapshotter.mu.Lock()
	defer f.snapshotter.mu.Unlock()
	if n := len(f.snapshotter.shelves); n != 0 {
		t.Errorf("%d versions have environments ahead of need after a change", n)
	}
}

// awaitAhead returns when an environment of a version has been initialised ahead of need.
func (f *fixture) awaitAhead(t testing.TB, k poolKey) {
	t.Helper()
	for {
		news := f.snapshotter.news.next()
		f.snapshotter.mu.Lock()
		h := f.snapshotter.shelves[k]
		ready := h != nil && len(h.ready) > 0
		f.snapshotter.mu.Unlock()
		if ready {
			return
		}
		select {
		case <-news:
		case <-t.Context().Done():
			t.Fatal("no environment was initialised ahead of need")
		}
	}
}

func TestUnusedImagesAreSwept(t *testing.T) {
	image := imagetest.Image{Layers: [][]byte{imagetest.Layer(t, imagetest.Entry{Name: "a"})}}
	f := imageFixture(t, bucket{"used": image.Saved(t), "unused": (&imagetest.Image{}).Saved(t)})
	now, dir := clock.NewFake(imagetest.Modified()), t.TempDir()
	store := imageStore(t, dir, now)
	f.restart(t, func(d *service.Deps, o *Options) { d.Clock, o.Images = now, store })
	used := orZero(f.createImage(t, "used", "s3://images/used", nil).CodeSha256)
	unused := orZero(f.createImage(t, "unused", "s3://images/unused", nil).CodeSha256)
	if _, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "used"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "unused"}); err != nil {
		t.Fatal(err)
	}
	if f.sweepImages(t.Context()); !exists(filepath.Join(dir, "images", unused)) {
		t.Error("an image was removed as soon as nothing used it")
	}
	now.Advance(images.SweepAfter)
	imagetest.Wait(t, filepath.Join(dir, "images"), func() bool { return !exists(filepath.Join(dir, "images", unused)) })
	if _, err := store.Image(used); err != nil {
		t.Error(err)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
