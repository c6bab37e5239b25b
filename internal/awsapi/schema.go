package awsapi

import "slices"

// Schema is the parsed schema text of an API.
type Schema struct {
	// Operations are in the order of the text, which is by name.
	Operations []*Operation
	// Shapes holds the named shapes; built-in ones such as ".string" are in it
	// as far as they are used.
	Shapes map[string]*Shape

	byName map[string]*Operation
}

// Operation returns the operation with that name, or nil.
func (s *Schema) Operation(name string) *Operation { return s.byName[name] }

// Operation is one operation of an API.
type Operation struct {
	Name string
	// Method and URI are the HTTP binding; URI may carry a query string that
	// a request has to match, as in "/{Bucket}?acl".
	Method, URI string
	// Status is the HTTP status of a success; 0 stands for 200.
	Status int
	// Input and Output are structures, nil when the model has none.
	Input, Output *Shape
	// InputName is the element name of a REST-XML input, and InputNamespace
	// its namespace.
	InputName, InputNamespace string
	// OutputName is the root element of a REST-XML output, "" for its shape's.
	OutputName string
	// ResultWrapper is the element that wraps an awsQuery result.
	ResultWrapper string
	// Errors are the modelled exceptions.
	Errors []*Shape
	// NoAuth is set for operations that take unsigned requests.
	NoAuth bool
	// UnsignedBody is set where the body is not part of the signature.
	UnsignedBody bool
	// HostPrefix is put in front of the host by clients, such as "stream-".
	HostPrefix string
	// ChecksumMember is the input member that names the checksum algorithm, and
	// ChecksumRequired says that a request must carry a checksum.
	ChecksumMember   string
	ChecksumRequired bool
	// Compression lists the content encodings that a request body may have.
	Compression []string
}

// Error returns the modelled exception with that code or shape name, or nil.
func (o *Operation) Error(code string) *Shape {
	for _, e := range o.Errors {
		if e.Name == code || e.ErrorCode == code {
			return e
		}
	}
	return nil
}

// Kind says what a shape is.
type Kind uint8

// The kinds of shapes.
const (
	String Kind = iota + 1
	Boolean
	Integer
	Long
	Float
	Double
	Timestamp
	Blob
	List
	Map
	Structure
	// Document is free-form JSON.
	Document
	// Opaque is a shape that a Go type with a codec of its own stands for.
	Opaque
)

// Shape is one type of an API.
type Shape struct {
	Name string
	Kind Kind

	// Members are a structure's members in the model's order.
	Members []Member
	// Element is a list's element or a map's value; Key is a map's key.
	Element, Key Member

	// Flattened lists and maps have no element of their own in XML and query.
	Flattened bool
	// Payload is the member that is the whole body in REST protocols, or "".
	Payload string
	// Union is set for a structure of which exactly one member is present.
	Union bool
	// EventStream is set for the union of a stream's events, and Event for a
	// structure that is one of them.
	EventStream, Event bool
	// Streaming is set for blobs that are never held in memory.
	Streaming bool
	// Namespace and NamespacePrefix are the shape's xmlns declaration.
	Namespace, NamespacePrefix string
	// XMLName is the root element when the shape is a payload, "" for the
	// member's or the shape's own name.
	XMLName string
	// TimestampFormat is "iso8601", "rfc822" or "unixTimestamp", "" for the
	// protocol's default.
	TimestampFormat string
	// Sparse lists and maps may hold nulls.
	Sparse bool

	// Exception is set for errors. ErrorCode is the code on the wire, which
	// the query protocols and query-compatible APIs use ("" for Name), Status
	// the HTTP status (0 when the model has none) and SenderFault whether the
	// caller is to blame.
	Exception   bool
	ErrorCode   string
	Status      int
	SenderFault bool

	// Min and Max bound the length of strings, blobs, lists and maps and the
	// value of numbers; Pattern and Enum restrict strings.
	Min, Max *float64
	Pattern  string
	Enum     []string
	// Sensitive values must not be logged.
	Sensitive bool
}

// Member returns the member with that name, or nil.
func (s *Shape) Member(name string) *Member {
	i := slices.IndexFunc(s.Members, func(m Member) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Members[i]
}

// Constrained reports whether values of the shape itself can break the model.
func (s *Shape) Constrained() bool {
	return s.Min != nil || s.Max != nil || s.Pattern != "" || len(s.Enum) > 0
}

// Location says where in an HTTP message a member travels.
type Location uint8

// The locations.
const (
	Body Location = iota
	Header
	// Headers is a map in all headers that start with the member's wire name.
	Headers
	URI
	// QueryString is a parameter, or for a map all parameters not named.
	QueryString
	StatusCode
)

// Member is one member of a structure, or the element, key or value of a list
// or map (then Name is empty).
type Member struct {
	Name  string
	Shape *Shape
	// WireName is the name on the wire, "" for the protocol's default.
	WireName string
	// JSONName is the name in JSON and CBOR where it differs from WireName.
	JSONName string
	// QueryName is the name in ec2Query requests where it differs.
	QueryName string
	Required  bool
	Location  Location
	// Flattened repeats the member's element instead of wrapping it.
	Flattened bool
	// XMLAttribute puts the member into its parent's start tag.
	XMLAttribute bool
	// Namespace and NamespacePrefix are the member's xmlns declaration.
	Namespace, NamespacePrefix string
	// IdempotencyToken is filled in by clients that leave it out.
	IdempotencyToken bool
	// Streaming marks the body of a request or response.
	Streaming bool
	// JSONValue is a string in a header that holds base64 JSON.
	JSONValue bool
	// HostLabel is also a label of the host name.
	HostLabel bool
	// EventPayload and EventHeader place the member in an event's message.
	EventPayload, EventHeader bool
	// TimestampFormat overrides the shape's.
	TimestampFormat string
}
