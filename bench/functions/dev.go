package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/bench/lab"
)

// devTemplate is an application with one function.
const devTemplate = `Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: hello, Runtime: python3.11, Handler: app.handler, CodeUri: code}
`

const (
	// devTargetMS is how long a change may take until a request runs it, in milliseconds.
	devTargetMS = 50
	// devPatience is how long a change may take before the measurement is given up.
	devPatience = 30 * time.Second
)

// dev measures how long it takes from the moment at which a file of a function is written until a request has been answered by the new code. Requests are made one after another from
// that moment on, so that it is known when the first one has.
func (b *bench) dev(ctx context.Context) (err error) {
	app := filepath.Join(b.dir, "dev-app")
	source := filepath.Join(app, "code", "app.py")
	if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(filepath.Join(app, "template.yaml"), []byte(devTemplate), 0o644), writeAnswer(source, 0)); err != nil {
		return err
	}
	p, err := lab.Up(ctx, lab.Options{Binary: b.binary, Dir: b.dir, DataDir: filepath.Join(b.dir, "dev"), App: app, Dev: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	c, err := newCaller(ctx, p)
	if err != nil {
		return err
	}
	var times []time.Duration
	for i := range b.samples + 1 {
		time.Sleep(settle)
		took, err := c.untilAnswers(ctx, source, i+1)
		if err != nil {
			return err
		}
		if i > 0 { // the first may come before the sources are watched
			times = append(times, took)
		}
	}
	p50 := lab.Percentile(times, 50)
	lab.Row("code change in lambent dev → a request has run it", fmt.Sprintf("≤ %d ms", devTargetMS),
		fmt.Sprintf("%s (p99 %s, %d changes)", lab.Ms(p50), lab.Ms(lab.Percentile(times, 99)), len(times)), p50 <= devTargetMS*time.Millisecond)
	return nil
}

func writeAnswer(source string, n int) error {
	return os.WriteFile(source, fmt.Appendf(nil, "def handler(event, context):\n    return %d\n", n), 0o644)
}

// untilAnswers changes the function's code, and invokes it until it answers with what was changed.
func (c *caller) untilAnswers(ctx context.Context, source string, n int) (time.Duration, error) {
	began := time.Now()
	if err := writeAnswer(source, n); err != nil {
		return 0, err
	}
	for {
		answer, _, err := c.call(ctx, "lambda", http.MethodPost, "/2015-03-31/functions/hello/invocations", "application/json", []byte(`{}`))
		took := time.Since(began)
		switch {
		case err != nil:
			return 0, err
		case strings.TrimSpace(string(answer)) == strconv.Itoa(n):
			return took, nil
		case took > devPatience:
			return 0, fmt.Errorf("change %d is not run after %v", n, took)
		}
	}
}
