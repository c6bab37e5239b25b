package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/auth/sigv4"
)

// settle is the time before each cold start in which the platform can park the next cell, as it would between the cold starts of real use. On a busy machine
// it is more: boots times what the language's last bare start took.
const (
	settle = 400 * time.Millisecond
	boots  = 6
)

// language is a language whose functions are measured.
type language struct {
	name, runtime, handler string
	files                  map[string]string
	bare                   []string // starts the language, does nothing, and ends
	most50, most99         float64
}

// compileJava makes the java function, if there is a compiler.
func (b *bench) compileJava(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "javac", "--release", "17", "-cp", "internal/runtimes/clients/java", "-d", b.dir, "bench/functions/java/Hello.java", "bench/functions/java/Nothing.java").CombinedOutput()
	if err != nil {
		return fmt.Errorf("compile the java function (apt-get install default-jdk-headless): %w: %s", err, out)
	}
	class, err := os.ReadFile(filepath.Join(b.dir, "Hello.class"))
	b.java = map[string]string{"Hello.class": string(class)}
	return err
}

func (b *bench) languages() []language {
	return []language{
		{"node", "nodejs20.x", "index.handler", map[string]string{"index.js": "exports.handler = async (event) => ({ ok: true });\n"}, []string{"node", "-e", "0"}, 0.12, 0.35},
		{"python", "python3.11", "app.handler", map[string]string{"app.py": "def handler(event, context):\n    return {\"ok\": True}\n"}, []string{"python3", "-c", "0"}, 0.15, 0.40},
		{"java", "java17", "Hello", b.java, []string{"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", b.dir, "Nothing"}, 0.15, 0.50},
		{"Go", "provided.al2023", "bootstrap", nil, []string{b.hello}, 3, 8},
	}
}

