package durable

import (
	"encoding/base64"
	"errors"
	"strings"
)

// Ref names an execution.
type Ref struct {
	Account, Region string
	// Function and Version are what runs: the name of a function, and the number of a version or $LATEST.
	Function, Version string
	// Name is the caller's or a random one, ID is random.
	Name, ID string
}

// ARN is the execution's ARN.
func (r Ref) ARN() string { return r.FunctionARN() + "/durable-execution/" + r.Name + "/" + r.ID }

// FunctionARN is the ARN of the version that runs.
func (r Ref) FunctionARN() string {
	return "arn:aws:lambda:" + r.Region + ":" + r.Account + ":function:" + r.Function + ":" + r.Version
}

var errNoARN = errors.New("not the ARN of a durable execution")

// ParseARN reads an execution's ARN.
func ParseARN(s string) (Ref, error) {
	function, execution, ok := strings.Cut(s, "/durable-execution/")
	parts := strings.Split(function, ":")
	name, id, both := strings.Cut(execution, "/")
	if !ok || !both || len(parts) != 8 || parts[0] != "arn" || parts[2] != "lambda" || parts[5] != "function" {
		return Ref{}, errNoARN
	}
	r := Ref{Region: parts[3], Account: parts[4], Function: parts[6], Version: parts[7], Name: name, ID: id}
	for _, p := range []string{r.Region, r.Account, r.Function, r.Version, r.Name, r.ID} {
		if p == "" || strings.ContainsRune(p, '/') {
			return Ref{}, errNoARN
		}
	}
	return r, nil
}

// callbackID names a callback of an execution. The nonce makes it impossible to guess.
func callbackID(r Ref, operation, nonce string) string {
	return base64.StdEncoding.EncodeToString([]byte(r.ARN() + "#" + operation + "#" + nonce))
}

// ParseCallback reads the id of a callback: its execution, its operation, and what proves that the id was given out.
func ParseCallback(id string) (r Ref, operation, nonce string, err error) {
	b, err := base64.StdEncoding.DecodeString(id)
	parts := strings.Split(string(b), "#")
	if err != nil || len(parts) != 3 {
		return r, "", "", errNoCallback
	}
	if r, err = ParseARN(parts[0]); err != nil {
		return r, "", "", errNoCallback
	}
	return r, parts[1], parts[2], nil
}

var errNoCallback = errors.New("not the id of a callback")
