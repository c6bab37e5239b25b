package lambda

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/lambda"
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

// goProgram builds a function of aws-lambda-go without libraries of the machine.
func goProgram(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = "../../runtimes/testdata/lambdago"
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// imageFixture is a fixture that has images in the bucket "images".
func imageFixture(t testing.TB, objects bucket) (*fixture, *images.Store) {
	t.Helper()
	s, err := images.Open(images.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	f := newFixture(t, func(o *Options) { o.Images, o.Objects = s, objects })
	if !f.host.Report().Isolated() {
		t.Skip(f.host.Report().Layer("namespaces").Detail)
	}
	return f, s
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
	f, _ := imageFixture(t, bucket{"app.tar": image.Saved(t), "other.tar": (&imagetest.Image{Layers: image.Layers}).Archive(t)})
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
	f, _ := imageFixture(t, bucket{"text": []byte("no image")})
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

func TestUnusedImagesAreSwept(t *testing.T) {
	image := imagetest.Image{Layers: [][]byte{imagetest.Layer(t, imagetest.Entry{Name: "a"})}}
	f, store := imageFixture(t, bucket{"used": image.Saved(t), "unused": (&imagetest.Image{}).Saved(t)})
	used := orZero(f.createImage(t, "used", "s3://images/used", nil).CodeSha256)
	unused := orZero(f.createImage(t, "unused", "s3://images/unused", nil).CodeSha256)
	if _, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "used"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "unused"}); err != nil {
		t.Fatal(err)
	}
	if err := f.sweepCode(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Image(used); err != nil {
		t.Error(err)
	}
	if _, err := store.Image(unused); err == nil {
		t.Error("an image that nothing uses is still there")
	}
}
