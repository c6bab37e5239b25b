package cli

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/pack"
	"lambent.dev/lambent/internal/deploy/template"
)

// inlineTemplate is the largest template that CloudFormation takes in a request, in bytes.
const inlineTemplate = 51_200

// deployment is one deploy of an application to a running Lambent.
type deployment struct {
	// dir is what was named. The stack of a project that a tool deploys is empty unless it was named.
	dir, stack, stage string
	project           project
	missing           error // why there is no project
	cacheDir          string
	parameters        map[string]string
	debug             bool // build programs for a debugger
	stubs             stubsFlag
	// packed, when set, is told what was deployed.
	packed func(*pack.Application)
}

func (a *app) deployCommand() *cobra.Command {
	var d deployment
	var parameters []string
	c := &cobra.Command{
		Use: "deploy [DIR]", Short: "Deploy an application to the running Lambent",
		Long: "Deploy builds the functions of the SAM or CloudFormation application in DIR (the working folder by default), deploys its\ntemplate, and copies its web folders. " +
			"A folder with cdk.json or serverless.yml is deployed by the project's own CDK CLI or\nServerless Framework.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := d.begin(args, parameters); err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			if d.project.tool != nil {
				return a.deployWithTool(cmd.Context(), cl, &d)
			}
			stack, err := a.deploy(cmd.Context(), cl, d)
			if err != nil {
				return err
			}
			return a.showStack(cl.Endpoint, stack)
		},
	}
	d.flags(c, &parameters)
	return a.jsonFlag(c)
}

func (d *deployment) flags(c *cobra.Command, parameters *[]string) {
	c.Flags().StringVar(&d.stack, "stack", "", "name of the stack (default: the name of the folder)")
	c.Flags().StringVar(&d.stage, "stage", "", "a stage, such as qa: deploys the stack STACK-STAGE with the parameters of parameters.STAGE.yaml")
	c.Flags().Var(&d.stubs, "stub-unknown", "record resources of types that Lambent does not have as stubs, which do nothing; the stack keeps this until --stub-unknown=false")
	c.Flags().Lookup("stub-unknown").NoOptDefVal = "true"
	c.Flags().StringArrayVarP(parameters, "parameter", "p", nil, "a template parameter as NAME=VALUE; repeat for more")
}

// stubsFlag is the flag --stub-unknown: "true", "false", or "" when it is not given.
type stubsFlag string

func (f *stubsFlag) String() string { return string(*f) }

// Type is what the help shows as the flag's value.
func (f *stubsFlag) Type() string { return "bool" }

// Set takes a boolean.
func (f *stubsFlag) Set(text string) error {
	v, err := strconv.ParseBool(text)
	*f = stubsFlag(strconv.FormatBool(v))
	return err
}

// apply sets the tag of a stack that allows stubs, or takes it away.
func (f *stubsFlag) apply(tags map[string]string) {
	if *f == "true" {
		tags[deploy.StubTag] = "true"
	} else {
		delete(tags, deploy.StubTag)
	}
}

var notInStackName = regexp.MustCompile(`[^A-Za-z0-9-]+`)

// begin completes the deployment of a project that has to be there.
func (d *deployment) begin(args, parameters []string) error {
	if err := d.fill(args, parameters); err != nil {
		return err
	}
	if d.missing != nil {
		return usage{d.missing}
	}
	return nil
}

// fill completes a deployment from arguments and flags. A folder without a project is for the caller to judge, by missing.
func (d *deployment) fill(args, parameters []string) error {
	d.dir = "."
	if len(args) == 1 {
		d.dir = args[0]
	}
	abs, err := filepath.Abs(d.dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		abs = filepath.Dir(abs)
	}
	if d.project, d.missing = detect(d.dir); d.project.tool != nil {
		return d.fillParameters(parameters)
	}
	if d.stack == "" {
		d.stack = strings.Trim(notInStackName.ReplaceAllString(filepath.Base(abs), "-"), "-")
		if d.stack == "" || d.stack[0] >= '0' && d.stack[0] <= '9' {
			d.stack = strings.TrimRight("app-"+d.stack, "-") // a stack's name begins with a letter
		}
	}
	if d.cacheDir == "" {
		d.cacheDir = filepath.Join(abs, dataFolder, "build")
	}
	if err := d.fillParameters(parameters); err != nil {
		return err
	}
	return d.enterStage(abs)
}

func (d *deployment) fillParameters(parameters []string) error {
	d.parameters = map[string]string{}
	for _, p := range parameters {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return usage{fmt.Errorf("the parameter %q is not of the form NAME=VALUE", p)}
		}
		d.parameters[name] = value
	}
	return nil
}

