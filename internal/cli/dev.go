package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/cli/watch"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/deploy/pack"
)

func (a *app) devCommand() *cobra.Command {
	var debug string
	c := a.platformCommand(&cobra.Command{
		Use: "dev [DIR]", Short: "Start Lambent, deploy the application in DIR, and follow its sources",
		Long: "Dev is up for while you write: it watches the sources of the application. New code of a function runs at the next request, a web\n" +
			"folder is copied, and a change of the template or of a layer is deployed. When it ends, the stack is deployed as it is then.\n\n" +
			"With --debug FUNCTION the debugger of a function's language is open all the time: each new environment of the function waits for it.\n" +
			"Go functions are built for the debugger then, without optimisations.\n\n" +
			"A folder with cdk.json is followed by cdk watch.",
	}, func(ctx context.Context, cfg config.Config, d deployment, _ bool) error {
		if d.missing != nil {
			return usage{d.missing}
		}
		if d.project.tool != nil {
			return a.devWithTool(ctx, cfg, d, debug)
		}
		file, err := filepath.Abs(d.project.file)
		if err != nil {
			return err
		}
		d.dir = file
		return a.up(ctx, cfg, d, true, a.serveChanges(file, debug))
	})
	c.Flags().StringVar(&debug, "debug", "", "the logical id of a function to debug")
	return c
}

// serveChanges returns what serves an application while its sources change. A function is debugged, unless its name is empty.
func (a *app) serveChanges(template, debug string) func(ctx context.Context, where *running, d deployment, began time.Time) error {
	return func(ctx context.Context, where *running, d deployment, began time.Time) error {
		cl, err := a.clientOf(where)
		if err != nil {
			return err
		}
		w, err := watch.New(a.Clock, []string{filepath.Dir(template)})
		if err != nil {
			return err
		}
		defer w.Close()
		s := &session{app: a, client: cl, template: template}
		d.packed = func(application *pack.Application) { s.application = application }
		d.debug = debug != ""
		s.deployment = d
		if s.options, err = a.packing(ctx, cl, d); err != nil {
			return err
		}
		if err := a.deployUp(ctx, where, s.deployment, began); err != nil && ctx.Err() == nil {
			a.complain(err)
		}
		if debug != "" {
			end, err := a.debugIn(ctx, where, d.stack, debug)
			if err != nil {
				return err
			}
			defer end()
		}
		a.Term.Say("Watching %s; Ctrl-C stops it.", filepath.Dir(template))
		if err := s.run(ctx, w); err != nil {
			return err
		}
		return s.settle(context.WithoutCancel(ctx))
	}
}

// debugIn opens the debugger of a function of a stack, and returns how to close it.
func (a *app) debugIn(ctx context.Context, where *running, stack, function string) (end func(), err error) {
	root, err := a.rootOf(where)
	if err != nil {
		return nil, err
	}
	name, err := functionName(ctx, root, stack+"/"+function)
	if err != nil {
		return nil, err
	}
	debugging, err := a.debug(ctx, root, name)
	if err != nil {
		return nil, err
	}
	return func() { _ = debugging.Close() }, nil
}

// session is the time of one `lambent dev`.
type session struct {
	*app
	client     *client.Client
	template   string
	deployment deployment
	options    pack.Options
	// application is what runs; nil until a deploy succeeds.
	application *pack.Application
	// pending are changes that are not in application yet, because a build or a deploy of them failed.
	pending []string
	// ahead tells that functions run code that the stack does not know of.
	ahead bool
}

func (s *session) run(ctx context.Context, w *watch.Watcher) error {
	for {
		if s.application != nil {
			if err := w.Add(s.sources()); err != nil {
				return err
			}
		}
		changed, began, err := w.Next(ctx)
		if err != nil {
			return unlessStopped(ctx, err)
		}
		s.pending = append(s.pending, changed...)
		if err := s.apply(ctx, began); err == nil {
			s.pending = nil
		} else if err = unlessStopped(ctx, err); err != nil {
			s.complain(err)
		}
	}
}

