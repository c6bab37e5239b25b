package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/server"
)

// toolLog is the file, in the folder that a tool runs in, with a line for each of its runs.
const toolLog = "runs.txt"

// maybeTool is this program run by the name of a tool: it writes down what it was asked for, and deploys a template as the tools do.
func maybeTool() {
	name := filepath.Base(os.Args[0])
	if name != "cdk" && name != "osls" {
		return
	}
	log, err := os.OpenFile(toolLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		os.Exit(90)
	}
	_, _ = log.WriteString(strings.Join(append([]string{name}, os.Args[1:]...), " ") + "\n")
	_ = log.Close()
	stack := map[string]string{"bootstrap": "CDKToolkit", "deploy": "Shop", "watch": "Shop"}[os.Args[1]]
	if stack == "" || os.Getenv("AWS_PROFILE") != "" {
		os.Exit(7)
	}
	os.Exit(Run(context.Background(), Process{
		Args: []string{"deploy", "made.json", "--stack", stack, "--endpoint", os.Getenv("AWS_ENDPOINT_URL")}, Environ: os.Environ(), Stdin: strings.NewReader(""),
		Clock: clock.System{}, Term: &term.Terminal{Out: io.Discard, Err: os.Stderr, Width: 80}, Types: server.ResourceTypes,
	}))
}

const madeByTool = `{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"Url": {"Value": "https://abc.execute-api.us-east-1.amazonaws.com/x"}}}`

// toolProject makes a folder with the settings of a tool, whose program is this one.
func toolProject(t *testing.T, settings, program string) (dir string) {
	t.Helper()
	root := t.TempDir()
	dir = filepath.Join(root, "app")
	write(t, filepath.Join(dir, settings), "{}")
	write(t, filepath.Join(dir, "made.json"), madeByTool)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(root, "node_modules", ".bin") // of a folder above, as workspaces have it
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, program)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// upElsewhere starts a platform in an empty folder, which is the working folder then.
func upElsewhere(t *testing.T) (url string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	url, _ = up(t, dir)
	return url
}

func runsOf(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, toolLog))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(dir, toolLog))
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

func TestCDKProjectsAreDeployedByTheirOwnTool(t *testing.T) {
	dir, url := toolProject(t, "cdk.json", "cdk"), upElsewhere(t)
	environ := append(os.Environ(), "AWS_PROFILE=production")

	code, out, talk := run(t, environ, "deploy", dir, "-p", "B=2", "-p", "A=1")
	if code != 0 || !strings.Contains(out, url+"/_aws/execute-api/abc/x") || !strings.Contains(talk, "stack Shop") || strings.Contains(talk, "stack CDKToolkit") {
		t.Fatalf("deploy = %d\n%s\n%s", code, out, talk)
	}
	want := []string{"cdk bootstrap", "cdk deploy --require-approval never --parameters A=1 --parameters B=2 --all"}
	if got := runsOf(t, dir); !slices.Equal(got, want) {
		t.Errorf("the tool ran as %q, want %q", got, want)
	}

	// The account is bootstrapped now, and nothing changes.
	code, out, talk = run(t, environ, "deploy", filepath.Join(dir, "cdk.json"), "--stack", "Shop")
	if code != 0 || out != "" {
		t.Errorf("the second deploy = %d\n%s\n%s", code, out, talk)
	}
	if got := runsOf(t, dir); !slices.Equal(got, []string{"cdk deploy --require-approval never Shop"}) {
		t.Errorf("the tool ran as %q", got)
	}

	// A tool that fails is an error that names it.
	code, _, talk = run(t, environ, "plan", dir)
	if got := runsOf(t, dir); code != ExitFailed || !strings.Contains(talk, "cdk diff ended with the exit code 7") || !slices.Equal(got, []string{"cdk diff"}) {
		t.Errorf("plan = %d %q\n%s", code, got, talk)
	}
}

func TestServerlessProjectsAreDeployedByTheirOwnTool(t *testing.T) {
	dir := toolProject(t, "serverless.yml", "osls")
	upElsewhere(t)
	code, out, talk := run(t, os.Environ(), "deploy", dir, "--stage", "qa", "-p", "A=1")
	if code != 0 || !strings.Contains(out, "execute-api/abc/x") {
		t.Errorf("deploy = %d\n%s\n%s", code, out, talk)
	}
	if got := runsOf(t, dir); !slices.Equal(got, []string{"osls deploy --stage qa --param A=1"}) {
		t.Errorf("the tool ran as %q", got)
	}
}

func TestDataFolderInAServiceIsNamedUntilItIsLeftOut(t *testing.T) {
	dir := toolProject(t, "serverless.yml", "osls")
	upElsewhere(t)
	const warning = "package.patterns in serverless.yml leaves it out: add '!.lambent/**'"
	deploys := func(want bool) {
		t.Helper()
		if code, _, talk := run(t, os.Environ(), "deploy", dir); code != 0 || strings.Contains(talk, warning) != want {
			t.Errorf("deploy = %d, want the warning: %v\n%s", code, want, talk)
		}
	}
	deploys(false)
	write(t, filepath.Join(dir, ".lambent", "running.json"), "{}")
	deploys(true)
	write(t, filepath.Join(dir, "serverless.yml"), "package: {patterns: ['!.lambent/**']}")
	deploys(false)
}

