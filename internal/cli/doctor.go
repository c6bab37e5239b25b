package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/image"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/sandbox"
)

// check is one thing that doctor looks at.
type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	// Fix says what to do when it is not OK.
	Fix string `json:"fix,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "doctor", Short: "Tell what this machine offers to functions, and what is missing",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks := []check{
				a.checkPlatform(cmd.Context()),
				checkTool("go", "builds Go functions", "install Go from https://go.dev/dl"),
			}
			checks = append(checks, a.checkSandbox(cmd.Context())...)
			checks = append(checks, a.checkRuntimes(cmd.Context())...)
			checks = append(checks, a.checkSDKs()...)
			checks = append(checks, a.checkRehearsals(cmd.Context())...)
			if a.json {
				return a.Term.JSON(checks)
			}
			for _, c := range checks {
				mark := a.Term.Paint(term.Green, "✓")
				if !c.OK {
					mark = a.Term.Paint(term.Yellow, "✗")
				}
				a.Term.Print("%s %s: %s", mark, c.Name, c.Detail)
				if !c.OK && c.Fix != "" {
					a.Term.Print("    %s", c.Fix)
				}
			}
			return nil
		},
	})
}

func checkTool(name, purpose, fix string) check {
	path, err := exec.LookPath(name)
	if err != nil {
		return check{Name: name, Detail: "not found; it " + purpose, Fix: fix}
	}
	return check{Name: name, OK: true, Detail: path + " " + purpose}
}

// checkSandbox starts a sandbox of its own, in the way the platform does, and tells which layers of isolation it has.
func (a *app) checkSandbox(ctx context.Context) []check {
	host, err := sandbox.Open(ctx, sandbox.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return []check{{Name: "isolation", Detail: err.Error(), Fix: "run Lambent on Linux where functions must be isolated from each other"}}
	}
	defer host.Close()
	report := host.Report()
	checks := []check{{Name: "isolation", OK: report.Isolated(), Detail: "functions run in " + report.Mode}}
	if !report.Isolated() {
		checks[0].Detail = "functions run as plain processes and can see this machine"
		checks[0].Fix = "see the layers below; the setting sandbox=require refuses to start in this state"
	}
	for _, l := range report.Layers {
		checks = append(checks, check{Name: "isolation: " + l.Name, OK: l.Active, Detail: l.Detail})
	}
	return append(checks, check{
		Name: "networks", OK: true, Detail: "VPCs, security groups and routes are kept as data and filter nothing: what separates functions is the isolation above (docs/networking.md)",
	})
}

// checkRuntimes looks for the languages of functions.
func (a *app) checkRuntimes(ctx context.Context) []check {
	dir, err := os.MkdirTemp("", "lambent-doctor-")
	if err != nil {
		return []check{{Name: "runtimes", Detail: err.Error()}}
	}
	defer os.RemoveAll(dir)
	var images *image.Store
	if where, err := a.find(); err == nil && where.dataDir != "" {
		if images, err = image.Open(image.Options{Dir: filepath.Join(where.dataDir, "images")}); err != nil {
			return []check{{Name: "runtimes", Detail: err.Error()}}
		}
		defer images.Close()
	}
	catalog, err := runtimes.NewCatalog(runtimes.Options{Dir: dir, Images: images})
	if err != nil {
		return []check{{Name: "runtimes", Detail: err.Error()}}
	}
	var checks []check
	for _, s := range catalog.Installed(ctx) {
		checks = append(checks, runtimeCheck(s))
	}
	return checks
}

func runtimeCheck(s runtimes.Status) check {
	c := check{Name: s.Language, OK: len(s.Versions) > 0, Detail: strings.Join(s.Versions, ", ")}
	if !c.OK {
		c.Detail = "not installed; functions in " + s.Language + " cannot run"
		c.Fix = "apt-get install " + s.Package + ", or lambent runtime add NAME IMAGE"
	}
	if len(s.Replaced) > 0 {
		c.Detail += "; also for functions that want " + strings.Join(s.Replaced, ", ") + ", which are not installed"
	}
	return c
}

// checkSDKs looks for the SDKs that AWS's runtimes bring along, when a Lambent of this project runs.
func (a *app) checkSDKs() []check {
	where, err := a.find()
	if err != nil || where.dataDir == "" {
		return nil
	}
	var checks []check
	for _, s := range runtimes.SDKs() {
		c := check{Name: s.Name, OK: s.Installed(filepath.Join(where.dataDir, "runtimes")), Detail: "functions in " + s.Family + " have it, as on AWS"}
		if !c.OK {
			c.Detail = "functions in " + s.Family + " that count on the runtime's own copy do not find it"
			c.Fix = "lambent runtime sdk " + s.Family
		}
		checks = append(checks, c)
	}
	return checks
}

// checkRehearsals names the functions that are treated worse than they need to be, when a Lambent runs that can be asked.
func (a *app) checkRehearsals(ctx context.Context) []check {
	cl, err := a.rootClient()
	if err != nil {
		return nil
	}
	list, err := cl.Rehearsals(ctx)
	if err != nil {
		return nil // checkPlatform tells
	}
	var checks []check
	for _, r := range list {
		c := check{Name: "rehearsal", Fix: "remove the tags to end it"}
		var tags []string
		for _, name := range slices.Sorted(maps.Keys(r.Tags)) {
			tags = append(tags, name+"="+r.Tags[name])
		}
		c.Detail = r.Function + " has " + strings.Join(tags, ", ")
		checks = append(checks, c)
	}
	return checks
}

func (a *app) checkPlatform(ctx context.Context) check {
	c := check{Name: "platform", Fix: "lambent up DIR"}
	where, err := a.find()
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	endpoint := where.URL
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/_lambent/health", http.NoBody)
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Detail = "nothing answers at " + endpoint
		return c
	}
	defer answer.Body.Close()
	var health map[string]any
	if answer.StatusCode != http.StatusOK || json.NewDecoder(answer.Body).Decode(&health) != nil {
		c.Detail, c.Fix = fmt.Sprintf("what answers at %s is no Lambent", endpoint), "stop it, or choose another address with --listen"
		return c
	}
	return check{Name: "platform", OK: true, Detail: "running at " + endpoint}
}
