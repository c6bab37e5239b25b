package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	xterm "golang.org/x/term"
)

// shellCommand holds the shell: the commands on tables, one a line.
func (a *app) shellCommand() *cobra.Command {
	return &cobra.Command{
		Use: "shell", Short: "Work on tables with one command a line",
		Long: "Each line is a command of lambent db without these two words, such as\n\n  get orders id=7\n\nQuotes hold words together; an item goes to the end of the line and needs none. The Tab key completes commands and names of tables; exit or Ctrl-D ends the shell. Lines that\n" +
			"come from a file or a pipe are run in order until one fails.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := &dbShell{app: a, ctx: cmd.Context()}
			if f, ok := a.Stdin.(*os.File); ok && xterm.IsTerminal(int(f.Fd())) {
				return s.talk(f)
			}
			return s.script(a.Stdin)
		},
	}
}

// dbShell is a shell under way.
type dbShell struct {
	*app
	ctx context.Context //nolint:containedctx // of the command that the shell lives in
	// tables are the names that Tab completes, asked for once.
	tables []string
}

// script runs lines until one fails.
func (s *dbShell) script(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		done, code := s.run(lines.Text())
		if code != 0 {
			return exit(code)
		}
		if done {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read commands: %w", err)
	}
	return nil
}

// talk runs lines that a person types.
func (s *dbShell) talk(f *os.File) error {
	t := xterm.NewTerminal(struct {
		io.Reader
		io.Writer
	}{f, s.Term.Out}, "db> ")
	t.AutoCompleteCallback = s.complete
	for {
		state, err := xterm.MakeRaw(int(f.Fd()))
		if err != nil {
			return fmt.Errorf("take the terminal: %w", err)
		}
		line, err := t.ReadLine()
		if restored := xterm.Restore(int(f.Fd()), state); restored != nil {
			return fmt.Errorf("give the terminal back: %w", restored)
		}
		if errors.Is(err, io.EOF) {
			s.Term.Print("")
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a command: %w", err)
		}
		if done, _ := s.run(line); done {
			return nil
		}
	}
}

// run runs one line, and tells whether it ends the shell, and its exit code.
func (s *dbShell) run(line string) (done bool, code int) {
	args, err := words(line)
	switch {
	case err != nil:
		return false, s.report(s.ctx, usage{err})
	case len(args) == 0:
		return false, 0
	case args[0] == "exit", args[0] == "quit":
		return true, 0
	case args[0] == "shell":
		return false, s.report(s.ctx, usage{errors.New("this is the shell already")})
	}
	p := s.Process
	p.Stdin = strings.NewReader("") // which is the shell's own
	p.Args = append([]string{"db"}, args...)
	if s.endpoint != "" {
		p.Args = append(p.Args, "--endpoint", s.endpoint)
	}
	return false, Run(s.ctx, p)
}

// complete completes the word before the cursor, for the Tab key.
func (s *dbShell) complete(line string, pos int, key rune) (newLine string, newPos int, ok bool) {
	if key != '\t' {
		return "", 0, false
	}
	before := line[:pos]
	begun := before[strings.LastIndexByte(before, ' ')+1:]
	var fit []string
	for _, c := range s.candidates(strings.TrimSuffix(before, begun)) {
		if strings.HasPrefix(c, begun) {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return "", 0, false
	}
	word := fit[0]
	for _, c := range fit[1:] {
		word = word[:commonPrefix(word, c)]
	}
	if len(fit) == 1 {
		word += " "
	}
	head := before[:len(before)-len(begun)] + word
	return head + line[pos:], len(head), true
}

// candidates returns what may come behind the words of a line.
func (s *dbShell) candidates(before string) (out []string) {
	args := strings.Fields(before)
	for _, c := range s.dbCommand().Commands() {
		switch {
		case len(args) == 0:
			out = append(out, c.Name())
		case len(args) == 1 && c.Name() == args[0] && strings.Contains(c.Use, " TABLE"):
			return s.tableNames()
		}
	}
	if len(args) == 0 {
		out = append(out, "exit")
	}
	slices.Sort(out)
	return out
}

func (s *dbShell) tableNames() []string {
	if s.tables == nil {
		cl, err := s.client()
		if err != nil {
			return nil
		}
		if s.tables, err = cl.Tables(s.ctx); err != nil {
			return nil
		}
	}
	return s.tables
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// words cuts a line into words. Single or double quotes hold what is between them together; an item, which begins with {, goes to the end of the line.
func words(line string) (out []string, err error) {
	var word strings.Builder
	quote, begun := rune(0), false
	for i, c := range line {
		switch {
		case c == '{' && !begun && quote == 0:
			return append(out, strings.TrimSpace(line[i:])), nil
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, begun = c, true
		case c == ' ' || c == '\t':
			if begun {
				out = append(out, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the line ends within %c quotes", quote)
	}
	if begun {
		out = append(out, word.String())
	}
	return out, nil
}
