package term

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	xterm "github.com/charmbracelet/x/term"
)

// Style is a way to show a piece of text.
type Style string

// The styles. Colours are those of the terminal's own theme.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
)

// Terminal is where a command writes.
type Terminal struct {
	// Out takes data, Err takes talk.
	Out, Err io.Writer
	// Color tells whether escape sequences for colours may be written.
	Color bool
	// Live tells whether Err is a terminal on which lines can be redrawn.
	Live bool
	// Width is the number of columns of Err.
	Width int
}

// New returns the terminal of the process. env looks up an environment variable.
func New(out, err *os.File, env func(string) string) *Terminal {
	t := &Terminal{Out: out, Err: err, Width: 80}
	t.Live = xterm.IsTerminal(err.Fd()) && env("TERM") != "dumb"
	if w, _, e := xterm.GetSize(err.Fd()); e == nil && w > 20 {
		t.Width = w
	}
	t.Color = t.Live && env("NO_COLOR") == ""
	if force := env("CLICOLOR_FORCE"); force != "" && force != "0" && env("NO_COLOR") == "" {
		t.Color = true
	}
	return t
}

// Paint returns text in a style.
func (t *Terminal) Paint(s Style, text string) string {
	if !t.Color || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// Say writes a line of talk.
func (t *Terminal) Say(format string, args ...any) {
	fmt.Fprintf(t.Err, format+"\n", args...)
}

// Print writes a line of data.
func (t *Terminal) Print(format string, args ...any) {
	fmt.Fprintf(t.Out, format+"\n", args...)
}

// JSON writes v as data, indented, on its own lines.
func (t *Terminal) JSON(v any) error {
	e := json.NewEncoder(t.Out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// JSONLine writes v as one line of a stream.
func (t *Terminal) JSONLine(v any) error {
	e := json.NewEncoder(t.Out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Table writes rows in columns under a head.
func (t *Terminal) Table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(head, "\t")))
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