func TestDataFolderInAnAssetOfTheCDKIsNamed(t *testing.T) {
	dir := toolProject(t, "cdk.json", "cdk")
	upElsewhere(t)
	const warning = "is part of the asset asset.1f. Add exclude: ['.lambent'] to the asset"
	deploys := func(want bool) {
		t.Helper()
		if code, _, talk := run(t, os.Environ(), "deploy", dir); code != 0 || strings.Contains(talk, warning) != want {
			t.Errorf("deploy = %d, want the warning: %v\n%s", code, want, talk)
		}
	}
	write(t, filepath.Join(dir, "cdk.out", "asset.1f", "index.js"), "")
	deploys(false)
	write(t, filepath.Join(dir, "cdk.out", "asset.1f", ".lambent", "running.json"), "{}")
	deploys(true)
}

func TestStubsAreAskedForInATemplatesOwnDeploy(t *testing.T) {
	dir, url := t.TempDir(), upElsewhere(t)
	write(t, filepath.Join(dir, "template.yaml"), "Resources: {Cache: {Type: AWS::CloudFront::CachePolicy}, Broker: {Type: AWS::AmazonMQ::Broker}}")
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"deploy"}, ExitFailed, "Unrecognized resource types: [AWS::AmazonMQ::Broker, AWS::CloudFront::CachePolicy]"},
		{[]string{"plan", "--stub-unknown"}, 0, "Lambent::Stub::AWS::AmazonMQ::Broker"},
		{[]string{"deploy", "--stub-unknown"}, 0, "this is a stub, and does nothing: Lambent does not have the type AWS::AmazonMQ::Broker"},
		{[]string{"deploy"}, 0, "unchanged"},
		{[]string{"deploy", "--stub-unknown=false"}, ExitFailed, "Unrecognized resource types"},
	} {
		code, out, talk := run(t, os.Environ(), append(step.args, dir, "--stack", "s", "--endpoint", url)...)
		if code != step.code || !strings.Contains(out+talk, step.want) {
			t.Errorf("%q = %d, want %d and %q\n%s\n%s", step.args, code, step.code, step.want, out, talk)
		}
	}
}

func TestUpAndDevRunTheTool(t *testing.T) {
	dir := toolProject(t, "cdk.json", "cdk")
	t.Chdir(dir)
	said, stop := dev(t, dir)
	said("running cdk watch **")
	if code := stop(); code != 0 {
		t.Errorf("dev ended with %d", code)
	}

	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, Process{
			Args: []string{"up", "--ephemeral", "--listen", "127.0.0.1:0", dir}, Environ: os.Environ(), Stdin: strings.NewReader(""), Clock: clock.System{},
			Term: &term.Terminal{Out: io.Discard, Err: writer, Width: 80}, Start: start,
		})
		writer.Close()
	}()
	heard := listen(t, reader)
	heard("stack Shop")
	heard("Ctrl-C stops it")
	cancel()
	_, _ = io.Copy(io.Discard, reader)
	if code := <-code; code != 0 {
		t.Errorf("up ended with %d", code)
	}
}

func TestWhatAFolderHolds(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files []string
		args  []string
		want  string // part of the error
	}{
		{"nothing", nil, []string{"deploy"}, "there is no template.yaml, cdk.json or serverless.yml in"},
		{"copilot", []string{"copilot/.workspace"}, []string{"deploy"}, "as copilot, which Lambent cannot deploy yet; describe it in a template.yaml"},
		{"Procfile", []string{"Procfile"}, []string{"plan"}, "as Procfile"},
		{"Dockerfile", []string{"Dockerfile"}, []string{"dev"}, "as Dockerfile"},
		{"no folder", nil, []string{"up", "missing"}, "find the application"},
		{"stage of CDK", []string{"cdk.json"}, []string{"plan", "--stage", "qa"}, "--stage has no meaning"},
		{"JSON of CDK", []string{"cdk.json"}, []string{"plan", "--json"}, "--json has no meaning"},
		{"parameters of cdk watch", []string{"cdk.json"}, []string{"dev", "-p", "A=1"}, "cdk watch takes no parameters"},
		{"debugger of CDK", []string{"cdk.json"}, []string{"dev", "--debug", "F"}, "lambent invoke FUNCTION --debug"},
		{"plan of Serverless", []string{"serverless.ts"}, []string{"plan"}, "does not plan; write its template with"},
		{"dev of Serverless", []string{"serverless.yml"}, []string{"dev"}, "osls deploy function"},
		{"export of CDK", []string{"cdk.json"}, []string{"export"}, "npx cdk synth"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			for _, name := range tc.files {
				write(t, filepath.Join(dir, name), "{}")
			}
			if code, _, talk := run(t, nil, tc.args...); code != ExitUsage || !strings.Contains(talk, tc.want) {
				t.Errorf("lambent %q = %d %s, want %q", tc.args, code, talk, tc.want)
			}
		})
	}
}

func TestMissingToolSaysWhatToInstall(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("PATH", "")
	write(t, filepath.Join(dir, "cdk.json"), "{}")
	code, _, talk := run(t, nil, "dev")
	if code != ExitFailed || !strings.Contains(talk, "npm install --save-dev aws-cdk") {
		t.Errorf("dev = %d %s", code, talk)
	}
}

func TestTemplatesCountBeforeTools(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"template.yml", "cdk.json", "serverless.yml", "Dockerfile"} {
		write(t, filepath.Join(dir, name), "{}")
	}
	for path, want := range map[string]string{dir: "", filepath.Join(dir, "cdk.json"): "the CDK CLI", filepath.Join(dir, "serverless.yml"): "the Serverless Framework"} {
		p, err := detect(path)
		title := ""
		if p.tool != nil {
			title = p.tool.title
		}
		if err != nil || title != want || p.dir != dir {
			t.Errorf("detect(%s) = %+v, %v, want the tool %q", path, p, err, want)
		}
	}
}
