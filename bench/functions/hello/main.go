// Command hello is the Go function of the benchmark, which speaks the Lambda runtime API on a connection of its own: what is measured is the platform, not
// a client library. Without the platform it ends at once, as the program to compare with.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

func main() {
	at := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	if at == "" {
		return
	}
	fmt.Fprintln(os.Stderr, "hello:", serve(at))
	os.Exit(1)
}

const (
	prefix = "/2018-06-01/runtime/invocation/"
	next   = "GET " + prefix + "next HTTP/1.1\r\nHost: lambda\r\n\r\n"
	answer = `{"ok":true}`
)

// serve answers invocations until the connection breaks.
func serve(at string) error {
	c, err := net.Dial("tcp", at)
	if err != nil {
		return err
	}
	r := bufio.NewReader(c)
	out := next
	for {
		if _, err := c.Write([]byte(out)); err != nil {
			return err
		}
		var id string
		for id == "" { // the answer to what was sent before "next" comes first
			if id, err = read(r); err != nil {
				return err
			}
		}
		out = "POST " + prefix + id + "/response HTTP/1.1\r\nHost: lambda\r\nContent-Length: " + strconv.Itoa(len(answer)) + "\r\n\r\n" + answer + next
	}
}

// read reads one answer and returns the id of the invocation that it brings, if any.
func read(r *bufio.Reader) (id string, err error) {
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value = strings.TrimSpace(value); strings.ToLower(name) {
		case "":
			_, err = r.Discard(length)
			return id, err
		case "content-length":
			if length, err = strconv.Atoi(value); err != nil {
				return "", err
			}
		case "lambda-runtime-aws-request-id":
			id = value
		}
	}
}
