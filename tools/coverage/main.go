// Command coverage writes docs/coverage.md: which operations of which API this build implements, and which CloudFormation types it deploys.
// It asks a running in-memory Lambent, so that the page cannot say more than the program does.
//
//	go run ./tools/coverage          writes the page
//	go run ./tools/coverage -check   fails when the page is not up to date
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/registry"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

const page = "docs/coverage.md"

func main() {
	sandbox.MaybeChild()
	check := flag.Bool("check", false, "compare the page instead of writing it")
	flag.Parse()
	if err := run(context.Background(), *check); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, check bool) error {
	cfg := config.Default()
	cfg.Ephemeral = true
	cfg.Listen = "127.0.0.1:0"
	s, err := server.Start(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	text, err := render(s)
	if closeErr := s.Close(ctx); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(page, text, 0o644)
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, text) {
		return fmt.Errorf("%s is out of date; run: go run ./tools/coverage", page)
	}
	return nil
}

func render(s *server.Server) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Coverage\n\nWritten by `go run ./tools/coverage` from the handlers of this build; do not edit.\n\n" +
		"An operation that is not listed as done answers 501 `NotImplemented` with its name. A parameter that a done operation does not honour is\n" +
		"refused by name, never ignored.\n\n| API | done | of |\n|---|---:|---:|\n")
	var details bytes.Buffer
	for _, api := range server.APIs() {
		schema, err := api.Schema()
		if err != nil {
			return nil, err
		}
		var done, open []string
		for _, op := range schema.Operations {
			if s.Implements(api.Name, op.Name) {
				done = append(done, op.Name)
			} else {
				open = append(open, op.Name)
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d |\n", api.ServiceID, len(done), len(schema.Operations))
		if len(done) > 0 {
			fmt.Fprintf(&details, "\n## %s\n\nDone: %s.\n", api.ServiceID, strings.Join(done, ", "))
			if len(open) > 0 {
				fmt.Fprintf(&details, "\n<details><summary>Not yet (%d)</summary>\n\n%s.\n</details>\n", len(open), strings.Join(open, ", "))
			}
		}
	}
	b.Write(details.Bytes())
	b.WriteString("\n## CloudFormation resource types\n\n")
	var types []string
	for _, svc := range s.Services() {
		for _, t := range svc.Resources {
			types = append(types, "- "+t.Name)
		}
	}
	slices.Sort(types)
	b.WriteString(strings.Join(types, "\n") + "\n")
	absent, err := refused(types)
	b.WriteString(absent)
	return b.Bytes(), err
}

// refused lists the types of AWS that are not among types although others of their services are, with what does their work here.
func refused(types []string) (string, error) {
	known, err := registry.Load()
	if err != nil {
		return "", err
	}
	var lines []string
	for _, name := range known.Names() {
		service := "- " + name[:strings.LastIndex(name, "::")+2]
		if slices.Contains(types, "- "+name) || !slices.ContainsFunc(types, func(t string) bool { return strings.HasPrefix(t, service) }) {
			continue
		}
		line := "- " + name
		if instead := deploy.Instead(name); instead != "" {
			line += ": use " + instead
		}
		lines = append(lines, line)
	}
	return fmt.Sprintf("\n<details><summary>Not yet, of the same services (%d): refused when a deploy is planned</summary>\n\n%s\n</details>\n", len(lines), strings.Join(lines, "\n")), nil
}
