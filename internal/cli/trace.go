package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/gateway/trace"
)

func (a *app) traceCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "trace REQUEST-ID", Short: "Show what each stage of a request to an API saw",
		Long: "Trace shows one of the last requests to a REST or HTTP API on its way: the route, the authorizer's decision, validation, the rendered\n" +
			"template, the integration's answer and the mapped response, each with what went in, what came out, and how long it took. The request\n" +
			"id is in the answer's header x-amzn-RequestId or apigw-requestid. Requests are kept in memory, on loopback only; long texts are cut, unless\n" +
			"the request had the header X-Lambent-Trace: 1.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.rootClient()
			if err != nil {
				return err
			}
			d, err := cl.Trace(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.Term.JSON(d)
			}
			a.printTrace(d)
			return nil
		},
	})
}

// printTrace shows a trace: a head, then the stages with a bar for their share of the time.
func (a *app) printTrace(d *trace.Document) {
	colour := term.Green
	if d.Status >= 400 {
		colour = term.Red
	}
	a.Term.Print("%s %s  %s  in %s", d.Method, d.Path, a.Term.Paint(colour, strconv.Itoa(d.Status)), microseconds(d.TookUS))
	a.Term.Print("api %s, stage %s, at %s, request %s", d.API, d.Stage, d.Start.UTC().Format(time.RFC3339), d.ID)
	for i := range d.Entries {
		e := &d.Entries[i]
		a.Term.Print("")
		a.Term.Print("%-22s %9s  %s", e.Name, microseconds(e.TookUS), bar(e.AfterUS, e.TookUS, d.TookUS))
		a.printText("in ", e.Input)
		a.printText("out", e.Output)
	}
}

// printText shows an input or an output, its lines below each other.
func (a *app) printText(label, text string) {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		a.Term.Print("  %s  %s", label, printable(line))
		label = "   "
	}
}

// printable replaces what would move a terminal's cursor.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, line)
}

// microseconds is a time as people read it.
func microseconds(us int64) string {
	switch {
	case us < 1000:
		return fmt.Sprintf("%d µs", us)
	case us < 1_000_000:
		return fmt.Sprintf("%.1f ms", float64(us)/1000)
	}
	return fmt.Sprintf("%.2f s", float64(us)/1_000_000)
}

// bar shows when a stage was in the whole time, on a line of 40 characters.
func bar(after, took, whole int64) string {
	const width = 40
	if whole <= 0 {
		return ""
	}
	from := min(after*width/whole, width-1)
	n := max(1, min((took*width+whole-1)/whole, width-from))
	return strings.Repeat(" ", int(from)) + strings.Repeat("━", int(n))
}
