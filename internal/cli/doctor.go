package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/term"
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
				checkTool("node", "runs nodejs functions", "apt-get install nodejs"),
				checkTool("python3", "runs python functions", "apt-get install python3"),
				checkSystem(),
			}
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

func checkSystem() check {
	c := check{Name: "isolation", OK: runtime.GOOS == "linux", Detail: "functions can be isolated on " + runtime.GOOS}
	if !c.OK {
		c.Detail, c.Fix = "functions run as plain processes on "+runtime.GOOS, "run Lambent on Linux where functions must be isolated from each other"
	}
	return c
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
