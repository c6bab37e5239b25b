package telemetry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Request is a request to subscribe.
type Request struct {
	// Extension is the name of the extension that subscribes.
	Extension string
	// Logs tells that it speaks the Logs API.
	Logs bool
	// Body is the JSON document of the request.
	Body []byte
}

// The limits of a subscription: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html.
const (
	defaultItems, minItems, maxItems = 10_000, 1_000, 10_000
	defaultBytes, minBytes, maxBytes = 256 << 10, 256 << 10, 1 << 20
	defaultWait, minWait, maxWait    = 1000, 25, 30_000 // ms
)

// settings are what a request asks for.
type settings struct {
	extension string
	types     []string
	items     int
	bytes     int
	wait      time.Duration
	tcp       bool
	port      uint16
	path      string
	dialect   dialect
}

type subscribeRequest struct {
	SchemaVersion string   `json:"schemaVersion"`
	Types         []string `json:"types"`
	Buffering     struct {
		MaxItems  *int `json:"maxItems"`
		MaxBytes  *int `json:"maxBytes"`
		TimeoutMs *int `json:"timeoutMs"`
	} `json:"buffering"`
	Destination struct {
		Protocol string `json:"protocol"`
		URI      string `json:"URI"`
		Port     *int   `json:"port"`
		Method   string `json:"method"`
		Encoding string `json:"encoding"`
	} `json:"destination"`
}

// parse checks a request. The error is for the extension.
func parse(r Request) (*settings, error) {
	var in subscribeRequest
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return nil, fmt.Errorf("the request body is not JSON of the expected form: %w", err)
	}
	s := &settings{extension: r.Extension, types: in.Types, dialect: modern}
	versions := []string{"2025-01-29", "2022-12-13", "2022-07-01"}
	if r.Logs {
		versions = []string{"2021-03-18", "2020-08-15", ""}
		s.dialect = legacy(in.SchemaVersion == "2021-03-18")
	}
	if !slices.Contains(versions, in.SchemaVersion) {
		return nil, fmt.Errorf("schemaVersion %q is none of %q", in.SchemaVersion, versions)
	}
	if len(in.Types) == 0 {
		return nil, fmt.Errorf("types is missing: give some of %s, %s and %s", Platform, Function, Extension)
	}
	for _, t := range in.Types {
		if t != Platform && t != Function && t != Extension {
			return nil, fmt.Errorf("types has %q, which is none of %s, %s and %s", t, Platform, Function, Extension)
		}
	}
	var err error
	if s.items, err = within("maxItems", in.Buffering.MaxItems, defaultItems, minItems, maxItems); err != nil {
		return nil, err
	}
	if s.bytes, err = within("maxBytes", in.Buffering.MaxBytes, defaultBytes, minBytes, maxBytes); err != nil {
		return nil, err
	}
	wait, err := within("timeoutMs", in.Buffering.TimeoutMs, defaultWait, minWait, maxWait)
	if err != nil {
		return nil, err
	}
	s.wait = time.Duration(wait) * time.Millisecond
	return s, s.aim(&in)
}

// within is a setting of the buffer.
func within(name string, given *int, normal, least, most int) (int, error) {
	if given == nil {
		return normal, nil
	}
	if *given < least || *given > most {
		return 0, fmt.Errorf("buffering.%s is %d, it must be from %d to %d", name, *given, least, most)
	}
	return *given, nil
}

// aim reads the destination, which is a port of the sandbox.
func (s *settings) aim(in *subscribeRequest) error {
	d := &in.Destination
	switch {
	case d.Protocol != "HTTP" && d.Protocol != "TCP":
		return fmt.Errorf("destination.protocol %q is neither HTTP nor TCP", d.Protocol)
	case d.Method != "" && d.Method != http.MethodPost:
		return fmt.Errorf("destination.method %q is not supported: events are sent by POST", d.Method)
	case d.Encoding != "" && d.Encoding != "JSON":
		return fmt.Errorf("destination.encoding %q is not supported: events are JSON", d.Encoding)
	}
	s.tcp = d.Protocol == "TCP"
	port := 0
	if d.Port != nil {
		port = *d.Port
	}
	s.path = "/"
	if d.URI != "" {
		u, err := url.Parse(d.URI)
		if err != nil || !slices.Contains([]string{"sandbox.localdomain", "sandbox", "localhost", "127.0.0.1"}, u.Hostname()) {
			return fmt.Errorf("destination.URI %q is not of the form http://sandbox.localdomain:PORT", d.URI)
		}
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return fmt.Errorf("destination.URI %q has no port", d.URI)
		}
		if u.RequestURI() != "" {
			s.path = u.RequestURI()
		}
	}
	if port < 1 || port > 65535 || port == reservedPort {
		return fmt.Errorf("destination has the port %d: give one from 1 to 65535 that is not %d", port, reservedPort)
	}
	s.port = uint16(port)
	return nil
}

// reservedPort is that of the Runtime API.
const reservedPort = 9001
