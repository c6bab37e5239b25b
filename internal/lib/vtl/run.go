package vtl

import (
	"fmt"
	"regexp"

	"lambent.dev/lambent/internal/lib/scratch"
)

// Limits bound a run. A zero field takes the value of [DefaultLimits].
type Limits struct {
	// Steps is how many nodes of the template may be run.
	Steps int
	// Output is how many bytes the result may have.
	Output int
	// Text is how many bytes all texts that a run makes on its way may have together.
	Text int
}

// DefaultLimits are the limits of a mapping template: the result may be as large as a payload of API Gateway.
func DefaultLimits() Limits { return Limits{Steps: 1_000_000, Output: 10 << 20, Text: 64 << 20} }

// run is one run of a template.
type run struct {
	vars    []any
	out     []byte
	loop    loopSlots
	max     int // bytes of output
	steps   int // left
	text    int // bytes left
	depth   int
	ended   ending
	regexps map[string]*regexp.Regexp
}

// ending is why nodes are not run any more.
type ending int

const (
	running ending = iota
	broken         // up to the loop
	stopped
)

// Render runs the template with variables, which it does not change; it does change the maps and lists among them. Its error tells what
// the template did wrong, or is [ErrLimit].
func (t *Template) Render(vars map[string]any, limits Limits) ([]byte, error) {
	standard := DefaultLimits()
	pick := func(n, otherwise int) int {
		if n == 0 {
			return otherwise
		}
		return n
	}
	r := &run{
		vars: make([]any, len(t.names)), loop: t.loop,
		max: pick(limits.Output, standard.Output), steps: pick(limits.Steps, standard.Steps), text: pick(limits.Text, standard.Text),
	}
	for i, name := range t.names {
		r.vars[i] = vars[name]
	}
	var err error
	out := scratch.Build(func(b []byte) []byte {
		r.out = b
		err = r.nodes(t.nodes)
		return r.out
	})
	r.out = nil
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (r *run) nodes(nodes []node) error {
	for _, n := range nodes {
		if err := r.step(1); err != nil {
			return err
		}
		if err := n.render(r); err != nil {
			return err
		}
		if r.ended != running {
			return nil
		}
	}
	return nil
}

// step counts steps.
func (r *run) step(n int) error {
	if r.steps -= n; r.steps < 0 {
		return fmt.Errorf("%w of steps", ErrLimit)
	}
	return nil
}

// made counts the text that was made, and returns it.
func (r *run) made(s string) (string, error) { return s, r.spend(len(s)) }

func (r *run) spend(n int) error {
	if r.text -= n; r.text < 0 {
		return fmt.Errorf("%w of text made", ErrLimit)
	}
	return nil
}

// print appends a value to the output.
func (r *run) print(v any) error {
	if s, ok := v.(string); ok && len(s) <= r.max-len(r.out) {
		r.out = append(r.out, s...)
		return nil
	}
	p := printer{out: r.out, max: r.max}
	err := p.text(v, 0)
	r.out = p.out
	if err != nil || len(r.out) > r.max {
		return fmt.Errorf("%w of %d bytes of output", ErrLimit, r.max)
	}
	return nil
}

// string returns the text of a value.
func (r *run) string(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	p := printer{max: min(r.max, r.text)}
	if err := p.text(v, 0); err != nil {
		return "", err
	}
	return r.made(string(p.out))
}

// capture returns what nodes print.
func (r *run) capture(nodes []node) (string, error) {
	if r.depth++; r.depth > maxDepth {
		return "", fmt.Errorf("%w of nesting", ErrLimit)
	}
	defer func() { r.depth-- }()
	start := len(r.out)
	err := r.nodes(nodes)
	s := string(r.out[start:])
	r.out = r.out[:start]
	if err != nil {
		return "", err
	}
	return r.made(s)
}
