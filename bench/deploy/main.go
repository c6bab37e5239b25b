// Command deploy measures deploys: the transform of serverless templates against AWS's own program in one run, the plan of a large template, and deploys through the command line.
//
//	go run ./bench/deploy -corpus DIR -python PYTHON   all rows; DIR has AWS's test templates, PYTHON has aws-sam-translator (`make bench-deploy` gets both)
//	go run ./bench/deploy -only plan                   one part: sam, plan or stack
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/deploy/sam"
	"lambent.dev/lambent/internal/deploy/template"
)

func main() {
	var b bench
	only := flag.String("only", "", "measure one part: sam, plan or stack")
	flag.StringVar(&b.corpus, "corpus", "", "folder of the templates of AWS's transform")
	flag.StringVar(&b.python, "python", "", "an interpreter with aws-sam-translator")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds of each row")
	flag.Parse()
	if err := b.run(context.Background(), *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench/deploy:", err)
		os.Exit(1)
	}
}

type bench struct {
	corpus, python string
	rounds         int
}

func (b *bench) run(ctx context.Context, only string) error {
	if only == "" || only == "sam" {
		if err := b.transform(ctx); err != nil {
			return err
		}
	}
	if only == "sam" {
		return nil
	}
	return b.platform(ctx, only)
}

//go:embed peer.py
var peer string

// transform compares processor times for reading and transforming all templates of the corpus, best of the rounds.
func (b *bench) transform(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(b.corpus, "*.yaml"))
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasPrefix(filepath.Base(f), "error_") })
	if err != nil || len(files) == 0 || b.python == "" {
		return errors.New("-corpus and -python are needed for the transform: see make bench-deploy")
	}
	runtime.GC()
	ours, theirs := time.Duration(-1), time.Duration(-1)
	for range b.rounds {
		used, err := transformAll(files)
		if err != nil {
			return err
		}
		if ours < 0 || used < ours {
			ours = used
		}
		if used, err = b.peer(ctx, files); err != nil {
			return err
		}
		if theirs < 0 || used < theirs {
			theirs = used
		}
	}
	ratio := float64(theirs) / float64(ours)
	lab.Row(fmt.Sprintf("SAM transform of %d templates, CPU, against the Python translator", len(files)), "≥ 20 × faster",
		fmt.Sprintf("%.0f × (%s against %s a template)", ratio, lab.Ms(ours/time.Duration(len(files))), lab.Ms(theirs/time.Duration(len(files)))), ratio >= 20)
	return nil
}

// transformAll transforms the templates, from their texts on, and returns the processor time of the process for it.
func transformAll(files []string) (time.Duration, error) {
	texts := make([][]byte, len(files))
	for i, f := range files {
		var err error
		if texts[i], err = os.ReadFile(f); err != nil {
			return 0, err
		}
	}
	before, err := lab.CPUOf(os.Getpid())
	if err != nil {
		return 0, err
	}
	// The clock of processor time has steps of 10 ms: ten times over they do not matter.
	const times = 10
	for range times {
		for i, text := range texts {
			d, err := template.Parse(text)
			if err == nil {
				_, err = sam.Transform(d, sam.Options{
					Region: "ap-southeast-1", Parameters: map[string]any{"param1": "value1", "param2": "value2"},
					Application: func(string, string) (string, error) { return "https://example.com/template", nil },
				})
			}
			if err != nil {
				return 0, fmt.Errorf("%s: %w", files[i], err)
			}
		}
	}
	after, err := lab.CPUOf(os.Getpid())
	return (after - before) / times, err
}

// peer returns the processor time that AWS's program needs for the same, without its start.
func (b *bench) peer(ctx context.Context, files []string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, b.python, "-c", peer)
	cmd.Stdin, cmd.Stderr = strings.NewReader(strings.Join(files, "\n")), os.Stderr
	cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION=ap-southeast-1")
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("run AWS's program: %w", err)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return time.Duration(seconds * float64(time.Second)), err
}

