// Command seen is the function of the crash suite: it leaves a row in a table for everything that it is told of: an object, an item of a table's
// stream, a message of a queue, a record of a data stream, or an event that names what to remember. An event can also have it take memory.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
)

type event struct {
	Remember string
	// Eat is how much memory to take, in MiB, and to hold for a while.
	Eat     int
	Records []struct {
		Body    string `json:"body"`
		Kinesis struct {
			Data []byte `json:"data"`
		} `json:"kinesis"`
		DynamoDB struct {
			Keys struct {
				ID struct{ S string } `json:"id"`
			}
		} `json:"dynamodb"`
		S3 struct {
			Object struct {
				Key  string `json:"key"`
				ETag string `json:"eTag"`
			} `json:"object"`
		} `json:"s3"`
	}
}

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(api + "next")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		body, err := io.ReadAll(next.Body)
		next.Body.Close()
		if err == nil {
			err = handle(body)
		}
		path, answer := "/response", []byte("null")
		if err != nil {
			path = "/error"
			answer, _ = json.Marshal(map[string]string{"errorType": "Seen", "errorMessage": err.Error()})
		}
		done, err := http.Post(api+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+path, "application/json", bytes.NewReader(answer))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		done.Body.Close()
	}
}

func handle(body []byte) error {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	if e.Remember != "" {
		return remember(e.Remember)
	}
	if e.Eat > 0 {
		eat(e.Eat)
	}
	for _, r := range e.Records {
		if id := r.Body + r.DynamoDB.Keys.ID.S + string(r.Kinesis.Data); id != "" {
			if err := remember(id); err != nil {
				return err
			}
			continue
		}
		key, err := url.QueryUnescape(r.S3.Object.Key)
		if err != nil {
			return err
		}
		if err := remember(key + " " + r.S3.Object.ETag); err != nil {
			return err
		}
	}
	return nil
}

// eat takes memory, a MiB at a time, and gives it back a moment after it has all of it.
func eat(size int) {
	var kept [][]byte
	for range size {
		part := make([]byte, 1<<20)
		for i := 0; i < len(part); i += 4096 {
			part[i] = 1
		}
		kept = append(kept, part)
	}
	time.Sleep(2 * time.Second)
	runtime.KeepAlive(kept)
}

func remember(id string) error {
	body, err := json.Marshal(map[string]any{
		"TableName": os.Getenv("TABLE"), "Item": map[string]any{"id": map[string]string{"S": id}},
	})
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, os.Getenv("AWS_ENDPOINT_URL")+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.PutItem")
	signer := sigv4.Signer{
		AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), Secret: os.Getenv("AWS_SECRET_ACCESS_KEY"), Token: os.Getenv("AWS_SESSION_TOKEN"),
		Region: os.Getenv("AWS_REGION"), Service: "dynamodb",
	}
	if err := signer.SignHTTP(r, sigv4.Hash(body), time.Now()); err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", answer.StatusCode, text)
	}
	return nil
}