// unlessStopped is err, or nil when that only comes of Ctrl-C.
func unlessStopped(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// sources are the folders that the application is made of, which may lie outside of its own.
func (s *session) sources() []string {
	var all []string
	for _, c := range s.application.Code {
		all = append(all, c.Sources)
	}
	for _, f := range s.application.Syncs {
		all = append(all, f.Dir)
	}
	return all
}

// apply makes what runs equal to the sources.
func (s *session) apply(ctx context.Context, began time.Time) error {
	if s.application == nil || slices.ContainsFunc(s.pending, func(path string) bool { return pack.Touches(path, s.template) }) {
		return s.redeploy(ctx)
	}
	next, err := s.application.Repack(ctx, s.options, s.pending)
	if err != nil {
		return err
	}
	functions, layers := changedCode(s.application, next)
	if layers {
		return s.redeploy(ctx)
	}
	ids, err := physical(ctx, s.client, s.deployment.stack)
	if err != nil {
		return err
	}
	for _, c := range functions {
		if err := s.swap(ctx, ids[c.LogicalID], c, began); err != nil {
			return err
		}
	}
	if err := s.copyFolders(ctx, ids, next, began); err != nil {
		return err
	}
	s.application = next
	return nil
}

// changedCode returns the functions whose code differs, and whether anything else does, which only a deploy can change.
func changedCode(old, next *pack.Application) (functions []pack.Code, others bool) {
	for _, c := range next.Code {
		i := slices.IndexFunc(old.Code, func(o pack.Code) bool { return o.LogicalID == c.LogicalID })
		switch {
		case i >= 0 && old.Code[i].Artifact.Key == c.Artifact.Key:
		case i >= 0 && c.Function:
			functions = append(functions, c)
		default:
			others = true
		}
	}
	return functions, others
}

func (s *session) swap(ctx context.Context, function string, c pack.Code, began time.Time) error {
	if function == "" {
		return fmt.Errorf("the stack %s has no function %s", s.deployment.stack, c.LogicalID)
	}
	zip, err := os.ReadFile(c.Artifact.Path)
	if err != nil {
		return fmt.Errorf("read artifact: %w", err)
	}
	if err := s.client.UpdateCode(ctx, function, zip); err != nil {
		return fmt.Errorf("give %s its new code: %w", c.LogicalID, err)
	}
	s.ahead = true
	s.tell(c.LogicalID, "runs the new code", began)
	return nil
}

// copyFolders copies the web folders that changed.
func (s *session) copyFolders(ctx context.Context, ids map[string]string, next *pack.Application, began time.Time) error {
	var stacks []client.Stack
	for _, f := range next.Syncs {
		if !slices.ContainsFunc(s.pending, func(path string) bool { return pack.Touches(path, f.Dir) }) {
			continue
		}
		if stacks == nil {
			var err error
			if stacks, err = s.client.Stacks(ctx, s.deployment.stack); err != nil {
				return err
			}
		}
		n, err := syncFolder(ctx, s.client, ids[f.LogicalID], f, stacks[0].OutputMap())
		if err != nil {
			return fmt.Errorf("copy %s: %w", f.Dir, err)
		}
		if n > 0 {
			s.tell(f.LogicalID, fmt.Sprintf("%d files of %s copied", n, filepath.Base(f.Dir)), began)
		}
	}
	return nil
}

func (s *session) tell(what, happened string, began time.Time) {
	s.Term.Say("%s %s %s (%d ms)", s.Term.Paint(term.Green, "✓"), what, happened, s.Clock.Now().Sub(began).Milliseconds())
}

// redeploy deploys the whole application.
func (s *session) redeploy(ctx context.Context) error {
	_, err := s.deploy(ctx, s.client, s.deployment)
	if err == nil {
		s.ahead = false
	}
	return err
}

// settle makes the stack know the code that its functions run.
func (s *session) settle(ctx context.Context) error {
	if !s.ahead {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	s.Term.Say("deploying %s as it is now …", s.deployment.stack)
	if err := s.redeploy(ctx); err != nil {
		s.complain(fmt.Errorf("the stack %s does not have the last changes: %w", s.deployment.stack, err))
		s.Term.Say("Mend it and run: lambent up %s", strings.TrimSuffix(filepath.Dir(s.template), string(filepath.Separator)))
		return errors.New("the application is not deployed as it is")
	}
	return nil
}