// cold compares cold starts through the signed HTTP API with bare starts of the language.
func (b *bench) cold(ctx context.Context) (err error) {
	p, err := lab.Up(ctx, lab.Options{Binary: b.binary, Dir: b.dir, DataDir: filepath.Join(b.dir, "cold")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	c, err := newCaller(ctx, p)
	if err != nil {
		return err
	}
	for _, l := range b.languages() {
		if !slices.Contains(b.only, l.name) {
			continue
		}
		bare, err := resolve(ctx, l.bare)
		if err != nil {
			fmt.Printf("| cold %s | | not measured: %v | |\n", l.name, err)
			continue
		}
		archive, err := b.archive(l.files)
		if err != nil {
			return err
		}
		if err := c.create(ctx, l.name, l.runtime, l.handler, archive); err != nil {
			return err
		}
		var got pairs
		var last time.Duration
		for i := range b.samples + 1 {
			took, err := c.coldInvoke(ctx, l.name, i, settle+boots*last)
			if err != nil {
				return err
			}
			began := time.Now()
			if err := exec.CommandContext(ctx, bare[0], bare[1:]...).Run(); err != nil {
				return err
			}
			last = time.Since(began)
			if i > 0 { // the first one finds no cell
				got.ours, got.theirs = append(got.ours, took), append(got.theirs, last)
			}
		}
		ratioRow(fmt.Sprintf("cold %s, through the signed HTTP API, ÷ bare `%s`", l.name, strings.Join(trimmed(l.bare), " ")), &got, l.most50, l.most99)
	}
	return nil
}

// trimmed is a command as it is shown: without the folder of the program, and without options that are folders.
func trimmed(argv []string) []string {
	return slices.DeleteFunc(append([]string{filepath.Base(argv[0])}, argv[1:]...), func(a string) bool { return a == "-cp" || filepath.IsAbs(a) })
}

// resolve finds the program itself where the path has a script in its place, which would be measured with it.
func resolve(ctx context.Context, argv []string) ([]string, error) {
	out := argv[:1:1]
	var err error
	if out[0], err = exec.LookPath(argv[0]); err != nil {
		return nil, err
	}
	if filepath.Base(out[0]) == "python3" {
		found, err := exec.CommandContext(ctx, out[0], "-c", "import sys; print(sys.executable)").Output()
		if err != nil {
			return nil, err
		}
		out = []string{strings.TrimSpace(string(found))}
	}
	return append(out, argv[1:]...), nil
}

// archive packs files, or the Go function when there are none.
func (b *bench) archive(files map[string]string) ([]byte, error) {
	if files == nil {
		data, err := os.ReadFile(b.hello)
		if err != nil {
			return nil, err
		}
		files = map[string]string{"bootstrap": string(data)}
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, content := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(w, content)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// modules compares the cold starts of a function with 50 MB of modules with those of a small one.
func (b *bench) modules(ctx context.Context) (err error) {
	p, err := lab.Up(ctx, lab.Options{Binary: b.binary, Dir: b.dir, DataDir: filepath.Join(b.dir, "modules")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	c, err := newCaller(ctx, p)
	if err != nil {
		return err
	}
	files := map[string]string{"index.js": "exports.handler = async (event) => ({ ok: true });\n"}
	small, err := b.archive(files)
	if err != nil {
		return err
	}
	noise := make([]byte, 25<<10)
	for i := range 2048 {
		if i%512 == 0 {
			if _, err := rand.Read(noise); err != nil {
				return err
			}
		}
		// Half of it can be compressed, which keeps the archive below what a call may carry.
		files[fmt.Sprintf("node_modules/package-%d/lib/index-%d.js", i/8, i)] = "/* " + hex.EncodeToString(noise[:len(noise)/2]) + " */\n"
	}
	large, err := b.archive(files)
	if err != nil {
		return err
	}
	for name, archive := range map[string][]byte{"small": small, "large": large} {
		if err := c.create(ctx, name, "nodejs20.x", "index.handler", archive); err != nil {
			return err
		}
	}
	var got pairs
	for i := range b.samples + 1 {
		l, err := c.coldInvoke(ctx, "large", i, settle)
		if err != nil {
			return err
		}
		s, err := c.coldInvoke(ctx, "small", i, settle)
		if err != nil {
			return err
		}
		if i > 0 {
			got.ours, got.theirs = append(got.ours, l), append(got.theirs, s)
		}
	}
	ratio := float64(lab.Percentile(got.ours, 50)) / float64(lab.Percentile(got.theirs, 50))
	lab.Row("cold node with 50 MB of node_modules, second time on this host, ÷ the small one", "≤ 1.5",
		fmt.Sprintf("%.2f (%s against %s; %d pairs)", ratio, lab.Ms(lab.Percentile(got.ours, 50)), lab.Ms(lab.Percentile(got.theirs, 50)), len(got.ours)), ratio <= 1.5)
	return nil
}

// caller makes signed calls on one kept connection, of which nothing but the exchange itself is timed.
type caller struct {
	p    *lab.Platform
	conn net.Conn
	r    *bufio.Reader
	host string
	role string
}

func newCaller(ctx context.Context, p *lab.Platform) (*caller, error) {
	c := &caller{p: p, host: strings.TrimPrefix(p.Endpoint, "http://")}
	var err error
	if c.conn, err = new(net.Dialer).DialContext(ctx, "tcp", c.host); err != nil {
		return nil, err
	}
	c.r = bufio.NewReader(c.conn)
	form := "Action=CreateRole&Version=2010-05-08&RoleName=bench&AssumeRolePolicyDocument=" +
		"%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D"
	if _, _, err := c.call(ctx, "iam", http.MethodPost, "/", "application/x-www-form-urlencoded", []byte(form)); err != nil {
		return nil, err
	}
	c.role = "arn:aws:iam::000000000000:role/bench"
	return c, nil
}

// another returns a caller with a connection of its own.
func (c *caller) another(ctx context.Context) (*caller, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.host)
	if err != nil {
		return nil, err
	}
	return &caller{p: c.p, conn: conn, r: bufio.NewReader(conn), host: c.host, role: c.role}, nil
}

// call makes one signed call and returns its answer, and how long it took from the first byte sent to the last one read.
func (c *caller) call(ctx context.Context, service, method, path, contentType string, body []byte) ([]byte, time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.p.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("Content-Type", contentType)
	sum := sha256.Sum256(body)
	signer := sigv4.Signer{AccessKeyID: c.p.AccessKeyID, Secret: c.p.Secret, Region: c.p.Region, Service: service, S3: service == "s3"}
	if err := signer.SignHTTP(r, hex.EncodeToString(sum[:]), time.Now()); err != nil {
		return nil, 0, err
	}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		return nil, 0, err
	}
	began := time.Now()
	if _, err := c.conn.Write(out.Bytes()); err != nil {
		return nil, 0, err
	}
	answer, err := http.ReadResponse(c.r, r)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	took := time.Since(began)
	if err != nil {
		return nil, 0, err
	}
	if answer.StatusCode/100 != 2 || answer.Header.Get("X-Amz-Function-Error") != "" {
		return nil, 0, fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	return text, took, nil
}

func (c *caller) create(ctx context.Context, name, runtime, handler string, archive []byte) error {
	body, err := json.Marshal(map[string]any{
		"FunctionName": name, "Runtime": runtime, "Role": c.role, "Handler": handler, "MemorySize": 128, "Timeout": 10, "Code": map[string]any{"ZipFile": archive},
	})
	if err != nil {
		return err
	}
	_, _, err = c.call(ctx, "lambda", http.MethodPost, "/2015-03-31/functions", "application/json", body)
	return err
}

// coldInvoke changes a variable of the function, so that no environment serves it any more, and times its next invocation after a pause.
func (c *caller) coldInvoke(ctx context.Context, name string, i int, pause time.Duration) (time.Duration, error) {
	change := fmt.Sprintf(`{"Environment":{"Variables":{"RUN":"%d"}}}`, i)
	if _, _, err := c.call(ctx, "lambda", http.MethodPut, "/2015-03-31/functions/"+name+"/configuration", "application/json", []byte(change)); err != nil {
		return 0, err
	}
	time.Sleep(pause)
	answer, took, err := c.call(ctx, "lambda", http.MethodPost, "/2015-03-31/functions/"+name+"/invocations", "application/json", []byte(`{"name":"ann"}`))
	if err == nil && string(answer) != `{"ok":true}` && string(answer) != `{"ok": true}` {
		err = fmt.Errorf("%s answered %s", name, answer)
	}
	return took, err
}
