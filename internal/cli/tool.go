package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/deploy"
)

// tool deploys projects of its own form. Lambent runs it as it is, with the environment of `lambent exec`.
type tool struct {
	// title is what people call it, files are the names of its settings.
	title string
	files []string
	// programs are the names of its program, of which the first that is found counts. install is the command that installs it.
	programs []string
	install  string
	// template tells how to get the template that it would deploy.
	template string
	// deploy, plan and dev return the arguments of a run. They refuse what the tool has nothing for.
	deploy, plan, dev func(d *deployment) ([]string, error)
	// prepare, when set, returns the arguments of a run that has to come before the first deploy; none when it was done.
	prepare func(ctx context.Context, cl *client.Client, p project) ([]string, error)
	// caution returns what people should know of a project, before a deploy or after it; "" is nothing.
	caution func(p project) string
}

// toolGrace is how long a tool may take to end at Ctrl-C.
const toolGrace = 10 * time.Second

func tools() []tool { return []tool{cdkTool(), serverlessTool()} }

func cdkTool() tool {
	return tool{
		title: "the CDK CLI", files: []string{"cdk.json"}, programs: []string{"cdk"}, install: "npm install --save-dev aws-cdk",
		template: "write it with: lambent exec -- npx cdk synth, and name a file cdk.out/STACK.template.json",
		deploy: func(d *deployment) ([]string, error) {
			return cdkArguments(d, []string{"deploy", "--require-approval", "never"}, "--all")
		},
		plan: func(d *deployment) ([]string, error) { return cdkArguments(d, []string{"diff"}, "") },
		dev: func(d *deployment) ([]string, error) {
			if len(d.parameters) > 0 {
				return nil, errors.New("cdk watch takes no parameters; leave out -p, or use: lambent up")
			}
			return cdkArguments(d, []string{"watch"}, "**")
		},
		prepare: bootstrap,
		caution: dataInAssets,
	}
}

// cdkArguments adds a stack, or the word for all of them, and the parameters.
func cdkArguments(d *deployment, args []string, all string) ([]string, error) {
	if d.stage != "" {
		return nil, errors.New("a CDK application names its stages itself, so --stage has no meaning for it; deploy the stacks of one with --stack")
	}
	for _, name := range slices.Sorted(maps.Keys(d.parameters)) {
		args = append(args, "--parameters", name+"="+d.parameters[name])
	}
	if d.stubs != "" {
		return nil, fmt.Errorf("--stub-unknown is for applications with a template; a stack of the CDK has stubs when it has the tag %s: Tags.of(stack).add('%[1]s', 'true')", deploy.StubTag)
	}
	if d.stack != "" {
		all = d.stack
	}
	if all != "" {
		args = append(args, all)
	}
	return args, nil
}

// bootstrap tells whether the account lacks the stack that the CDK publishes assets with. It is bootstrapped then for every region of the application.
func bootstrap(ctx context.Context, cl *client.Client, p project) ([]string, error) {
	text, err := os.ReadFile(p.file)
	if err != nil {
		return nil, err
	}
	settings := struct {
		Stack string `json:"toolkitStackName"`
	}{"CDKToolkit"}
	if err := json.Unmarshal(text, &settings); err != nil {
		return nil, fmt.Errorf("read %s: %w", p.file, err)
	}
	_, err = cl.Stacks(ctx, settings.Stack)
	if client.Missing(err) {
		return []string{"bootstrap"}, nil
	}
	return nil, err
}

func serverlessTool() tool {
	return tool{
		title: "the Serverless Framework", files: []string{"serverless.yml", "serverless.yaml", "serverless.json", "serverless.js", "serverless.cjs", "serverless.mjs", "serverless.ts"},
		programs: []string{"osls", "serverless", "sls"}, install: "npm install --save-dev osls",
		template: "write it with: lambent exec -- npx osls package, and name the file .serverless/cloudformation-template-update-stack.json",
		deploy: func(d *deployment) ([]string, error) {
			if d.stack != "" {
				return nil, errors.New("a Serverless Framework service names its stack itself, so --stack has no meaning for it; set provider.stackName, or use --stage")
			}
			if d.stubs != "" {
				return nil, fmt.Errorf("--stub-unknown is for applications with a template; a service has stubs when provider.stackTags in its serverless.yml has %s: 'true'", deploy.StubTag)
			}
			args := []string{"deploy"}
			if d.stage != "" {
				args = append(args, "--stage", d.stage)
			}
			for _, name := range slices.Sorted(maps.Keys(d.parameters)) {
				args = append(args, "--param", name+"="+d.parameters[name])
			}
			return args, nil
		},
		plan: func(*deployment) ([]string, error) {
			return nil, errors.New("the Serverless Framework does not plan; write its template with: lambent exec -- npx osls package, and then: " +
				"lambent plan .serverless/cloudformation-template-update-stack.json --stack SERVICE-STAGE")
		},
		caution: dataInPackages,
		dev: func(*deployment) ([]string, error) {
			return nil, errors.New("the Serverless Framework does not follow sources; use: lambent up, and after a change: lambent exec -- npx osls deploy function -f FUNCTION")
		},
	}
}

// dataInAssets warns of assets of the CDK that hold a data folder. The CDK copies the folder of an asset, folders with a dot too, into its output, where this is seen.
func dataInAssets(p project) string {
	settings := struct {
		Output string `json:"output"`
	}{"cdk.out"}
	text, err := os.ReadFile(p.file)
	if err != nil || json.Unmarshal(text, &settings) != nil {
		return ""
	}
	folder, err := filepath.Abs(p.dir)
	if err != nil {
		return ""
	}
	for _, below := range []string{dataFolder, filepath.Join(filepath.Base(folder), dataFolder)} {
		if found, _ := filepath.Glob(filepath.Join(p.dir, settings.Output, "asset.*", below)); len(found) > 0 {
			return fmt.Sprintf("%s, which holds data and keys, is part of the asset %s. Add exclude: ['%s'] to the asset in the application, and remove the folder %s",
				dataFolder, filepath.Base(strings.TrimSuffix(found[0], below)), below, settings.Output)
		}
	}
	return ""
}

