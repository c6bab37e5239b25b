// Command function is the function of the platform's benchmark. It speaks the Lambda runtime API by itself, so that what is measured is the
// platform and not a client library. For an upload, an item, a message or an event it logs "entered KEY NANOSECONDS", the Unix time at which it was entered; everything else
// it answers with "ok".
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		if err := serve(base); err != nil {
			fmt.Fprintln(os.Stderr, "bench function:", err)
			os.Exit(1)
		}
	}
}

// serve takes one invocation and answers it.
func serve(base string) error {
	next, err := http.Get(base + "next")
	if err != nil {
		return err
	}
	entered := time.Now()
	defer next.Body.Close()
	body, err := io.ReadAll(next.Body)
	if err != nil {
		return err
	}
	var event struct {
		// Source and Detail are those of an event of a bus.
		Source  string `json:"source"`
		Detail  struct{ Key string }
		Records []struct {
			Body string `json:"body"`
			S3   struct {
				Object struct {
					Key string `json:"key"`
				} `json:"object"`
			} `json:"s3"`
			DynamoDB struct {
				Keys struct {
					ID struct{ S string } `json:"id"`
				}
			} `json:"dynamodb"`
		}
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	if event.Source == "bench" {
		fmt.Println("entered", event.Detail.Key, entered.UnixNano())
	}
	for _, r := range event.Records {
		fmt.Println("entered", cmp.Or(r.S3.Object.Key, r.DynamoDB.Keys.ID.S, r.Body), entered.UnixNano())
	}
	answer, err := http.Post(base+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json",
		strings.NewReader(`{"statusCode":200,"headers":{"content-type":"text/plain"},"body":"ok"}`))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
