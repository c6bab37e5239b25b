package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// benchPolicy is what the benchmark's user may do. It has a condition, as people's policies do.
const benchPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:*","Resource":"arn:aws:dynamodb:*:*:table/*",` +
	`"Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}]}`

// becomeUser makes t sign as a user whose policy has to be evaluated for each call.
func (t *target) becomeUser() error {
	signer := t.signer
	signer.Service = "iam"
	call := func(action string, parameters ...string) ([]byte, error) {
		form := url.Values{"Action": {action}, "Version": {"2010-05-08"}, "UserName": {"bench"}}
		for i := 0; i < len(parameters); i += 2 {
			form.Set(parameters[i], parameters[i+1])
		}
		body := form.Encode()
		r, err := http.NewRequest(http.MethodPost, t.url+"/", strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		sum := sha256.Sum256([]byte(body))
		if err := signer.SignHTTP(r, hex.EncodeToString(sum[:]), time.Now()); err != nil {
			return nil, err
		}
		answer, err := t.client.Do(r)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		out, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != http.StatusOK && action != "CreateUser" { // the user of an earlier run is there
			err = fmt.Errorf("%s: %s: %s", action, answer.Status, out)
		}
		return out, err
	}
	if _, err := call("CreateUser"); err != nil {
		return err
	}
	if _, err := call("PutUserPolicy", "PolicyName", "bench", "PolicyDocument", benchPolicy); err != nil {
		return err
	}
	out, err := call("CreateAccessKey")
	if err != nil {
		return err
	}
	var answer struct {
		Result struct {
			AccessKey struct{ AccessKeyId, SecretAccessKey string } //nolint:revive // AWS's spelling
		} `xml:"CreateAccessKeyResult"`
	}
	if err := xml.Unmarshal(out, &answer); err != nil {
		return err
	}
	t.signer.AccessKeyID, t.signer.Secret = answer.Result.AccessKey.AccessKeyId, answer.Result.AccessKey.SecretAccessKey
	return nil
}