// dataInPackages warns of a data folder in a service, because the Serverless Framework packs everything in its folder, folders with a dot too, unless patterns leave it out.
func dataInPackages(p project) string {
	text, err := os.ReadFile(p.file)
	if err != nil || !isThere(filepath.Join(p.dir, dataFolder)) || strings.Contains(string(text), dataFolder) {
		return ""
	}
	return fmt.Sprintf("%s, which holds data and keys, is packed with the functions unless package.patterns in %s leaves it out: add '!%[1]s/**'", dataFolder, filepath.Base(p.file))
}

// program finds the tool's program for a project: in node_modules of its folder or of one above, then in PATH.
func (t *tool) program(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		for _, name := range t.programs {
			if path, err := exec.LookPath(filepath.Join(at, "node_modules", ".bin", name)); err == nil {
				return path, nil
			}
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	for _, name := range t.programs {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s deploys the application in %s, and is neither in its node_modules nor in PATH; install it there with: %s", t.title, dir, t.install)
}

// runTool runs a project's tool against cl's Lambent, and shows what it says.
func (a *app) runTool(ctx context.Context, cl *client.Client, p project, args []string) error {
	path, err := p.tool.program(p.dir)
	if err != nil {
		return err
	}
	what := strings.Join(append([]string{filepath.Base(path)}, args...), " ")
	a.Term.Say("running %s", what)
	child := exec.CommandContext(ctx, path, args...)
	child.Dir, child.Env = p.dir, a.childEnviron(cl)
	child.Stdin, child.Stdout, child.Stderr = a.Stdin, a.Term.Out, a.Term.Err
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	child.WaitDelay = toolGrace
	err = child.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return fmt.Errorf("%s ended with the exit code %d; what it says of that is above", what, ended.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", what, err)
	}
	return nil
}

// prepareTool readies the account for a project's tool, where that is needed.
func (a *app) prepareTool(ctx context.Context, cl *client.Client, p project) error {
	if p.tool.prepare == nil {
		return nil
	}
	args, err := p.tool.prepare(ctx, cl, p)
	if err != nil || args == nil {
		return err
	}
	return a.runTool(ctx, cl, p, args)
}

// deployWithTool deploys a project with its tool, and shows the outputs of the stacks that changed.
func (a *app) deployWithTool(ctx context.Context, cl *client.Client, d *deployment) error {
	if a.json {
		return usage{fmt.Errorf("%s has output of its own, so --json has no meaning here; read a stack with: lambent outputs STACK --json", d.project.tool.title)}
	}
	args, err := d.project.tool.deploy(d)
	if err != nil {
		return usage{err}
	}
	if err := a.prepareTool(ctx, cl, d.project); err != nil {
		return err
	}
	warned := a.cautionOf(d.project)
	before, err := cl.Stacks(ctx, "")
	if err != nil {
		return err
	}
	if err := a.runTool(ctx, cl, d.project, args); err != nil {
		return err
	}
	if !warned {
		a.cautionOf(d.project)
	}
	after, err := cl.Stacks(ctx, "")
	if err != nil {
		return err
	}
	for _, s := range after {
		same := func(o client.Stack) bool { return o.ID == s.ID && o.Updated == s.Updated }
		if s.Parent != "" || len(s.Outputs) == 0 || slices.ContainsFunc(before, same) {
			continue
		}
		a.Term.Say("stack %s", s.Name)
		if err := a.showStack(cl.Endpoint, &s); err != nil {
			return err
		}
	}
	return nil
}

// cautionOf says what people should know of a project, and tells whether there is anything.
func (a *app) cautionOf(p project) bool {
	said := p.tool.caution(p)
	if said != "" {
		a.Term.Say("%s %s", a.Term.Paint(term.Yellow, "warning:"), said)
	}
	return said != ""
}

// planWithTool shows what a project's tool says would change.
func (a *app) planWithTool(ctx context.Context, d *deployment) error {
	if a.json {
		return usage{fmt.Errorf("%s has output of its own, so --json has no meaning here", d.project.tool.title)}
	}
	args, err := d.project.tool.plan(d)
	if err != nil {
		return usage{err}
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	return a.runTool(ctx, cl, d.project, args)
}

// devWithTool starts a platform for a project whose tool follows the sources. What the tool refuses, and a tool that is missing, are told before that.
func (a *app) devWithTool(ctx context.Context, cfg config.Config, d deployment, debug string) error {
	t := d.project.tool
	if debug != "" {
		return usage{fmt.Errorf("--debug is for applications with a template; the functions that %s deploys are debugged with: lambent invoke FUNCTION --debug", t.title)}
	}
	if _, err := t.dev(&d); err != nil {
		return usage{err}
	}
	if _, err := t.program(d.project.dir); err != nil {
		return err
	}
	return a.up(ctx, cfg, d, true, a.serveTool)
}

// serveTool runs what follows a project's sources, until that or the platform ends.
func (a *app) serveTool(ctx context.Context, where *running, d deployment, _ time.Time) error {
	cl, err := a.clientOf(where)
	if err != nil {
		return err
	}
	args, err := d.project.tool.dev(&d)
	if err != nil {
		return usage{err}
	}
	if err = a.prepareTool(ctx, cl, d.project); err == nil {
		err = a.runTool(ctx, cl, d.project, args)
	}
	return unlessStopped(ctx, err)
}
