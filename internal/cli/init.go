package cli

import (
	"bufio"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

//go:embed starter
var starters embed.FS

// language is one that a project can begin in.
type language struct {
	// Runtime and Handler are those of the function, File is the name of its code.
	Runtime, Handler, File string
}

var (
	languages = map[string]language{"python": {"python3.13", "app.handler", "app.py"}, "node": {"nodejs22.x", "index.handler", "index.mjs"}}
	kinds     = []string{"api", "queue", "schedule"}
)

// beginning is what a person wants to begin with.
type beginning struct{ dir, language, kind string }

func (a *app) initCommand() *cobra.Command {
	var p beginning
	var silent bool
	c := &cobra.Command{
		Use: "init [DIR]", Short: "Begin a project that runs",
		Long: "Init asks three questions (where, in which language, and what the project does) and writes a project that lambent up runs as it\nis. " +
			"A flag answers a question beforehand; --no-input asks none. Files that are there already are left alone: the command then fails.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				p.dir = args[0]
			}
			if err := a.ask(&p, silent); err != nil {
				return err
			}
			if err := p.write(); err != nil {
				return err
			}
			a.Term.Say("%s is ready. Run it with: lambent up %s", filepath.Join(p.dir, "template.yaml"), p.dir)
			return nil
		},
	}
	c.Flags().StringVar(&p.language, "language", "", strings.Join(slices.Sorted(maps.Keys(languages)), " or "))
	c.Flags().StringVar(&p.kind, "kind", "", strings.Join(kinds, ", "))
	c.Flags().BoolVar(&silent, "no-input", false, "ask nothing: what no flag says is the first choice")
	return c
}

// ask completes a project by asking for what is not known yet. An empty answer is the first choice.
func (a *app) ask(p *beginning, silent bool) error {
	in := bufio.NewReader(a.Stdin)
	for _, q := range []struct {
		text, otherwise string
		into            *string
		choices         []string
	}{
		{"Folder of the project", "my-app", &p.dir, nil},
		{"Language", "python", &p.language, slices.Sorted(maps.Keys(languages))},
		{"What it does", "api", &p.kind, kinds},
	} {
		if *q.into == "" && !silent {
			text := q.text
			if q.choices != nil {
				text += " (" + strings.Join(q.choices, ", ") + ")"
			}
			a.Term.Say("%s [%s]:", text, q.otherwise)
			line, err := in.ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			*q.into = strings.TrimSpace(line)
		}
		if *q.into == "" {
			*q.into = q.otherwise
		}
		if q.choices != nil && !slices.Contains(q.choices, *q.into) {
			return usage{fmt.Errorf("%q is none of %s", *q.into, strings.Join(q.choices, ", "))}
		}
	}
	return nil
}

// write makes the files of the project, with the language in place of the names in double braces.
func (p beginning) write() error {
	l := languages[p.language]
	inLanguage := strings.NewReplacer("{{runtime}}", l.Runtime, "{{handler}}", l.Handler)
	files := map[string]string{"template.yaml": "template.yaml", l.File: filepath.Join("src", l.File)}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b, err := starters.ReadFile("starter/" + p.kind + "/" + name)
		if err != nil {
			return err
		}
		if err := writeNew(filepath.Join(p.dir, files[name]), inLanguage.Replace(string(b))); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes a file that is not there yet.
func writeNew(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
