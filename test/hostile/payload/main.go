// Command payload is a function that means harm. It speaks the Runtime API by hand and does what the event asks for; its answer tells how far it
// came.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
)

// event is what a test asks for.
type event struct {
	Act   string
	Paths []string
}

func main() {
	if len(os.Args) > 1 {
		time.Sleep(time.Hour)
	}
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		if err := serve(base); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

func serve(base string) error {
	next, err := http.Get(base + "next")
	if err != nil {
		return err
	}
	var e event
	err = json.NewDecoder(next.Body).Decode(&e)
	_ = next.Body.Close()
	if err != nil {
		return err
	}
	out, err := json.Marshal(act(&e))
	if err != nil {
		return err
	}
	sent, err := http.Post(base+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", bytes.NewReader(out))
	if err != nil {
		return err
	}
	return sent.Body.Close()
}

// act does what the event asks for, and returns lines.
func act(e *event) []string {
	switch e.Act {
	case "sleep":
		time.Sleep(time.Hour)
	case "memory":
		return memory()
	case "fork":
		return fork()
	case "fill":
		return fill()
	case "call":
		return call()
	case "read":
		return read(e.Paths)
	case "write":
		return write(e.Paths)
	}
	return []string{"fine"}
}

// memory allocates and touches up to 4 GiB.
func memory() []string {
	var all [][]byte
	for range 256 {
		all = append(all, bytes.Repeat([]byte{1}, 16<<20))
	}
	return []string{fmt.Sprint("allocated ", len(all))}
}

// fork starts processes until one is refused.
func fork() []string {
	for n := range 20_000 {
		if err := exec.Command("/proc/self/exe", "child").Start(); err != nil {
			return []string{fmt.Sprintf("refused after %d: %v", n, err)}
		}
	}
	return []string{"never refused"}
}

// fill writes to /tmp until it is full.
func fill() []string {
	f, err := os.Create("/tmp/fill")
	if err != nil {
		return []string{err.Error()}
	}
	block := make([]byte, 1<<20)
	for n := range 4096 {
		if _, err := f.Write(block); err != nil {
			_ = f.Close()
			return []string{fmt.Sprintf("full after %d MiB: %v", n, err)}
		}
	}
	return []string{"never full"}
}

// call asks the platform for its tables and functions with the pair that everybody knows, with nothing, and with the function's own keys.
func call() []string {
	var out []string
	for _, s := range []*sigv4.Signer{
		{AccessKeyID: "test", Secret: "test"},
		nil,
		{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), Secret: os.Getenv("AWS_SECRET_ACCESS_KEY"), Token: os.Getenv("AWS_SESSION_TOKEN")},
	} {
		r, err := http.NewRequest(http.MethodGet, os.Getenv("AWS_ENDPOINT_URL")+"/2015-03-31/functions/", nil)
		if err != nil {
			return []string{err.Error()}
		}
		who := "nobody"
		if s != nil {
			who, s.Region, s.Service = s.AccessKeyID, "us-east-1", "lambda"
			if err := s.SignHTTP(r, sigv4.EmptyHash, time.Now()); err != nil {
				return []string{err.Error()}
			}
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			out = append(out, fmt.Sprintf("%.4s %v", who, err))
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		out = append(out, fmt.Sprintf("%.4s %d %s %s", who, answer.StatusCode, answer.Header.Get("X-Amzn-Errortype"), body))
	}
	return out
}

// read returns those of paths that can be read, as a file or a folder.
func read(paths []string) []string {
	out := []string{}
	for _, path := range paths {
		if _, err := os.ReadFile(path); err == nil {
			out = append(out, path)
		} else if list, err := os.ReadDir(path); err == nil && len(list) > 0 {
			out = append(out, path)
		}
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return out
	}
	for _, p := range processes {
		name, err := os.ReadFile("/proc/" + p.Name() + "/cmdline")
		if err == nil && strings.Contains(string(name), "hostile.test") {
			out = append(out, "process "+p.Name())
		}
	}
	return out
}

// write returns those of paths that can be written.
func write(paths []string) []string {
	out := []string{}
	for _, path := range paths {
		if err := os.WriteFile(path, []byte("mine"), 0o600); err == nil {
			out = append(out, path)
		}
	}
	return out
}
