// Command events measures queues, topics and data streams through HTTP, on the released binary as a process of its own.
//
//	go run ./bench/events            all rows
//	go run ./bench/events -only 10   the rows with 10,000 waiting receivers
//
// Rates are compared with the raw disk (append a kilobyte, fdatasync, one writer), measured in the same run.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/auth/sigv4"
)

func main() {
	only := flag.String("only", "", "measure one part: send, receive, wake, waiters, depth, topic, bus, schedule, stream or peer")
	other := flag.String("peer", "", "the URL of another server that speaks the protocol of SQS, to compare with in the part \"peer\"")
	seconds := flag.Int("seconds", 3, "length of a round")
	depth := flag.Int("depth", 1_000_000, "messages that wait in the deep queue")
	waiters := flag.Int("waiters", 10_000, "receivers that wait")
	schedules := flag.Int("schedules", 100_000, "schedules that are there beside those that are due")
	built := flag.String("lambent", "", "the binary to measure; by default one is built")
	flag.Parse()
	if err := run(context.Background(), *only, time.Duration(*seconds)*time.Second, *depth, *waiters, *schedules, *other, *built); err != nil {
		fmt.Fprintln(os.Stderr, "bench/events:", err)
		os.Exit(1)
	}
}

// bench is one running platform under measurement.
type bench struct {
	p              *lab.Platform
	dir            string
	round          time.Duration
	depth, waiters int
	schedules      int
	raw            time.Duration // one write of the raw disk
	other          string        // the URL of a server to compare with
}

