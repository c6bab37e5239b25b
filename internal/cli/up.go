package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/lib/resident"
)

// closeLimit is how long a clean stop may take before the process ends anyway; what was acknowledged is on disk.
const closeLimit = 20 * time.Second

func (a *app) upCommand() *cobra.Command {
	return a.platformCommand(&cobra.Command{
		Use: "up [DIR]", Short: "Start Lambent, and deploy the application in DIR",
		Long: "Up starts the platform and, when there is an application in DIR (the working folder by default), deploys it. It stays\n" +
			"up until Ctrl-C. Everything is kept in DIR/.lambent, so that starting again finds it all.",
	}, func(ctx context.Context, cfg config.Config, d deployment, named bool) error {
		return a.up(ctx, cfg, d, named, a.serve)
	})
}

// platformCommand completes a command that starts a platform for the application in a folder, with a flag for each setting.
func (a *app) platformCommand(c *cobra.Command, run func(ctx context.Context, cfg config.Config, d deployment, named bool) error) *cobra.Command {
	var d deployment
	var parameters []string
	var file string
	c.Args = cobra.MaximumNArgs(1)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := d.fill(args, parameters); err != nil {
			return err
		}
		cfg, err := config.Load(config.Source{Dir: cmp.Or(d.project.dir, d.dir), File: file, Environ: a.Environ, Flags: changedSettings(cmd.Flags())})
		if err != nil {
			return usage{err}
		}
		d.cacheDir = filepath.Join(cfg.DataDir, "build")
		return run(cmd.Context(), cfg, d, len(args) == 1)
	}
	d.flags(c, &parameters)
	c.Flags().StringVar(&file, "config", "", "settings file (default: "+config.FileName+" in DIR)")
	for _, s := range config.Settings() {
		value := &settingFlag{setting: s, text: s.Default}
		f := c.Flags().VarPF(value, s.Name, "", s.Doc)
		f.Hidden = s.Hidden()
		if s.IsBool() {
			f.NoOptDefVal = "true"
		}
	}
	return c
}

// settingFlag is a flag that gives a setting its value. Only flags that were used count.
type settingFlag struct {
	setting config.Setting
	text    string
}

func (f *settingFlag) String() string { return f.text }
func (f *settingFlag) Type() string {
	if f.setting.IsBool() {
		return "bool"
	}
	return "string"
}

// Set checks the value by itself; the settings as a whole are checked when they are loaded.
func (f *settingFlag) Set(text string) error {
	var c config.Config
	f.text = text
	return f.setting.Set(&c, text)
}

func changedSettings(flags *pflag.FlagSet) map[string]string {
	changed := map[string]string{}
	flags.Visit(func(f *pflag.Flag) {
		if s, ok := f.Value.(*settingFlag); ok {
			changed[s.setting.Name] = s.text
		}
	})
	return changed
}

// up starts a platform and runs serve until that returns, which it does when ctx ends.
func (a *app) up(ctx context.Context, cfg config.Config, d deployment, named bool, serve func(ctx context.Context, where *running, d deployment, began time.Time) error) (err error) {
	began := a.Clock.Now()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if !cfg.Ephemeral {
		release, err := hold(cfg.DataDir)
		if err != nil {
			return err
		}
		defer release()
	}
	if d.missing != nil && named {
		return usage{d.missing}
	}
	platform, err := a.Start(ctx, cfg, a.logger(cfg))
	if err != nil {
		return fmt.Errorf("start the platform: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		err = errors.Join(err, platform.Close(closing))
	}()
	if !cfg.Ephemeral {
		withdraw, err := announce(cfg.DataDir, running{URL: platform.URL(), Local: cfg.LocalCredentials})
		if err != nil {
			return err
		}
		defer withdraw()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer attend(ctx, platform, cancel)()
	a.Term.Print("lambent ready %s (%d ms)", platform.URL(), a.Clock.Now().Sub(began).Milliseconds())
	a.greet(cfg, platform.URL())
	if err := resident.Trim(); err != nil {
		a.Term.Say("the memory of the start is kept: %v", err)
	}
	where := &running{URL: platform.URL(), Local: cfg.LocalCredentials}
	if !cfg.Ephemeral {
		where.dataDir = cfg.DataDir
	}
	if err := serve(ctx, where, d, began); err != nil {
		return err
	}
	stop()
	var broken failure
	if errors.As(context.Cause(ctx), &broken) {
		return broken.error
	}
	a.Term.Say("stopping …")
	return nil
}

// failure is why a platform could not go on.
type failure struct{ error }

// attend ends ctx with a [failure] when the platform cannot go on, and reopens the log files at SIGHUP, until what it returns is called.
func attend(ctx context.Context, platform Platform, end context.CancelCauseFunc) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-hangup:
				platform.Reopen()
			case err := <-platform.Failed():
				end(failure{err})
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(hangup)
		end(nil)
		wg.Wait()
	}
}

// serve deploys the application of a platform that has started, and waits for its end.
func (a *app) serve(ctx context.Context, where *running, d deployment, began time.Time) error {
	switch {
	case d.missing == nil:
		if err := a.deployUp(ctx, where, d, began); unlessStopped(ctx, err) != nil {
			// The platform stays: what was deployed before still serves, and the next deploy may mend it.
			a.complain(err)
			a.Term.Say("Lambent stays up. Mend it and run: lambent deploy %s", d.dir)
		}
	case !errors.Is(d.missing, errNoProject):
		a.Term.Say("Nothing is deployed: %s", d.missing)
	}
	if where.dataDir != "" {
		a.Term.Say("Ctrl-C stops it; starting again finds everything.")
	} else {
		a.Term.Say("Ctrl-C stops it.")
	}
	<-ctx.Done()
	return nil
}

// complain shows an error that does not end the command.
func (a *app) complain(err error) { a.Term.Say("%s %s", a.Term.Paint(term.Red, "error:"), err) }

// greet tells where the data lies, and how to point other tools here.
func (a *app) greet(cfg config.Config, url string) {
	if cfg.Ephemeral {
		a.Term.Say("data is in memory and ends with this process")
	} else {
		a.Term.Say("data is in %s", cfg.DataDir)
	}
	if cfg.LocalCredentials {
		a.Term.Say("export AWS_ENDPOINT_URL=%[1]s AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=%[2]s AWS_DEFAULT_REGION=%[2]s", url, cfg.Region)
	}
}

func (a *app) deployUp(ctx context.Context, where *running, d deployment, began time.Time) error {
	cl, err := a.clientOf(where)
	if err != nil {
		return err
	}
	if d.project.tool != nil {
		return a.deployWithTool(ctx, cl, &d)
	}
	stack, err := a.deploy(ctx, cl, d)
	if err != nil {
		return err
	}
	a.Term.Print("deployed %s (%.1f s)", stack.Name, a.Clock.Now().Sub(began).Seconds())
	return a.showStack(cl.Endpoint, stack)
}

func (a *app) logger(cfg config.Config) *slog.Logger {
	var level slog.Level
	// The value is one of the four that Validate lets through.
	_ = level.UnmarshalText([]byte(cfg.LogLevel))
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.Term.Err, options))
	}
	return slog.New(slog.NewTextHandler(a.Term.Err, options))
}
