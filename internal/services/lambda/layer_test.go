package lambda

import (
	"io"
	"net/http"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/service"
)

// layer publishes a layer of files and returns the ARN of the version.
func (f *fixture) layer(t testing.TB, name string, files map[string]string) string {
	t.Helper()
	out, err := f.publishLayerVersion(f.ctx, &api.PublishLayerVersionInput{LayerName: name, Content: &api.LayerVersionContentInput{ZipFile: zipOf(t, files)}})
	if err != nil {
		t.Fatal(err)
	}
	return orZero(out.LayerVersionArn)
}

func TestLaterLayerWinsAndOutlivesItsDeletion(t *testing.T) {
	f := newFixture(t, nil)
	a := f.layer(t, "a", map[string]string{"python/who.py": "name = 'a'\n", "python/only_a.py": "x = 'from a'\n", "shared/deep/a.txt": "a"})
	b := f.layer(t, "b", map[string]string{"python/who.py": "name = 'b'\n", "shared/deep/b.txt": "b"})
	f.python(t, "f", "import os, who, only_a\ndef handler(e, c): return [who.name, only_a.x, sorted(os.listdir('/opt/shared/deep'))]\n", func(in *api.CreateFunctionInput) {
		in.Layers = []string{a, b}
	})
	const want = `["b", "from a", ["a.txt", "b.txt"]]`
	if got := f.call(t, "f", `{}`); string(got.Payload) != want {
		t.Fatalf("answer %s", got.Payload)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := f.deleteLayerVersion(f.ctx, &api.DeleteLayerVersionInput{LayerName: name, VersionNumber: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.getLayerVersionByArn(f.ctx, &api.GetLayerVersionByArnInput{Arn: a}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("the deleted version: %v", err)
	}
	// The unpacked folders are gone as well: the function's own use of the zip files must bring them back.
	f.pools.retire(ref{scope: scopeOf(f.ctx), name: "f"}, "")
	_, _, v, err := f.find(f.ctx, "f", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range v.folders() {
		if err := f.o.Code.Remove(h); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.call(t, "f", `{}`); string(got.Payload) != want {
		t.Errorf("answer after the deletion %s", got.Payload)
	}
	if next := f.layer(t, "a", map[string]string{"x": ""}); !strings.HasSuffix(next, ":layer:a:2") {
		t.Errorf("the number of a deleted version was given again: %s", next)
	}
}

func TestZipFilesLiveAsLongAsSomethingUsesThem(t *testing.T) {
	f := newFixture(t, nil)
	arn := f.layer(t, "l", map[string]string{"x": "layer"})
	f.create(t, "f", "provided.al2023", "x", map[string]string{"bootstrap": "1"}, func(in *api.CreateFunctionInput) { in.Layers = []string{arn} })
	if _, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	_, _, v, err := f.find(f.ctx, "f", nil)
	if err != nil {
		t.Fatal(err)
	}
	code, layer := v.Code.Blob, v.Layers[0].Content.Blob
	check := func(when string, id blob.ID, want bool) {
		t.Helper()
		live, err := f.holdsBody(f.ctx, id)
		if err != nil || live != want {
			t.Errorf("%s: live %v, want %v (%v)", when, live, want, err)
		}
		b, err := f.deps.Blobs.Open(f.ctx, id, blob.Whole())
		if (err == nil) != want {
			t.Errorf("%s: open: %v", when, err)
		}
		if err == nil {
			_ = b.Close()
		}
	}
	if _, err := f.updateFunctionCode(f.ctx, &api.UpdateFunctionCodeInput{FunctionName: "f", ZipFile: zipOf(t, map[string]string{"bootstrap": "2"})}); err != nil {
		t.Fatal(err)
	}
	check("code of the published version", code, true)
	if _, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{FunctionName: "f", Layers: []string{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.deleteLayerVersion(f.ctx, &api.DeleteLayerVersionInput{LayerName: "l", VersionNumber: 1}); err != nil {
		t.Fatal(err)
	}
	check("layer of the published version", layer, true)
	if _, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "f", Qualifier: ptr("1")}); err != nil {
		t.Fatal(err)
	}
	check("code after the version", code, false)
	check("layer after the version", layer, false)
}

func TestLayersNeedTheRightToThem(t *testing.T) {
	f := newFixture(t, nil)
	arn := f.layer(t, "l", map[string]string{"x": ""})
	denied := service.WithRequest(t.Context(), &service.Request{Account: "000000000000", Region: "us-east-1", Principal: service.Principal{Kind: service.User, ARN: "arn:aws:iam::000000000000:user/nobody"}})
	if _, err := f.findLayers(denied, ref{scope: scopeOf(denied), name: "f"}, []string{arn}); service.Code(err) != "AccessDeniedException" {
		t.Errorf("a layer without the right to it: %v", err)
	}
}

func TestCodeTooLargeWithItsLayersIsRefused(t *testing.T) {
	v := version{Code: archive{Unzipped: 200 << 20}, Layers: []layerUse{{Content: archive{Unzipped: 51 << 20}}}}
	if err := v.checkSize(); service.Code(err) != "InvalidParameterValueException" || !strings.Contains(err.Error(), "262144000") {
		t.Errorf("251 MiB: %v", err)
	}
	v.Layers[0].Content.Unzipped = 50 << 20
	if err := v.checkSize(); err != nil {
		t.Errorf("250 MiB: %v", err)
	}
}

func TestCodeIsDownloadedByItsAddressOnly(t *testing.T) {
	f := newFixture(t, nil)
	f.create(t, "f", "provided.al2023", "x", map[string]string{"bootstrap": "1"}, nil)
	out, err := f.getFunction(f.ctx, &api.GetFunctionInput{FunctionName: "f"})
	if err != nil {
		t.Fatal(err)
	}
	at, host := strings.TrimPrefix(orZero(out.Code.Location), f.deps.BaseURL), f.listen(t)
	get := func(target string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		return got.StatusCode, string(body)
	}
	if status, body := get(at); status != http.StatusOK || int64(len(body)) != orZero(out.Configuration.CodeSize) {
		t.Errorf("status %d, %d bytes", status, len(body))
	}
	for _, bad := range []string{at + "x", strings.Replace(at, "/1", "/2", 1), "/_aws/lambda-code/x"} {
		if status, _ := get(bad); status == http.StatusOK {
			t.Errorf("%s was served", bad)
		}
	}
}

func TestWeightedAliasSendsItsShare(t *testing.T) {
	f := newFixture(t, nil)
	f.create(t, "f", "provided.al2023", "x", map[string]string{"bootstrap": "1"}, nil)
	for _, code := range []string{"2", "3"} {
		if _, err := f.updateFunctionCode(f.ctx, &api.UpdateFunctionCodeInput{FunctionName: "f", ZipFile: zipOf(t, map[string]string{"bootstrap": code}), Publish: ptr(true)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.createAlias(f.ctx, &api.CreateAliasInput{
		FunctionName: "f", Name: "live", FunctionVersion: "1", RoutingConfig: &api.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.25}},
	}); err != nil {
		t.Fatal(err)
	}
	const calls = 4000
	seen := map[string]int{}
	for range calls {
		c := &call{ref: ref{scope: scopeOf(f.ctx), name: "f", qualifier: "live"}}
		if err := f.load(f.ctx, c); err != nil {
			t.Fatal(err)
		}
		seen[c.version.Number]++
	}
	if n := seen["2"]; seen["1"]+n != calls || n < calls/5 || n > calls*3/10 {
		t.Errorf("a quarter of %d calls should go to version 2: %v", calls, seen)
	}
	if _, err := f.updateAlias(f.ctx, &api.UpdateAliasInput{FunctionName: "f", Name: "live", RoutingConfig: &api.AliasRoutingConfiguration{}}); err != nil {
		t.Fatal(err)
	}
	c := &call{ref: ref{scope: scopeOf(f.ctx), name: "f", qualifier: "live"}}
	for range 100 {
		if err := f.load(f.ctx, c); err != nil || c.version.Number != "1" {
			t.Fatalf("version %s after the routing was taken away (%v)", c.version.Number, err)
		}
	}
}
