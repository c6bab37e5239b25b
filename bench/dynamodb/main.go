// Command dynamodb measures DynamoDB's item operations through HTTP: signed requests of one kilobyte items on kept connections.
//
//	go run ./bench/dynamodb [-dynalite path/to/dynalite/cli.js] [-only operation] [-profile file] [-n requests] [-c clients]
//	go run ./bench/dynamodb -durable
//	go run ./bench/dynamodb -large items [-dir folder] [-n requests] [-c clients]
//
// It starts a Lambent of its own in a process of its own, durable on a temporary directory, and prints per operation the throughput, the median
// latency, and the processor time that the server used per request, which is what the targets are about. With -dynalite the same load runs against dynalite (in
// memory), and the last column is the ratio of the two. With -large it fills a table with that many items of 200 bytes, and compares reading them with reading
// a small table.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

func main() {
	sandbox.MaybeChild() // when this process is the one that the server's sandbox starts
	serve := flag.String("serve", "", "run the server on this data directory (used by the command itself)")
	dynalite := flag.String("dynalite", "", "path of dynalite's cli.js to compare with")
	n := flag.Int("n", 20000, "requests per operation")
	c := flag.Int("c", 64, "clients")
	only := flag.String("only", "", "the one operation to measure, such as GetItem; PutItem always comes first")
	profile := flag.String("profile", "", "file for a CPU profile of the server")
	items := flag.Int("large", 0, "compare a table of so many items with a small one")
	dir := flag.String("dir", "", "folder of -large, which is kept; a temporary one by default. It is filled once")
	synced := flag.Bool("durable", false, "compare durable writes with the disk below them")
	flag.Parse()
	var err error
	switch {
	case *serve != "":
		err = runServer(*serve, *profile)
	case *synced:
		err = runDurable()
	case *items > 0:
		err = large{dir: *dir, items: *items, requests: *n, clients: *c}.run()
	default:
		err = comparison{dynalite: *dynalite, profile: *profile, only: *only, requests: *n, clients: *c}.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/dynamodb:", err)
		os.Exit(1)
	}
}

// runServer serves until its standard input ends. It prints its URL and its key, and writes a profile of its processor time when it has a file for that.
func runServer(dir, profile string) error {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	cfg := config.Default()
	cfg.DataDir, cfg.Listen, cfg.Sandbox = dir, "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(context.Background(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fmt.Println(s.URL(), s.RootKey().AccessKeyID, s.RootKey().Secret)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return s.Close(context.Background())
}

// target is a server under load.
type target struct {
	url    string
	signer sigv4.Signer
	pid    int
	client *http.Client
	stop   func() error
}

// startSelf starts this command as a server, whose client is a user with a policy.
func startSelf(dir, profile string) (*target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-serve", dir, "-profile", profile)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	f := strings.Fields(line)
	if err != nil || len(f) != 3 {
		return nil, fmt.Errorf("the server did not start: %q, %w", line, err)
	}
	t := newTarget(f[0], f[1], f[2], cmd, func() error { return errors.Join(in.Close(), cmd.Wait()) })
	return t, t.becomeUser()
}

