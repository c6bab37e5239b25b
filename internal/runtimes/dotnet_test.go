package runtimes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/sandbox"
)

// fakeDotnet stands in for the program dotnet: it lists runtimes as that does, and answers events with its own arguments, over the Runtime API. The machines of the
// tests have no .NET, so that what AWS's library and .NET themselves do is not tested.
const fakeDotnet = `#!/bin/sh
if [ "$1" = --list-runtimes ]; then
  echo "Microsoft.AspNetCore.App 8.0.11 [%[1]s/shared/Microsoft.AspNetCore.App]"
  echo "Microsoft.NETCore.App 8.0.11 [%[1]s/shared/Microsoft.NETCore.App]"
  echo "Microsoft.NETCore.App 10.0.0-rc.1.25451.107 [%[1]s/shared/Microsoft.NETCore.App]"
  exit
fi
base="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  curl -sS -D /tmp/head -o /dev/null "$base/next"
  id=$(grep -i lambda-runtime-aws-request-id /tmp/head | tr -d '[:space:]' | cut -d: -f2)
  curl -sS -o /dev/null "$base/$id/response" -d "$* $DOTNET_ROOT $DOTNET_ROLL_FORWARD $DOTNET_GCHeapHardLimit $AWS_EXECUTION_ENV"
done
`

// dotnetBench is a bench with the stand-in.
func dotnetBench(t *testing.T, strict bool) (b *bench, root string) {
	t.Helper()
	b = newBench(t, sandbox.Options{})
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(here, "/tmp/") {
		here = "/var/tmp" // what is below /tmp is hidden in a sandbox
	}
	root, err = os.MkdirTemp(here, "dotnet-") //nolint:usetesting // as above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "dotnet"), []byte(strings.ReplaceAll(fakeDotnet, "%[1]s", root)), 0o755); err != nil {
		t.Fatal(err)
	}
	if b.catalog, err = NewCatalog(Options{Dir: t.TempDir(), Path: []string{root}, Strict: strict}); err != nil {
		t.Fatal(err)
	}
	return b, root
}

func TestDotnetFunctionsAreStartedAsByItsBootstrap(t *testing.T) {
	b, root := dotnetBench(t, false)
	const heap = "0x6000000"
	for _, tc := range []struct {
		id, handler string
		files       []string
		want        string
	}{
		{"dotnet8", "App", []string{"App.dll"}, "exec /var/task/App.dll %s  " + heap + " AWS_Lambda_dotnet8"},
		{"dotnet10", "App", []string{"App.dll"}, "exec /var/task/App.dll %s  " + heap + " AWS_Lambda_dotnet10"},
		{"dotnet6", "App", []string{"App.dll"}, "exec /var/task/App.dll %s Major " + heap + " AWS_Lambda_dotnet6"},
		{
			"dotnet8", "Lib::Lib.Function::Run",
			[]string{"Lib.deps.json", "Lib.runtimeconfig.json", runtimeSupport},
			"exec --depsfile /var/task/Lib.deps.json --runtimeconfig /var/task/Lib.runtimeconfig.json /var/task/" + runtimeSupport + " Lib::Lib.Function::Run %s  " + heap + " AWS_Lambda_dotnet8",
		},
		{"dotnet8", "Missing", nil, "there is no Missing.dll"},
		{"dotnet8", "Lib::Lib.Function::Run", []string{"Lib.deps.json"}, "there is no Lib.runtimeconfig.json"},
		{"dotnet8", "Lib::Lib.Function::Run", []string{"Lib.deps.json", "Lib.runtimeconfig.json"}, "lambent runtime add dotnet8 public.ecr.aws/lambda/dotnet:8"},
	} {
		t.Run(fmt.Sprint(tc.id, tc.handler, len(tc.files)), func(t *testing.T) {
			files := map[string]string{}
			for _, name := range tc.files {
				files[name] = "x"
			}
			s, out := b.spec(t, tc.id, tc.handler, files)
			s.Limits.MemoryMB = 128
			e := b.begin(t, &s)
			answer, err := e.Invoke(t.Context(), event("1", `{}`))
			if !strings.HasPrefix(tc.want, "exec") {
				var failed *rapi.InitError
				if !errors.As(err, &failed) || failed.Type != "Runtime.ImportModuleError" || !strings.Contains(string(failed.Body), tc.want) {
					t.Errorf("answer %s, %v", answer.Body, err)
				}
				return
			}
			if want := fmt.Sprintf(tc.want, root); err != nil || string(answer.Body) != want {
				t.Errorf("%v\n%s\nwant\n%s\n%s", err, answer.Body, want, out)
			}
		})
	}
}

func TestStrictCatalogWantsTheVeryDotnet(t *testing.T) {
	b, _ := dotnetBench(t, true)
	for id, version := range map[string]string{"dotnet8": "8.0.11", "dotnet10": "10.0.0"} {
		if r, err := b.catalog.Lookup(t.Context(), id); err != nil || r.Version != version || r.Warning != "" {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
	}
	if _, err := b.catalog.Lookup(t.Context(), "dotnet6"); err == nil || !strings.Contains(err.Error(), "dotnet-runtime-6.0") {
		t.Errorf("dotnet6: %v", err)
	}
}
