package term

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"lambent.dev/lambent/internal/clock"
)

// State is the state of one line of a tree.
type State uint8

// The states of a line.
const (
	Running State = iota
	Done
	Failed
	// Warned is done, with a reason to look at it.
	Warned
)

// Step is an event of a deploy: a line that begins, changes or ends.
type Step struct {
	// ID identifies the line; Parent is the line below which it is shown, or empty.
	ID, Parent string
	// Name and Detail are shown side by side: a logical id and its type.
	Name, Detail string
	State        State
	// Reason is shown under a line that failed or warns. Those of a line that warns several times are all shown.
	Reason string
	// Time is when it happened; the line's duration runs from its first step to its last.
	Time time.Time
}

// redraw is the shortest time between two frames.
const redraw = 100 * time.Millisecond

// Tree shows the progress of a deploy: redrawn in place on a terminal, and one line for each end anywhere else.
type Tree struct {
	term  *Terminal
	clock clock.Clock

	stateMu sync.Mutex // guards the fields below
	lines   []*line
	byID    map[string]*line
	drawn   int // lines of the last frame
	stop    chan struct{}
	stopped chan struct{}
}

type line struct {
	Step
	depth int
	began time.Time
}

// NewTree starts a tree. Close ends it.
func NewTree(t *Terminal, c clock.Clock) *Tree {
	tree := &Tree{term: t, clock: c, byID: map[string]*line{}, stop: make(chan struct{}), stopped: make(chan struct{})}
	if t.Live {
		fmt.Fprint(t.Err, "\x1b[?25l") // hide the cursor
		go tree.run()
	} else {
		close(tree.stopped)
	}
	return tree
}

// Step records what happened.
func (t *Tree) Step(s Step) {
	t.stateMu.Lock()
	defer t.stateMu.Unlock()
	if s.Time.IsZero() {
		s.Time = t.clock.Now()
	}
	l, ok := t.byID[s.ID]
	if !ok {
		l = &line{began: s.Time}
		if parent := t.byID[s.Parent]; parent != nil {
			l.depth = parent.depth + 1
		}
		t.byID[s.ID] = l
		t.lines = append(t.lines, l)
	}
	ended := l.State != Running && ok
	if s.Name == "" {
		s.Name, s.Detail = l.Name, l.Detail
	}
	if s.State == Running && ended {
		l.began = s.Time // another round, such as a rollback
	}
	latest := line{s, l.depth, l.began}
	if l.State == Warned && s.State == Warned {
		s.Reason = l.Reason + "\n" + s.Reason
	}
	l.Step = s
	if !t.term.Live && s.State != Running {
		fmt.Fprintln(t.term.Err, strings.Join(t.render(&latest, s.Time, 0), "\n"))
	}
}

// Close draws the last frame and gives the terminal back.
func (t *Tree) Close() {
	select {
	case <-t.stop:
		return
	default:
	}
	close(t.stop)
	<-t.stopped
	if t.term.Live {
		t.draw()
		fmt.Fprint(t.term.Err, "\x1b[?25h")
	}
}

func (t *Tree) run() {
	defer close(t.stopped)
	for {
		t.draw()
		timer := t.clock.NewTimer(redraw)
		select {
		case <-timer.C():
		case <-t.stop:
			timer.Stop()
			return
		}
	}
}

// draw replaces the last frame with a new one in a single write.
func (t *Tree) draw() {
	t.stateMu.Lock()
	defer t.stateMu.Unlock()
	frame := t.frameLocked(t.clock.Now(), t.term.Width)
	var b strings.Builder
	if t.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", t.drawn)
	}
	for _, l := range frame {
		b.WriteString("\r\x1b[2K" + l + "\n")
	}
	b.WriteString("\x1b[J")
	fmt.Fprint(t.term.Err, b.String())
	t.drawn = len(frame)
}

// frameLocked returns the lines of a frame. stateMu must be held.
func (t *Tree) frameLocked(now time.Time, width int) []string {
	var frame []string
	for _, l := range t.lines {
		frame = append(frame, t.render(l, now, width)...)
	}
	return frame
}

// render returns a line, and its reason below it. A width of 0 means that lines may be of any length.
func (t *Tree) render(l *line, now time.Time, width int) []string {
	mark, style := "·", Yellow
	until := now
	switch l.State {
	case Done:
		mark, style, until = "✓", Green, l.Time
	case Failed:
		mark, style, until = "✗", Red, l.Time
	case Warned:
		mark, until = "!", l.Time
	}
	indent := strings.Repeat("  ", l.depth)
	seconds := fmt.Sprintf("%6.1fs", max(until.Sub(l.began), 0).Seconds())
	name, detail := l.Name, l.Detail
	if width > 0 {
		room := width - utf8.RuneCountInString(indent) - 13 // the mark, the gaps and the seconds
		name = cut(name, room)
		detail = cut(detail, room-utf8.RuneCountInString(name))
		pad := max(0, room-utf8.RuneCountInString(name)-utf8.RuneCountInString(detail))
		seconds = strings.Repeat(" ", pad) + seconds
	}
	lines := []string{indent + t.term.Paint(style, mark) + " " + name + "  " + t.term.Paint(Dim, detail) + "  " + t.term.Paint(Dim, seconds)}
	if (l.State == Failed || l.State == Warned) && l.Reason != "" {
		for _, part := range wrap(l.Reason, width-len(indent)-4) {
			lines = append(lines, indent+"    "+t.term.Paint(style, part))
		}
	}
	return lines
}

// cut shortens text to n characters.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	if n < 2 {
		return ""
	}
	return string([]rune(text)[:n-1]) + "…"
}

// wrap breaks text into lines of at most width characters where it has spaces; a width of 20 or less means no limit.
func wrap(text string, width int) []string {
	if width <= 20 {
		return strings.Split(text, "\n")
	}
	var lines []string
	current := ""
	for word := range strings.FieldsSeq(text) {
		for utf8.RuneCountInString(word) > width {
			if current != "" {
				lines, current = append(lines, current), ""
			}
			r := []rune(word)
			lines, word = append(lines, string(r[:width])), string(r[width:])
		}
		switch {
		case current == "":
			current = word
		case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) <= width:
			current += " " + word
		default:
			lines, current = append(lines, current), word
		}
	}
	if current != "" {
		lines = append(lines, current)
	}
	return lines
}