// deploy builds, uploads, deploys and syncs, with progress on the terminal.
func (a *app) deploy(ctx context.Context, cl *client.Client, d deployment) (*client.Stack, error) {
	tree := term.NewTree(a.Term, a.Clock)
	defer tree.Close()
	options, err := a.packing(ctx, cl, d)
	if err != nil {
		return nil, err
	}
	bucket := options.Bucket
	options.Progress = func(id, what string, done bool) {
		s := term.Step{ID: "build " + id, Name: id, Detail: what}
		if done {
			s.State = term.Done
		}
		tree.Step(s)
	}
	application, err := pack.Pack(ctx, options)
	if err != nil {
		return nil, err
	}
	if err := upload(ctx, cl, bucket, application); err != nil {
		return nil, err
	}
	stack, err := a.applyTemplate(ctx, cl, d, bucket, application, tree)
	if err != nil {
		return nil, err
	}
	if err := a.syncFolders(ctx, cl, stack, application, tree); err != nil {
		return nil, err
	}
	if d.packed != nil {
		d.packed(application)
	}
	return stack, nil
}

// packing returns how the application is packed.
func (a *app) packing(ctx context.Context, cl *client.Client, d deployment) (pack.Options, error) {
	account, err := cl.Account(ctx)
	return pack.Options{Dir: d.dir, Bucket: "lambent-artifacts-" + account + "-" + cl.Region, CacheDir: d.cacheDir, Debug: d.debug, Environ: a.Environ}, err
}

// upload puts the artifacts into the bucket that are not there yet; their names are their content.
func upload(ctx context.Context, cl *client.Client, bucket string, application *pack.Application) error {
	if len(application.Artifacts) == 0 && len(application.Template) <= inlineTemplate {
		return nil
	}
	if err := cl.EnsureBucket(ctx, bucket); err != nil {
		return fmt.Errorf("make the bucket for code: %w", err)
	}
	for _, artifact := range application.Artifacts {
		there, err := cl.HasObject(ctx, bucket, artifact.Key)
		if err != nil {
			return fmt.Errorf("look for %s: %w", artifact.Key, err)
		}
		if there {
			continue
		}
		sum, kind, _ := strings.Cut(artifact.Key, ".")
		if kind == "tar" {
			kind = "x-tar"
		}
		if kind == "yml" {
			kind = "yaml"
		}
		if err := cl.PutFile(ctx, bucket, artifact.Key, http.Header{"Content-Type": {"application/" + kind}}, artifact.Path, sum); err != nil {
			return fmt.Errorf("upload code: %w", err)
		}
	}
	return nil
}

// proposal is a change set that was made.
type proposal struct {
	id string
	// changes tells that it would change something; one that would not is gone already.
	changes bool
	// create tells that the stack is not there yet.
	create bool
}

// propose makes a change set of the application's template.
func (a *app) propose(ctx context.Context, cl *client.Client, d deployment, bucket string, application *pack.Application) (p proposal, err error) {
	current, err := cl.Stacks(ctx, d.stack)
	if err != nil && !client.Missing(err) {
		return p, err
	}
	in := client.ChangeSet{
		Stack: d.stack, Name: "lambent-" + strings.ToLower(rand.Text()), Template: string(application.Template),
		Parameters: d.parameters, Create: len(current) == 0 || current[0].Status == "REVIEW_IN_PROGRESS",
	}
	if !in.Create {
		in.KeepParameters = kept(current[0].Parameters, application.Parameters, d.parameters)
	}
	if d.stubs != "" {
		in.Tags = map[string]string{}
		for _, s := range current {
			for _, t := range s.Tags {
				in.Tags[t.Key] = t.Value
			}
		}
		d.stubs.apply(in.Tags)
	}
	p.create = in.Create
	if len(in.Template) > inlineTemplate {
		key := in.Name + ".template"
		if err := cl.PutObject(ctx, bucket, key, "", application.Template); err != nil {
			return p, fmt.Errorf("upload template: %w", err)
		}
		in.TemplateURL = cl.Endpoint + "/" + bucket + "/" + key
	}
	if p.id, err = cl.CreateChangeSet(ctx, in); err == nil {
		p.changes, err = a.awaitChangeSet(ctx, cl, p.id)
	}
	if err != nil && strings.Contains(err.Error(), client.NoUpdates) {
		err = nil
	}
	return p, err
}

