package accesslog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service/port"
)

// maxQueued bounds the lines that wait for a delivery stream.
const maxQueued = 4096

// Destination is where the lines of a stage go.
type Destination struct {
	account, region string
	// group and stream are set for a log group, delivery for a delivery stream.
	group, stream, delivery string
}

// ParseDestination returns the destination that the ARN of a log group or of a delivery stream names, for the stage of an API. The error says what is wrong with it.
func ParseDestination(name, api, stage string) (*Destination, error) {
	a, err := arn.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("the destination of an access log must be the ARN of a log group or of a delivery stream: %w", err)
	}
	d := &Destination{account: a.Account, region: a.Region}
	group, isGroup := strings.CutPrefix(a.Resource, "log-group:")
	switch {
	case a.Service == "logs" && isGroup && group != "":
		d.group, _, _ = strings.Cut(group, ":")
		sum := sha256.Sum256([]byte(api + "/" + stage))
		d.stream = hex.EncodeToString(sum[:16])
	case a.Service == "firehose" && strings.HasPrefix(a.Resource, "deliverystream/"):
		d.delivery = name
	default:
		return nil, fmt.Errorf("%s is neither a log group nor a delivery stream", name)
	}
	return d, nil
}

// Writer writes lines. Make one with [NewWriter], and Close it.
type Writer struct {
	logs    port.LogSink
	sender  *deliver.Sender
	log     *slog.Logger
	queue   chan *deliver.Message
	dropped atomic.Int64
	wg      sync.WaitGroup
	once    sync.Once
}

// NewWriter returns a writer to logs, and with sender to delivery streams.
func NewWriter(logs port.LogSink, sender *deliver.Sender, log *slog.Logger) *Writer {
	w := &Writer{logs: logs, sender: sender, log: log, queue: make(chan *deliver.Message, maxQueued)}
	w.wg.Go(w.run)
	return w
}

// Close delivers what waits and ends the writer. It is idempotent; nothing may be written after it.
func (w *Writer) Close() {
	w.once.Do(func() { close(w.queue) })
	w.wg.Wait()
}

// run sends the lines of delivery streams.
func (w *Writer) run() {
	for m := range w.queue {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := w.sender.Send(ctx, m); err != nil {
			w.log.WarnContext(ctx, "line of an access log could not be delivered", slog.String("target", m.Target), slog.Any("error", err))
		}
		cancel()
		if n := w.dropped.Swap(0); n > 0 {
			w.log.WarnContext(ctx, "lines of access logs were dropped: the delivery stream is slower than the requests", slog.Int64("lines", n))
		}
	}
}

// Write writes a line at a time. source is the ARN of the stage. It waits only while the log service's buffer is full.
func (w *Writer) Write(ctx context.Context, d *Destination, source, account string, at time.Time, line string) {
	if d.delivery == "" {
		if err := w.logs.PutLog(ctx, d.account, d.region, d.group, d.stream, []port.LogLine{{Time: at, Message: line}}); err != nil {
			w.log.WarnContext(ctx, "line of an access log could not be written", slog.String("group", d.group), slog.Any("error", err))
		}
		return
	}
	m := &deliver.Message{Target: d.delivery, From: port.Source{Service: "apigateway.amazonaws.com", ARN: source, Account: account}, Body: append([]byte(line), '\n')}
	select {
	case w.queue <- m:
	default:
		w.dropped.Add(1)
	}
}
