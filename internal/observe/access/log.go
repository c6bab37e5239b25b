package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
)

// MaxWaiting is how many bytes of lines may wait for the writer.
const MaxWaiting = 1 << 20

// Log is an access log. It is safe for concurrent use; the methods of a nil log do nothing.
type Log struct {
	path string
	warn *slog.Logger
	wake chan struct{}
	done chan struct{}
	out  io.Writer // used by the writing goroutine alone
	file *os.File  // out, when it is a file of ours

	mu      sync.Mutex // guards the fields below
	waiting []byte
	dropped int
	reopen  bool
	closed  bool
}

// Open opens the log in the file path, which is made when there is none. warn is told when lines cannot be written.
func Open(path string, warn *slog.Logger) (*Log, error) {
	l := newLog(nil, warn)
	l.path = path
	if err := l.open(); err != nil {
		return nil, err
	}
	go l.run()
	return l, nil
}

// New returns a log that writes to out, which stays the caller's.
func New(out io.Writer, warn *slog.Logger) *Log {
	l := newLog(out, warn)
	go l.run()
	return l
}

func newLog(out io.Writer, warn *slog.Logger) *Log {
	return &Log{out: out, warn: warn, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

func (l *Log) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the access log: %w", err)
	}
	l.file, l.out = f, f
	return nil
}

// Write adds the line of e. It never waits for the disk.
func (l *Log) Write(e *Entry) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if len(l.waiting) > MaxWaiting {
		l.dropped++
		return
	}
	if l.dropped > 0 {
		l.waiting = fmt.Appendf(l.waiting, `{"dropped":%d}`+"\n", l.dropped)
		l.dropped = 0
	}
	l.waiting = e.append(l.waiting)
	l.signal()
}

// Reopen makes the lines from now on go to a new file of the same name, when the log is a file.
func (l *Log) Reopen() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reopen = l.path != ""
	l.signal()
}

// Close writes what waits and closes the file. It is idempotent.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	l.closed = true
	l.signal()
	l.mu.Unlock()
	<-l.done
	return nil
}

// signal wakes the writing goroutine.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run writes until the log is closed and nothing waits.
func (l *Log) run() {
	defer close(l.done)
	var spare []byte
	for range l.wake {
		l.mu.Lock()
		lines, reopen, closed := l.waiting, l.reopen, l.closed
		l.waiting, l.reopen = spare[:0], false
		l.mu.Unlock()
		l.put(lines)
		spare = lines
		if reopen {
			l.rotate()
		}
		if closed {
			l.closeFile()
			return
		}
	}
}

func (l *Log) put(lines []byte) {
	if len(lines) == 0 {
		return
	}
	if _, err := l.out.Write(lines); err != nil {
		l.complain("write", err)
	}
}

// rotate goes on in a new file; when that cannot be opened it stays with the old one.
func (l *Log) rotate() {
	old := l.file
	if err := l.open(); err != nil {
		l.complain("reopen", err)
		return
	}
	_ = old.Close()
}

func (l *Log) closeFile() {
	if l.file == nil {
		return
	}
	if err := l.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		l.complain("close", err)
	}
}

func (l *Log) complain(step string, err error) {
	l.warn.LogAttrs(context.Background(), slog.LevelWarn, "access log is not whole", slog.String("step", step), slog.Any("error", err))
}