// applyTemplate makes and runs a change set, and returns the stack as it is then.
func (a *app) applyTemplate(ctx context.Context, cl *client.Client, d deployment, bucket string, application *pack.Application, tree *term.Tree) (*client.Stack, error) {
	p, err := a.propose(ctx, cl, d, bucket, application)
	if err != nil {
		return nil, err
	}
	if p.changes {
		token := rand.Text()
		if err := cl.ExecuteChangeSet(ctx, p.id, token); err != nil {
			return nil, err
		}
		place := func(logicalID string) string { return templateLine(d.dir, logicalID) }
		if err := a.follow(ctx, cl, d.stack, token, place, tree); err != nil {
			return nil, err
		}
	} else {
		tree.Step(term.Step{ID: d.stack, Name: d.stack, Detail: "unchanged", State: term.Done})
	}
	stacks, err := cl.Stacks(ctx, d.stack)
	if err != nil {
		return nil, err
	}
	return &stacks[0], nil
}

// kept returns the parameters that a stack has, that its new template still has, and that nobody gave a new value.
func kept(old, declared []string, given map[string]string) []string {
	var names []string
	for _, name := range old {
		if _, ok := given[name]; !ok && slices.Contains(declared, name) {
			names = append(names, name)
		}
	}
	return names
}

// awaitChangeSet waits until a change set is made; it reports false, and removes it, when it would change nothing.
func (a *app) awaitChangeSet(ctx context.Context, cl *client.Client, id string) (bool, error) {
	for {
		status, reason, err := cl.ChangeSetState(ctx, id)
		if err != nil {
			return false, err
		}
		switch status {
		case "CREATE_COMPLETE":
			return true, nil
		case "FAILED":
			if err := cl.DeleteChangeSet(ctx, id); err != nil {
				return false, err
			}
			if reason == client.NoChanges || reason == client.NoUpdates {
				return false, nil
			}
			return false, errors.New(reason)
		}
		if err := a.pause(ctx); err != nil {
			return false, err
		}
	}
}

// templateLine tells where the template of a folder has a resource, such as "template.yaml line 12"; it is empty for one that a transform made.
func templateLine(dir, logicalID string) string {
	file, err := pack.FindTemplate(dir)
	if err != nil {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	d, err := template.Parse(text)
	if err != nil {
		return ""
	}
	at, ok := d.Position("Resources", logicalID)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s line %d", filepath.Base(file), at.Line)
}

// cause says which resource failed first, where the template has it, and why.
func cause(e client.StackEvent, place func(logicalID string) string) string {
	what := e.Type
	if at := place(e.LogicalID); at != "" {
		what += ", " + at
	}
	return fmt.Sprintf("%s (%s): %s", e.LogicalID, what, e.Reason)
}

// follow shows the events of a token until the stack's own last one; place tells where the template has a resource.
func (a *app) follow(ctx context.Context, cl *client.Client, stack, token string, place func(logicalID string) string, tree *term.Tree) error {
	seen, refused, reason := map[string]bool{}, refusals{}, ""
	for {
		events, err := cl.StackEvents(ctx, stack, token)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			done, err := settled(ctx, cl, stack)
			if done || err != nil {
				return err
			}
		}
		for _, e := range events {
			if seen[e.ID] {
				continue
			}
			seen[e.ID] = true
			refused.explain(&e)
			failed := strings.HasSuffix(e.Status, "_FAILED")
			if failed && reason == "" && !strings.Contains(e.Reason, "cancelled") {
				reason = cause(e, place)
			}
			tree.Step(step(e, stack, failed))
			if !e.Own() || strings.HasSuffix(e.Status, "_IN_PROGRESS") {
				continue
			}
			if e.Status == "CREATE_COMPLETE" || e.Status == "UPDATE_COMPLETE" || e.Status == "DELETE_COMPLETE" {
				return nil
			}
			if reason == "" {
				reason = cmp.Or(e.Reason, refused[e.LogicalID])
			}
			return fmt.Errorf("the stack %s is now %s: %s", e.LogicalID, e.Status, reason)
		}
		if err := a.pause(ctx); err != nil {
			return err
		}
	}
}

// refusals are what hooks said that forbid something, by logical id.
type refusals map[string]string

// explain keeps what a hook says, and adds it to the reason of what failed for it.
func (r refusals) explain(e *client.StackEvent) {
	switch no := e.HookStatus == "HOOK_COMPLETE_FAILED" || e.HookStatus == "HOOK_FAILED"; {
	case no && e.HookMode == "WARN":
		e.Reason = client.WarningMark + e.Hook + ": " + e.HookReason
	case no:
		r[e.LogicalID] = strings.TrimPrefix(r[e.LogicalID]+"; "+e.Hook+": "+e.HookReason, "; ")
	case strings.HasSuffix(e.Status, "_FAILED") && r[e.LogicalID] != "":
		e.Reason += ". " + r[e.LogicalID]
	}
}

