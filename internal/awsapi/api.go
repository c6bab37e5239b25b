package awsapi

import (
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Meta is what has to be known of an API to recognise its requests. It is a Go
// literal in each generated package so that no schema is parsed for it.
type Meta struct {
	// Name is the generated package's name, such as "cognitoidp".
	Name string
	// ServiceID is the SDKs' name of the service, such as "DynamoDB Streams".
	ServiceID string
	// Version is the API version, such as "2012-08-10". Query requests carry it.
	Version string
	// EndpointPrefix is the first label of the service's AWS host name.
	EndpointPrefix string
	// SigningName is the service name in the credential scope of a signature.
	SigningName string
	// TargetPrefix is what X-Amz-Target starts with, without the dot; "" when
	// the API has no JSON-RPC protocol. rpcv2Cbor uses it in its paths.
	TargetPrefix string
	// Protocols lists the protocols that the API accepts; the first one is the
	// one that a request is answered in when it names none.
	Protocols []Protocol
	// JSONVersion is "1.0" or "1.1" for the awsJson protocols.
	JSONVersion string
	// XMLNamespace is the namespace of response documents, "" when none.
	XMLNamespace string
	// QueryCompatible is set when the API moved from awsQuery to another
	// protocol and its errors keep their old codes in x-amzn-query-error.
	QueryCompatible bool
}

// Protocol names an AWS protocol as the models do.
type Protocol string

// The protocols.
const (
	JSON     Protocol = "json"
	RESTJSON Protocol = "rest-json"
	RESTXML  Protocol = "rest-xml"
	Query    Protocol = "query"
	EC2      Protocol = "ec2"
	CBOR     Protocol = "smithy-rpc-v2-cbor"
	// OldCBOR is JSON with its documents in CBOR (application/x-amz-cbor-1.1) and times in milliseconds. No model names it; the Java clients of some
	// services speak it.
	OldCBOR Protocol = "amz-cbor"
)

// API is the descriptor of one AWS API.
type API struct {
	Meta

	parse func() (*Schema, error)
}

// Define makes the descriptor of an API from its schema text, packed with gzip,
// which is unpacked and parsed on the first call of Schema.
func Define(meta Meta, packed string) *API {
	return &API{Meta: meta, parse: sync.OnceValues(func() (*Schema, error) {
		text, err := unpack(packed)
		if err != nil {
			return nil, fmt.Errorf("unpack schema of %s: %w", meta.Name, err)
		}
		s, err := ParseSchema(text)
		if err != nil {
			return nil, fmt.Errorf("parse schema of %s: %w", meta.Name, err)
		}
		return s, nil
	})}
}

func unpack(packed string) (string, error) {
	r, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		return "", err
	}
	var text strings.Builder
	_, err = io.Copy(&text, r)
	return text.String(), err
}

// Schema returns the parsed schema. The texts in the tree always parse (a test
// holds that), so an error means a damaged build.
func (a *API) Schema() (*Schema, error) { return a.parse() }

// Has reports whether the API accepts protocol p.
func (a *API) Has(p Protocol) bool {
	return slices.Contains(a.Protocols, p)
}