// startDynalite starts dynalite in memory.
func startDynalite(cli string) (*target, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil { // dynalite listens there instead
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("node", cli, "--host", "127.0.0.1", "--port", port, "--createTableMs", "1")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t := newTarget("http://"+addr, "test", "test", cmd, func() error {
		err := cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		return err
	})
	for range 100 {
		if err := t.call("ListTables", "{}"); err == nil {
			return t, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, errors.New("dynalite did not start")
}

func newTarget(url, id, secret string, cmd *exec.Cmd, stop func() error) *target {
	return &target{
		url: url, pid: cmd.Process.Pid, stop: stop,
		signer: sigv4.Signer{AccessKeyID: id, Secret: secret, Region: "us-east-1", Service: "dynamodb"},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
	}
}

// call makes one signed call.
func (t *target) call(operation, body string) error {
	_, err := t.ask(operation, body)
	return err
}

// ask makes one signed call and returns its answer.
func (t *target) ask(operation, body string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, t.url+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	sum := sha256.Sum256([]byte(body))
	if err := t.signer.SignHTTP(req, hex.EncodeToString(sum[:]), time.Now()); err != nil {
		return nil, err
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", operation, resp.Status, out)
	}
	return out, err
}

// result is what one operation cost.
type result struct {
	perSecond   float64
	median, p99 time.Duration
	cpu         time.Duration
}

// load makes n calls with c clients.
func (t *target) load(operation string, n, c int, body func(i int) string) (result, error) {
	before, err := lab.CPUOf(t.pid)
	if err != nil {
		return result{}, err
	}
	times := make([]time.Duration, n)
	errs := make([]error, c)
	start := time.Now()
	var wg sync.WaitGroup
	for w := range c {
		wg.Go(func() {
			for i := w; i < n; i += c {
				began := time.Now()
				if errs[w] = t.call(operation, body(i)); errs[w] != nil {
					return
				}
				times[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	after, err := lab.CPUOf(t.pid)
	if err = errors.Join(append(errs, err)...); err != nil {
		return result{}, err
	}
	return result{float64(n) / took.Seconds(), lab.Median(times), lab.Percentile(times, 99), (after - before) / time.Duration(n)}, nil
}

// operation is one row of the table.
type operation struct {
	name, call string
	share      int // of n
	body       func(i int) string
}

func operations() []operation {
	text := strings.Repeat("x", 900)
	key := func(i int) string {
		return fmt.Sprintf(`"pk":{"S":"partition-%d"},"sk":{"S":"sort-%02d"}`, i%1000/20, i%20)
	}
	return []operation{
		{"PutItem", "PutItem", 1, func(i int) string {
			return `{"TableName":"bench","Item":{` + key(i) + `,"n":{"N":"1"},"body":{"S":"` + text + `"},"tags":{"SS":["a","b"]}}}`
		}},
		{"GetItem", "GetItem", 1, func(i int) string { return `{"TableName":"bench","Key":{` + key(i) + `}}` }},
		{"UpdateItem", "UpdateItem", 2, func(i int) string {
			return `{"TableName":"bench","Key":{` + key(i) + `},"UpdateExpression":"SET n = n + :one","ConditionExpression":"attribute_exists(pk)","ExpressionAttributeValues":{":one":{"N":"1"}}}`
		}},
		{"Query20", "Query", 5, func(i int) string {
			return fmt.Sprintf(`{"TableName":"bench","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"partition-%d"}}}`, i%50)
		}},
	}
}

// comparison measures the operations, or one of them, on Lambent and, when it has its path, on dynalite.
type comparison struct {
	dynalite, profile, only string
	requests, clients       int
}

// operations are those to measure. PutItem writes what the others read.
func (c comparison) operations() []operation {
	return slices.DeleteFunc(operations(), func(o operation) bool { return c.only != "" && o.name != "PutItem" && o.name != c.only })
}

// measure runs the operations on a new table, with a share of the requests.
func (c comparison) measure(t *target, share int) ([]result, error) {
	err := t.call("CreateTable", `{"TableName":"bench","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"}],`+
		`"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"BillingMode":"PAY_PER_REQUEST"}`)
	if err != nil {
		return nil, err
	}
	time.Sleep(100 * time.Millisecond) // dynalite makes tables slowly
	var out []result
	for _, op := range c.operations() {
		r, err := t.load(op.call, c.requests/op.share/share, c.clients, op.body)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (c comparison) run() (err error) {
	dir, err := os.MkdirTemp("", "lambent-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ours, err := c.measured(func() (*target, error) { return startSelf(dir, c.profile) }, 1)
	if err != nil {
		return err
	}
	var theirs []result
	if c.dynalite != "" {
		if theirs, err = c.measured(func() (*target, error) { return startDynalite(c.dynalite) }, 4); err != nil {
			return err
		}
	}
	fmt.Printf("%-11s %10s %10s %10s %12s %14s %8s\n", "operation", "ops/s", "p50", "p99", "CPU per op", "dynalite's CPU", "ratio")
	for i, op := range c.operations() {
		r := ours[i]
		fmt.Printf("%-11s %10.0f %10s %10s %12s", op.name, r.perSecond, r.median.Round(10*time.Microsecond), r.p99.Round(10*time.Microsecond), r.cpu.Round(time.Microsecond))
		if theirs != nil {
			fmt.Printf(" %14s %7.2fx", theirs[i].cpu.Round(time.Microsecond), float64(r.cpu)/float64(theirs[i].cpu))
		}
		fmt.Println()
	}
	return nil
}

func (c comparison) measured(start func() (*target, error), share int) ([]result, error) {
	t, err := start()
	if err != nil {
		return nil, err
	}
	out, err := c.measure(t, share)
	return out, errors.Join(err, t.stop())
}
