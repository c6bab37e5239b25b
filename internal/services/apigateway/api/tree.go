package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// Tree is what a deployment copies: all that decides how a stage answers, apart from the settings of the stage.
type Tree struct {
	// Policy is the resource policy, a document in JSON; empty means none.
	Policy string `json:",omitempty"`
	// BinaryMediaTypes are the media types whose bodies are not text, such as "image/png" or "*/*".
	BinaryMediaTypes []string `json:",omitempty"`
	// MinimumCompression is the least size in bytes of an answer that is compressed; nil means that none is.
	MinimumCompression *int32 `json:",omitempty"`
	// KeySource is where a request has its API key: HEADER or AUTHORIZER.
	KeySource string
	// NoEndpoint tells that the API answers under custom domain names alone (disableExecuteApiEndpoint).
	NoEndpoint bool `json:",omitempty"`

	// Resources are the resources by id. ResourceMethods holds the methods by their HTTP method or ANY, each with its MethodIntegration; Path is
	// complete, such as "/pets/{id}". The root has the path "/" and neither parent nor path part.
	Resources map[string]*aws.Resource
	// Models are the models by name.
	Models map[string]*aws.Model `json:",omitempty"`
	// Validators are the request validators by id.
	Validators map[string]*aws.RequestValidator `json:",omitempty"`
	// Authorizers are the authorizers by id.
	Authorizers map[string]*aws.Authorizer `json:",omitempty"`
	// Responses are the gateway responses that differ from AWS's own, by type, such as DEFAULT_4XX.
	Responses map[string]*aws.GatewayResponse `json:",omitempty"`
}

// Root returns the resource with the path "/", or nil in a tree without resources.
func (t *Tree) Root() *aws.Resource {
	for _, r := range t.Resources {
		if r.ParentId == nil {
			return r
		}
	}
	return nil
}

// plainTree is the size in bytes up to which a tree is stored as it is.
const plainTree = 32 << 10

// Encode returns the stored form of a tree and the hash of its content. Trees of one content have one form.
func (t *Tree) Encode() (stored []byte, hash string, err error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return nil, "", fmt.Errorf("encode a tree: %w", err)
	}
	sum := sha256.Sum256(plain)
	hash = hex.EncodeToString(sum[:16])
	if len(plain) <= plainTree {
		return plain, hash, nil
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, "", err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), hash, nil
}

// DecodeTree returns the tree of a stored form.
func DecodeTree(stored []byte) (*Tree, error) {
	var from io.Reader = bytes.NewReader(stored)
	if len(stored) > 0 && stored[0] != '{' {
		z, err := gzip.NewReader(from)
		if err != nil {
			return nil, fmt.Errorf("decode a tree: %w", err)
		}
		from = z
	}
	var t Tree
	if err := json.NewDecoder(from).Decode(&t); err != nil {
		return nil, fmt.Errorf("decode a tree: %w", err)
	}
	return &t, nil
}