// settled tells whether a stack is at rest, for servers whose events carry no token.
func settled(ctx context.Context, cl *client.Client, stack string) (bool, error) {
	stacks, err := cl.Stacks(ctx, stack)
	if client.Missing(err) {
		return true, nil
	}
	if err != nil || len(stacks) == 0 || strings.HasSuffix(stacks[0].Status, "_IN_PROGRESS") {
		return false, err
	}
	switch status := stacks[0].Status; status {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE":
		return true, nil
	default:
		return true, fmt.Errorf("the stack %s is now %s: %s", stack, status, stacks[0].Reason)
	}
}

func step(e client.StackEvent, stack string, failed bool) term.Step {
	s := term.Step{ID: e.LogicalID, Parent: stack, Name: e.LogicalID, Detail: e.Type, Reason: e.Reason, Time: e.Time}
	if e.Own() {
		s.ID, s.Parent, s.Detail = stack, "", strings.ToLower(strings.ReplaceAll(e.Status, "_", " "))
	}
	switch {
	case failed || strings.Contains(e.Status, "ROLLBACK_COMPLETE"):
		s.State = term.Failed
	case strings.HasPrefix(e.Reason, client.WarningMark):
		s.State = term.Warned
	case strings.HasSuffix(e.Status, "_COMPLETE"):
		s.State = term.Done
	}
	return s
}

// pause waits between two looks at something that other clients look at in the same way.
func (a *app) pause(ctx context.Context) error { return clock.Sleep(ctx, a.Clock, 40*time.Millisecond) }

// syncFolders makes buckets equal to the application's web folders.
func (a *app) syncFolders(ctx context.Context, cl *client.Client, stack *client.Stack, application *pack.Application, tree *term.Tree) error {
	if len(application.Syncs) == 0 {
		return nil
	}
	buckets, err := physical(ctx, cl, stack.Name)
	if err != nil {
		return err
	}
	for _, s := range application.Syncs {
		line := term.Step{ID: "sync " + s.LogicalID, Name: s.LogicalID, Detail: "copying " + filepath.Base(s.Dir)}
		tree.Step(line)
		n, err := syncFolder(ctx, cl, buckets[s.LogicalID], s, stack.OutputMap())
		if err != nil {
			return fmt.Errorf("copy %s: %w", s.Dir, err)
		}
		line.State, line.Detail = term.Done, fmt.Sprintf("%s: %d files changed", filepath.Base(s.Dir), n)
		tree.Step(line)
	}
	return nil
}

// physical returns the ids of a stack's resources by their names in the template.
func physical(ctx context.Context, cl *client.Client, stack string) (map[string]string, error) {
	resources, err := cl.StackResources(ctx, stack)
	ids := map[string]string{}
	for _, r := range resources {
		ids[r.LogicalID] = r.PhysicalID
	}
	return ids, err
}

func syncFolder(ctx context.Context, cl *client.Client, bucket string, s pack.Sync, outputs map[string]string) (changed int, err error) {
	if bucket == "" {
		return 0, fmt.Errorf("the stack has no bucket %s", s.LogicalID)
	}
	files, err := s.Files(outputs)
	if err != nil {
		return 0, err
	}
	old, err := cl.Objects(ctx, bucket)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if f.Content == nil {
			if f.Content, err = os.ReadFile(f.Path); err != nil {
				return changed, err
			}
		}
		sum := md5.Sum(f.Content) // what the ETag of an object is, by S3's rules
		if old[f.Key] != hex.EncodeToString(sum[:]) {
			if err := cl.PutObject(ctx, bucket, f.Key, contentType(f.Key), f.Content); err != nil {
				return changed, err
			}
			changed++
		}
		delete(old, f.Key)
	}
	for key := range old {
		if err := cl.DeleteObject(ctx, bucket, key); err != nil {
			return changed, err
		}
		changed++
	}
	return changed, nil
}

// contentType returns the media type of a file of a web page. The common ones do not depend on the machine's own tables.
func contentType(key string) string {
	switch ext := strings.ToLower(filepath.Ext(key)); ext {
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".ico":
		return "image/x-icon"
	case ".webp":
		return "image/webp"
	case ".woff2":
		return "font/woff2"
	case ".wasm":
		return "application/wasm"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}
