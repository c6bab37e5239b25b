// Command registry writes the registry schemas of internal/deploy/registry from an installed cfn-lint, whose package carries AWS's schemas under MIT-0:
//
//	pip install --target DIR cfn-lint==1.58.0
//	go run ./tools/registry DIR/cfnlint/data/schemas
//
// It keeps what tells a value's form and what a change of it does, of the services in [services], and drops every description.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const out = "internal/deploy/registry/types.json.gz"

// services are those whose types a serverless application names.
var services = strings.Fields(`ApiGateway ApiGatewayV2 AppSync CertificateManager CloudFormation CloudFront CloudWatch CodeDeploy Cognito DynamoDB EC2 ECR ECS EFS
	ElasticLoadBalancingV2 EventSchemas Events IAM KMS Kinesis KinesisFirehose Lambda Logs Pipes RDS Route53 S3 SNS SQS SSM Scheduler SecretsManager StepFunctions`)

// kept are the members of a schema that are carried over; those of the first list hold schemas in their turn.
var (
	nested = []string{"properties", "patternProperties", "definitions"}
	kept   = []string{
		"type", "enum", "default", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "required", "$ref",
		"createOnlyProperties", "conditionalCreateOnlyProperties", "readOnlyProperties", "writeOnlyProperties", "primaryIdentifier",
	}
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: registry FOLDER-OF-SCHEMAS")
	}
	var index map[string]string
	if err := read(filepath.Join(args[0], "providers", "us-east-1.json"), &index); err != nil {
		return err
	}
	types := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(index)) {
		parts := strings.Split(name, "::")
		if len(parts) != 3 || !slices.Contains(services, parts[1]) {
			continue
		}
		var schema map[string]any
		if err := read(filepath.Join(args[0], "resources", index[name]+".json"), &schema); err != nil {
			return err
		}
		types[name] = reduce(schema)
	}
	text, err := json.Marshal(types)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

func read(file string, into any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// reduce returns what of a schema is kept.
func reduce(schema map[string]any) map[string]any {
	small := map[string]any{}
	for key, v := range schema {
		inner, isSchema := v.(map[string]any)
		switch {
		case slices.Contains(nested, key) && isSchema:
			members := map[string]any{}
			for name, member := range inner {
				if s, ok := member.(map[string]any); ok {
					members[name] = reduce(s)
				}
			}
			small[key] = members
		case key == "items" && isSchema:
			small[key] = reduce(inner)
		case slices.Contains(kept, key):
			small[key] = v
		}
	}
	return small
}