// platform measures what a running platform does.
func (b *bench) platform(ctx context.Context, only string) (err error) {
	dir, err := os.MkdirTemp("", "lambent-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary := filepath.Join(dir, "lambent")
	if err := lab.Build(ctx, binary, nil); err != nil {
		return err
	}
	p, err := lab.Up(ctx, lab.Options{Binary: binary, Dir: dir, DataDir: filepath.Join(dir, "data")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if only != "stack" {
		if err := b.plan(ctx, p); err != nil {
			return err
		}
	}
	if only == "plan" {
		return nil
	}
	return b.stack(ctx, p, binary, filepath.Join(dir, "app"))
}

// plan makes change sets of a template with as many resources as a template may have.
func (b *bench) plan(ctx context.Context, p *lab.Platform) error {
	const resources = 500
	text := mixed(resources)
	bucket := "bench-templates"
	if err := p.EnsureBucket(ctx, bucket); err != nil {
		return err
	}
	if err := p.PutObject(ctx, bucket, "large.json", "", []byte(text)); err != nil {
		return err
	}
	var times []time.Duration
	for i := range b.rounds {
		began := time.Now()
		if _, err := p.CreateChangeSet(ctx, client.ChangeSet{Stack: "large", Name: "c" + strconv.Itoa(i), Create: true, TemplateURL: p.Endpoint + "/" + bucket + "/large.json"}); err != nil {
			return err
		}
		times = append(times, time.Since(began))
	}
	best := slices.Min(times)
	lab.Row(fmt.Sprintf("plan of a template of %d resources: CreateChangeSet through HTTP, best of %d", resources, b.rounds), "≤ 300 ms", lab.Ms(best), best <= 300*time.Millisecond)
	return nil
}

// stack deploys, deploys again and removes a stack of 30 resources through the command line.
func (b *bench) stack(ctx context.Context, p *lab.Platform, binary, app string) error {
	if err := os.MkdirAll(app, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(app, "template.json"), []byte(mixed(30)), 0o600); err != nil {
		return err
	}
	run := func(arguments ...string) (time.Duration, error) {
		cmd := exec.CommandContext(ctx, binary, append(arguments, "--endpoint", p.Endpoint)...)
		cmd.Dir = app
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%v: %w: %s", arguments, err, out)
		}
		return time.Since(began), nil
	}
	var created, unchanged []time.Duration
	for range b.rounds {
		for _, step := range []struct {
			arguments []string
			into      *[]time.Duration
		}{{[]string{"deploy", "."}, &created}, {[]string{"deploy", "."}, &unchanged}, {[]string{"delete", "app"}, nil}} {
			d, err := run(step.arguments...)
			if err != nil {
				return err
			}
			if step.into != nil {
				*step.into = append(*step.into, d)
			}
		}
	}
	best := slices.Min(created)
	lab.Row(fmt.Sprintf("`lambent deploy` creates a stack of 30 resources, best of %d", b.rounds), "≤ 2 s", lab.Ms(best), best <= 2*time.Second)
	best = slices.Min(unchanged)
	lab.Row(fmt.Sprintf("`lambent deploy` of the unchanged stack, best of %d", b.rounds), "≤ 0.5 s", lab.Ms(best), best <= 500*time.Millisecond)
	return nil
}

// mixed is a template of n resources of five types, some of which refer to others.
func mixed(n int) string {
	var b strings.Builder
	b.WriteString(`{"Resources":{`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		switch i % 5 {
		case 0:
			fmt.Fprintf(&b, `"Queue%d":{"Type":"AWS::SQS::Queue","Properties":{"VisibilityTimeout":%d}}`, i, 30+i%10)
		case 1:
			fmt.Fprintf(&b, `"Topic%d":{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":"t%d"}}`, i, i)
		case 2:
			fmt.Fprintf(&b, `"Log%d":{"Type":"AWS::Logs::LogGroup","Properties":{"RetentionInDays":7}}`, i)
		case 3:
			fmt.Fprintf(&b, `"Role%d":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",`+
				`"Principal":{"Service":"lambda.amazonaws.com"}}]},"Policies":[{"PolicyName":"p","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*",`+
				`"Resource":{"Fn::GetAtt":["Queue%d","Arn"]}}]}}]}}`, i, i-3)
		case 4:
			fmt.Fprintf(&b, `"Table%d":{"Type":"AWS::DynamoDB::Table","Properties":{"BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],`+
				`"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}}`, i)
		}
	}
	b.WriteString(`}}`)
	return b.String()
}
