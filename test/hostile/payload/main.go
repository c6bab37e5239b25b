// Command payload is a function that means harm: it speaks the Runtime API by hand, does what its event asks for, and answers with what it could do. The files beside
// it are the same function in other languages.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"lambent.dev/lambent/internal/auth/sigv4"
)

// event is what a test asks for.
type event struct {
	Act  string
	Args []string
}

func main() {
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

// acts lists what can be asked for.
func acts() map[string]func(args []string) []string {
	return map[string]func([]string) []string{
		"ok":   func([]string) []string { return []string{"fine"} },
		"read": func(args []string) []string { return could(args, read) },
		"write": func(args []string) []string {
			return could(args, func(path string) bool { return os.WriteFile(path, []byte("mine"), 0o600) == nil })
		},
		"processes": processes,
		"signal":    func(args []string) []string { return could(args, kill) },
		"calls":     calls,
		"connect":   func(args []string) []string { return could(args, connect) },
		"http":      get,
		"listen":    func(args []string) []string { return could(args, listen) },
		"forge":     forge,
		"sign":      sign,
		"spawn":     spawn,
		"sleep":     func([]string) []string { time.Sleep(time.Hour); return nil },
		"fork":      fork,
		"memory":    memory,
		"fill":      fill,
		"files":     files,
		"spin":      spin,
		"shout":     shout,
		"exit":      func([]string) []string { os.Exit(3); return nil },
		"segfault":  segfault,
	}
}

// act does what the event asks for, and returns lines.
func act(e *event) []string {
	out := acts()[e.Act](e.Args)
	if out == nil {
		out = []string{}
	}
	return out
}

// could returns those of args that an attempt succeeds with.
func could(args []string, attempt func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !attempt(arg) })
}

func read(path string) bool {
	if list, err := os.ReadDir(path); err == nil {
		return len(list) > 0
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	n, _ := f.Read(make([]byte, 1))
	return f.Close() == nil && n > 0
}

// processes returns a line for each process that can be seen: its number, its arguments and its variables.
func processes([]string) (out []string) {
	all, _ := os.ReadDir("/proc")
	for _, p := range all {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		arguments, _ := os.ReadFile("/proc/" + p.Name() + "/cmdline")
		variables, _ := os.ReadFile("/proc/" + p.Name() + "/environ")
		out = append(out, strings.ReplaceAll(fmt.Sprintf("%s %s %s", p.Name(), arguments, variables), "\x00", " "))
	}
	return out
}

func kill(pid string) bool {
	n, err := strconv.Atoi(pid)
	return err == nil && syscall.Kill(n, syscall.SIGKILL) == nil
}

func segfault([]string) []string {
	_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
	time.Sleep(time.Hour)
	return nil
}

// calls makes system calls, given as a name, the number and the arguments, and returns the name with the error's number or "done".
func calls(args []string) (out []string) {
	for _, call := range args {
		words := strings.Fields(call)
		var raw [7]uintptr
		var kept [][]byte
		for i, w := range words[1:] {
			n, err := strconv.Atoi(w)
			raw[i] = uintptr(n)
			if err != nil {
				kept = append(kept, append([]byte(w), 0))
				raw[i] = uintptr(unsafe.Pointer(&kept[len(kept)-1][0]))
			}
		}
		answer := "done"
		if _, _, errno := syscall.RawSyscall6(raw[0], raw[1], raw[2], raw[3], raw[4], raw[5], raw[6]); errno != 0 {
			answer = strconv.Itoa(int(errno))
		}
		out = append(out, words[0]+" "+answer)
	}
	return out
}

func connect(address string) bool {
	c, err := net.DialTimeout(network(address), address, time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	n, _ := c.Read(make([]byte, 1))
	return n > 0
}

// network returns that of an address: one that begins with @ is an abstract socket's name.
func network(address string) string {
	if strings.HasPrefix(address, "@") {
		return "unix"
	}
	return "tcp"
}

// listen listens at an address for as long as the environment lives, and greets who comes.
func listen(address string) bool {
	l, err := net.Listen(network(address), address)
	if err != nil {
		return false
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
		}
	}()
	return true
}

// forge answers and fails invocations of others at the Runtime API.
func forge(ids []string) (out []string) {
	for _, id := range ids {
		for _, end := range []string{"response", "error"} {
			answer, err := http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/invocation/"+id+"/"+end, "application/json", strings.NewReader("{}"))
			if err != nil {
				return []string{err.Error()}
			}
			_ = answer.Body.Close()
			out = append(out, fmt.Sprint(end, " ", answer.StatusCode))
		}
	}
	return out
}

// get asks the platform for paths, without a signature.
func get(args []string) (out []string) {
	for _, path := range args {
		answer, err := http.Get(os.Getenv("AWS_ENDPOINT_URL") + path)
		if err != nil {
			return []string{err.Error()}
		}
		_ = answer.Body.Close()
		out = append(out, fmt.Sprint(path, " ", answer.StatusCode))
	}
	return out
}

func spawn(args []string) []string {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return []string{err.Error()}
	}
	return []string{"spawned"}
}

// memory allocates and touches up to 4 GiB.
func memory([]string) []string {
	var all [][]byte
	for range 256 {
		all = append(all, bytes.Repeat([]byte{1}, 16<<20))
	}
	return []string{fmt.Sprint("allocated ", len(all))}
}

// fork starts processes until one is refused.
func fork(args []string) []string {
	for n := range 20_000 {
		if err := exec.Command(args[0], args[1:]...).Start(); err != nil {
			return []string{fmt.Sprintf("refused after %d: %v", n, err)}
		}
	}
	return []string{"never refused"}
}

// fill writes to /tmp until it is full.
func fill([]string) []string {
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

// files opens files until one is refused.
func files([]string) []string {
	var all []*os.File
	defer func() {
		for _, f := range all {
			_ = f.Close()
		}
	}()
	for n := range 100_000 {
		f, err := os.Open("/dev/null")
		if err != nil {
			return []string{fmt.Sprintf("refused after %d: %v", n, err)}
		}
		all = append(all, f)
	}
	return []string{"never refused"}
}

func spin([]string) []string {
	for range 8 {
		go burn()
	}
	burn()
	return nil
}

func burn() {
	for n := uint64(0); ; n++ {
		_ = n
	}
}

func shout([]string) []string {
	line := []byte(strings.Repeat("noise ", 10_000) + "\n")
	for {
		_, _ = os.Stdout.Write(line)
	}
}

// sign asks the platform for its functions with the pair that everybody knows, with nothing, and with the function's own keys.
func sign([]string) []string {
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
