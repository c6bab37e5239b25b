package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
)

const bucket = "crash-objects"

// client makes the calls of the suite; it never retries.
type client struct {
	endpoint string
	http     *http.Client
}

func newClient(address string) *client {
	return &client{endpoint: "http://" + address, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
}

// refusal is an answer that is an error.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.body) }

func (c *client) do(ctx context.Context, service, method, target string, header http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.endpoint+target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	signer := sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: "us-east-1", Service: service, S3: service == "s3"}
	if err := signer.SignHTTP(r, sigv4.Hash(body), time.Now()); err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		return nil, &refusal{answer.StatusCode, string(got)}
	}
	return got, nil
}

func (c *client) dynamodb(ctx context.Context, operation string, in map[string]any, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"DynamoDB_20120810." + operation}}
	got, err := c.do(ctx, "dynamodb", http.MethodPost, "/", header, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(got, out)
}

func text(s string) map[string]string { return map[string]string{"S": s} }

func (c *client) putItem(ctx context.Context, id string, value []byte) error {
	return c.dynamodb(ctx, "PutItem", map[string]any{
		"TableName": "items", "Item": map[string]any{"id": text(id), "v": map[string][]byte{"B": value}},
	}, nil)
}

func (c *client) increment(ctx context.Context) error {
	return c.dynamodb(ctx, "UpdateItem", map[string]any{
		"TableName": "items", "Key": map[string]any{"id": text("counter")}, "UpdateExpression": "ADD n :one",
		"ExpressionAttributeValues": map[string]any{":one": map[string]string{"N": "1"}},
	}, nil)
}

// item is a row of either table; only the fields of its kind are filled.
type item struct {
	ID struct{ S string }  `json:"id"`
	V  *struct{ B []byte } `json:"v"`
	N  *struct{ N string } `json:"n"`
}

// rows reads a whole table.
func (c *client) rows(ctx context.Context, table string) (map[string]item, error) {
	all := map[string]item{}
	in := map[string]any{"TableName": table, "ConsistentRead": true}
	for {
		var out struct {
			Items            []item
			LastEvaluatedKey json.RawMessage
		}
		if err := c.dynamodb(ctx, "Scan", in, &out); err != nil {
			return nil, fmt.Errorf("scan %s: %w", table, err)
		}
		for _, i := range out.Items {
			all[i.ID.S] = i
		}
		if len(out.LastEvaluatedKey) == 0 {
			return all, nil
		}
		in["ExclusiveStartKey"] = out.LastEvaluatedKey
	}
}

// counter reads the shared counter.
func (c *client) counter(ctx context.Context) (int, error) {
	var out struct{ Item item }
	err := c.dynamodb(ctx, "GetItem", map[string]any{
		"TableName": "items", "ConsistentRead": true, "Key": map[string]any{"id": text("counter")},
	}, &out)
	if err != nil || out.Item.N == nil {
		return 0, err
	}
	return strconv.Atoi(out.Item.N.N)
}

func (c *client) putObject(ctx context.Context, key string, body []byte) error {
	_, err := c.do(ctx, "s3", http.MethodPut, "/"+bucket+"/"+key, nil, body)
	return err
}

// putJoined puts an object as a multipart upload of one part.
func (c *client) putJoined(ctx context.Context, key string, body []byte) error {
	target := "/" + bucket + "/" + key
	got, err := c.do(ctx, "s3", http.MethodPost, target+"?uploads", nil, nil)
	if err != nil {
		return err
	}
	var up struct {
		UploadID string `xml:"UploadId"`
	}
	if err := xml.Unmarshal(got, &up); err != nil {
		return fmt.Errorf("begin an upload: %w", err)
	}
	id := url.QueryEscape(up.UploadID)
	if _, err := c.do(ctx, "s3", http.MethodPut, target+"?partNumber=1&uploadId="+id, nil, body); err != nil {
		return err
	}
	parts := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + etag(body) + "</ETag></Part></CompleteMultipartUpload>"
	_, err = c.do(ctx, "s3", http.MethodPost, target+"?uploadId="+id, nil, []byte(parts))
	return err
}

func (c *client) getObject(ctx context.Context, key string) ([]byte, error) {
	return c.do(ctx, "s3", http.MethodGet, "/"+bucket+"/"+key, nil, nil)
}

// objects returns the ETag of every object by key, without quotes.
func (c *client) objects(ctx context.Context) (map[string]string, error) {
	all, token := map[string]string{}, ""
	for {
		query := "?list-type=2"
		if token != "" {
			query = "?continuation-token=" + url.QueryEscape(token) + "&list-type=2"
		}
		got, err := c.do(ctx, "s3", http.MethodGet, "/"+bucket+query, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		var out struct {
			Contents              []struct{ Key, ETag string }
			NextContinuationToken string
		}
		if err := xml.Unmarshal(got, &out); err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		for _, o := range out.Contents {
			all[o.Key] = strings.Trim(o.ETag, `"`)
		}
		if token = out.NextContinuationToken; token == "" {
			return all, nil
		}
	}
}