func run(ctx context.Context, only string, round time.Duration, depth, waiters, schedules int, other, binary string) (err error) {
	dir, err := os.MkdirTemp("", "lambent-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if binary == "" {
		binary = filepath.Join(dir, "lambent")
		if err := lab.Build(ctx, binary, nil); err != nil {
			return err
		}
	}
	b := &bench{dir: dir, round: round, depth: depth, waiters: waiters, schedules: schedules, other: other}
	if b.raw, err = rawWrite(dir, round); err != nil {
		return err
	}
	fmt.Printf("raw disk: one durable kilobyte takes %s\n", lab.Ms(b.raw))
	start := func() error {
		b.p, err = lab.Up(ctx, lab.Options{Binary: binary, Dir: dir, DataDir: filepath.Join(dir, "data"), Args: []string{"--sandbox", "off"}})
		return err
	}
	if err := start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.p.Stop()) }()
	for _, part := range []struct {
		name string
		fn   func(context.Context) error
	}{{"send", b.send}, {"receive", b.receive}, {"wake", b.wake}, {"waiters", b.wait}, {"topic", b.topic}, {"bus", b.bus}, {"schedule", b.schedule}, {"stream", b.stream}, {"peer", b.peer}, {"depth", func(ctx context.Context) error { return b.deep(ctx, start) }}} {
		if only != "" && only != part.name {
			continue
		}
		if err := part.fn(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// rawWrite returns how long one writer needs for a durable kilobyte.
func rawWrite(dir string, round time.Duration) (d time.Duration, err error) {
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	kilobyte := make([]byte, 1024)
	n := 0
	began := time.Now()
	for ; time.Since(began) < round; n++ {
		if _, err := f.Write(kilobyte); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return time.Since(began) / time.Duration(n), nil
}

// sqs makes a signed call and reads its answer into out.
func (b *bench) sqs(ctx context.Context, operation string, in, out any) error {
	return b.json(ctx, "sqs", "AmazonSQS."+operation, in, out)
}

// json makes a signed call of a JSON protocol.
func (b *bench) json(ctx context.Context, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.p.Endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", target)
	return b.exchange(r, service, body, func(text []byte) error {
		if out == nil {
			return nil
		}
		return json.Unmarshal(text, out)
	})
}

// query makes a signed call of the query protocol.
func (b *bench) query(ctx context.Context, service, version string, members map[string]string) error {
	form := url.Values{"Version": {version}}
	for k, v := range members {
		form.Set(k, v)
	}
	body := form.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.p.Endpoint+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.exchange(r, service, []byte(body), func([]byte) error { return nil })
}

// sns makes a signed call of the query protocol and returns what is between <tag> and </tag>.
func (b *bench) sns(ctx context.Context, tag string, form url.Values) (found string, err error) {
	form.Set("Version", "2010-03-31")
	return b.between(ctx, b.p.Endpoint, "sns", tag, form)
}

// between makes a signed call of the query protocol at an endpoint and returns what is between <tag> and </tag>.
func (b *bench) between(ctx context.Context, endpoint, service, tag string, form url.Values) (found string, err error) {
	body := form.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	err = b.exchange(r, service, []byte(body), func(text []byte) error {
		_, rest, _ := strings.Cut(string(text), "<"+tag+">")
		found, _, _ = strings.Cut(rest, "<")
		return nil
	})
	return found, err
}

func (b *bench) exchange(r *http.Request, service string, body []byte, read func([]byte) error) error {
	sum := sha256.Sum256(body)
	signer := sigv4.Signer{AccessKeyID: b.p.AccessKeyID, Secret: b.p.Secret, Region: b.p.Region, Service: service}
	if err := signer.SignHTTP(r, hex.EncodeToString(sum[:]), time.Now()); err != nil {
		return err
	}
	answer, err := b.p.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, text)
	}
	return read(text)
}

type object = map[string]any

func (b *bench) queue(ctx context.Context, name string) (string, error) {
	var out struct{ QueueUrl string }
	err := b.sqs(ctx, "CreateQueue", object{"QueueName": name}, &out)
	return out.QueueUrl, err
}

// errDrained is what a client answers load with when there is nothing left to do; it ends that client.
var errDrained = errors.New("nothing is left")

// load runs fn from n clients for a round, and returns how often it ran, each time, and the processor time of the platform.
func (b *bench) load(ctx context.Context, n int, fn func(ctx context.Context) error) (took []time.Duration, cpu time.Duration, err error) {
	before, err := lab.CPUOf(b.p.PID())
	if err != nil {
		return nil, 0, err
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	end := time.Now().Add(b.round)
	for range n {
		group.Go(func() {
			var own []time.Duration
			var failed error
			for time.Now().Before(end) && failed == nil {
				began := time.Now()
				failed = fn(ctx)
				own = append(own, time.Since(began))
			}
			if errors.Is(failed, errDrained) {
				failed = nil
			}
			mu.Lock()
			defer mu.Unlock()
			took, err = append(took, own...), errors.Join(err, failed)
		})
	}
	group.Wait()
	after, cpuErr := lab.CPUOf(b.p.PID())
	return took, after - before, errors.Join(err, cpuErr)
}

var kilobyte = strings.Repeat("x", 1024)

func (b *bench) send(ctx context.Context) error {
	url, err := b.queue(ctx, "send")
	if err != nil {
		return err
	}
	return b.rate(ctx, "durable SendMessage 1 KB", "sqs", "AmazonSQS.SendMessage", object{"QueueUrl": url, "MessageBody": kilobyte})
}

// rate measures how often a durable write is answered, from 64 connections that send one signed request again and again: making and signing requests costs as much processor
// time as serving them, and the clients are on the same cores. What the platform would do with a core of its own follows from its processor time.
func (b *bench) rate(ctx context.Context, what, service, target string, in any) error {
	to, err := b.signed(ctx, service, target, in)
	if err != nil {
		return err
	}
	got, err := to.Load(ctx, 64)
	if err != nil {
		return err
	}
	ratio := got.Rate * b.raw.Seconds()
	lab.Row(what+", 64 clients, rate", "≥ 10 × the raw single-writer sync rate", fmt.Sprintf("%.1f × (%.0f a second; p50 %s)", ratio, got.Rate, lab.Ms(got.P50)), ratio >= 10)
	lab.Row("the same, CPU of the platform", "≤ 120 µs", fmt.Sprintf("%d µs: %.0f a second on a core", got.CPU.Microseconds(), 1/got.CPU.Seconds()), got.CPU <= 120*time.Microsecond)
	return nil
}

// signed returns a load of one signed call.
func (b *bench) signed(ctx context.Context, service, target string, in any) (*lab.Target, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.p.Endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Amz-Target", target)
	signer := sigv4.Signer{AccessKeyID: b.p.AccessKeyID, Secret: b.p.Secret, Region: b.p.Region, Service: service}
	if err := signer.SignHTTP(r, sigv4.Hash(body), time.Now()); err != nil {
		return nil, err
	}
	var header strings.Builder
	if err := r.Header.Write(&header); err != nil {
		return nil, err
	}
	return &lab.Target{Addr: r.URL.Host, Host: r.URL.Host, Path: "/", PID: b.p.PID(), Method: http.MethodPost, Header: header.String(), Body: string(body)}, nil
}

// fill sends n messages in batches.
func (b *bench) fill(ctx context.Context, url, body string, n int) error {
	var batch []object
	for i := range 10 {
		batch = append(batch, object{"Id": strconv.Itoa(i), "MessageBody": body})
	}
	var mu sync.Mutex
	left := n / 10
	var group sync.WaitGroup
	var failed error
	for range 16 {
		group.Go(func() {
			for {
				mu.Lock()
				left--
				more := left >= 0 && failed == nil
				mu.Unlock()
				if !more {
					return
				}
				if err := b.sqs(ctx, "SendMessageBatch", object{"QueueUrl": url, "Entries": batch}, nil); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return failed
}

type messages struct {
	Messages []struct{ ReceiptHandle, Body string }
}

func (b *bench) receive(ctx context.Context) error {
	url, err := b.queue(ctx, "receive")
	if err != nil {
		return err
	}
	const n = 40_000
	if err := b.fill(ctx, url, kilobyte, n); err != nil {
		return err
	}
	var mu sync.Mutex
	count := 0
	began := time.Now()
	_, cpu, err := b.load(ctx, 8, func(ctx context.Context) error {
		var got messages
		if err := b.sqs(ctx, "ReceiveMessage", object{"QueueUrl": url, "MaxNumberOfMessages": 10}, &got); err != nil {
			return err
		}
		var batch []object
		for i, m := range got.Messages {
			batch = append(batch, object{"Id": strconv.Itoa(i), "ReceiptHandle": m.ReceiptHandle})
		}
		mu.Lock()
		count += len(batch)
		mu.Unlock()
		if len(batch) == 0 {
			return errDrained
		}
		return b.sqs(ctx, "DeleteMessageBatch", object{"QueueUrl": url, "Entries": batch}, nil)
	})
	if err != nil {
		return err
	}
	elapsed := time.Since(began)
	each := cpu / time.Duration(max(count, 1))
	lab.Row("ReceiveMessage + DeleteMessage in batches of 10, CPU a message", "≤ 40 µs", fmt.Sprintf("%d µs (%.0f messages a second)", each.Microseconds(), float64(count)/elapsed.Seconds()), each <= 40*time.Microsecond)
	return nil
}

func (b *bench) wake(ctx context.Context) error {
	url, err := b.queue(ctx, "wake")
	if err != nil {
		return err
	}
	var took []time.Duration
	for range 200 {
		got := make(chan error, 1)
		var at time.Time
		go func() {
			var m messages
			err := b.sqs(ctx, "ReceiveMessage", object{"QueueUrl": url, "WaitTimeSeconds": 20}, &m)
			at = time.Now()
			if err == nil {
				err = b.sqs(ctx, "DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m.Messages[0].ReceiptHandle}, nil)
			}
			got <- err
		}()
		time.Sleep(5 * time.Millisecond) // so that the receiver waits
		began := time.Now()
		if err := b.sqs(ctx, "SendMessage", object{"QueueUrl": url, "MessageBody": kilobyte}, nil); err != nil {
			return err
		}
		if err := <-got; err != nil {
			return err
		}
		took = append(took, at.Sub(began))
	}
	// A receive writes too: two syncs lie between the send and its receiver.
	p50 := lab.Percentile(took, 50)
	lab.Row("send → waiting receiver has it, p50", "≤ two syncs + 0.5 ms", fmt.Sprintf("%s (two syncs: %s; p90 %s)", lab.Ms(p50), lab.Ms(2*b.raw), lab.Ms(lab.Percentile(took, 90))), p50 <= 2*b.raw+500*time.Microsecond)
	return nil
}

func (b *bench) wait(ctx context.Context) error {
	url, err := b.queue(ctx, "waiters")
	if err != nil {
		return err
	}
	b.p.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: b.waiters}}
	before, err := lab.ResidentOf(b.p.PID())
	if err != nil {
		return err
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	for i := range b.waiters {
		group.Go(func() {
			// They end when the benchmark does, or when their time is over.
			_ = b.sqs(waiting, "ReceiveMessage", object{"QueueUrl": url, "WaitTimeSeconds": 20}, nil)
		})
		if i%200 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	time.Sleep(6 * time.Second) // until all of them wait
	cpu, err := lab.CPUOf(b.p.PID())
	if err != nil {
		return err
	}
	const quiet = 4 * time.Second
	time.Sleep(quiet)
	idle, err1 := lab.CPUOf(b.p.PID())
	after, err2 := lab.ResidentOf(b.p.PID())
	stop()
	group.Wait()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	each := (after - before) / int64(b.waiters)
	lab.Row(fmt.Sprintf("%d long-polling receivers, memory each", b.waiters), "≤ 20 KB", fmt.Sprintf("%.1f KB", float64(each)/1024), each <= 20<<10)
	used := (idle - cpu).Seconds() / quiet.Seconds() * 100
	lab.Row("the same, CPU while nothing happens", "none", fmt.Sprintf("%.1f %% of a core", used), used < 1)
	return nil
}

func (b *bench) topic(ctx context.Context) error {
	arn, err := b.sns(ctx, "TopicArn", url.Values{"Action": {"CreateTopic"}, "Name": {"fan"}})
	if err != nil {
		return err
	}
	const queues = 100
	for i := range queues {
		name := fmt.Sprintf("fan-%d", i)
		at, err := b.queue(ctx, name)
		if err != nil {
			return err
		}
		queue := "arn:aws:sqs:us-east-1:000000000000:" + name
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"` + queue + `"}]}`
		if err := b.sqs(ctx, "SetQueueAttributes", object{"QueueUrl": at, "Attributes": object{"Policy": policy}}, nil); err != nil {
			return err
		}
		if _, err := b.sns(ctx, "SubscriptionArn", url.Values{"Action": {"Subscribe"}, "TopicArn": {arn}, "Protocol": {"sqs"}, "Endpoint": {queue}}); err != nil {
			return err
		}
	}
	publish := func(ctx context.Context) error {
		_, err := b.sns(ctx, "MessageId", url.Values{"Action": {"Publish"}, "TopicArn": {arn}, "Message": {kilobyte}})
		return err
	}
	if err := publish(ctx); err != nil { // makes the signing key
		return err
	}
	took, cpu, err := b.load(ctx, 1, publish)
	if err != nil {
		return err
	}
	p50 := lab.Percentile(took, 50)
	lab.Row("SNS fan-out 1 → 100 queues in one commit, p50", "≤ 5 ms", fmt.Sprintf("%s (%d µs of CPU)", lab.Ms(p50), (cpu/time.Duration(len(took))).Microseconds()), p50 <= 5*time.Millisecond)
	return nil
}

func (b *bench) deep(ctx context.Context, start func() error) error {
	times := func(url string) (time.Duration, error) {
		var took []time.Duration
		for range 300 {
			if err := b.sqs(ctx, "SendMessage", object{"QueueUrl": url, "MessageBody": "x"}, nil); err != nil {
				return 0, err
			}
			began := time.Now()
			var got messages
			if err := b.sqs(ctx, "ReceiveMessage", object{"QueueUrl": url}, &got); err != nil {
				return 0, err
			}
			took = append(took, time.Since(began))
			if err := b.sqs(ctx, "DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": got.Messages[0].ReceiptHandle}, nil); err != nil {
				return 0, err
			}
		}
		return lab.Percentile(took, 99), nil
	}
	empty, err := b.queue(ctx, "empty")
	if err != nil {
		return err
	}
	full, err := b.queue(ctx, "full")
	if err != nil {
		return err
	}
	if err := b.fill(ctx, full, "a short message", b.depth); err != nil {
		return err
	}
	// Both are measured twice, in turn, since the machine may be busy with other things; the better time of each counts.
	var e, f time.Duration
	for range 2 {
		x, err := times(empty)
		if err != nil {
			return err
		}
		y, err := times(full)
		if err != nil {
			return err
		}
		if e == 0 || x < e {
			e = x
		}
		if f == 0 || y < f {
			f = y
		}
	}
	ratio := float64(f) / float64(e)
	lab.Row(fmt.Sprintf("%d messages waiting, receive p99", b.depth), "within 2 × of an empty queue", fmt.Sprintf("%.1f × (%s against %s)", ratio, lab.Ms(f), lab.Ms(e)), ratio <= 2)
	rss, err := lab.ResidentOf(b.p.PID())
	if err != nil {
		return err
	}
	if err := b.p.Stop(); err != nil {
		return err
	}
	if err := start(); err != nil {
		return err
	}
	began := time.Now()
	var got messages
	if err := b.sqs(ctx, "ReceiveMessage", object{"QueueUrl": full}, &got); err != nil {
		return err
	}
	restart := b.p.Ready + time.Since(began)
	lab.Row("the same, restart to the first message", "≤ 2 s", fmt.Sprintf("%s (memory before: %d MB)", lab.Ms(restart), rss>>20), restart <= 2*time.Second && len(got.Messages) == 1)
	return nil
}
