// Package arn parses, formats and matches Amazon Resource Names.
//
// An ARN has six fields separated by colons: arn, partition, service, region, account and
// resource. Only the resource may itself hold colons. The package knows the shape and nothing
// about the services; see
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html.
package arn

import (
	"errors"
	"strings"

	"lambent.dev/lambent/internal/lib/glob"
)

// ErrInvalid tells that a text is not an ARN.
var ErrInvalid = errors.New("not an ARN: expected arn:partition:service:region:account:resource")

// fields is the number of colon-separated fields of an ARN.
const fields = 6

// ARN is a parsed Amazon Resource Name. The zero value is not a valid name.
type ARN struct {
	// Partition is aws, aws-cn or aws-us-gov.
	Partition string
	// Service is the service's namespace, such as s3.
	Service string
	// Region is empty for global resources.
	Region string
	// Account is the 12-digit owner, or empty where the service leaves it out (S3 buckets).
	Account string
	// Resource is everything after the fifth colon.
	Resource string
}

// Parse splits s into its fields. It asks for the arn prefix, a partition, a service and a
// resource; whether these exist is for the service to say.
func Parse(s string) (ARN, error) {
	rest, ok := strings.CutPrefix(s, "arn:")
	if !ok {
		return ARN{}, ErrInvalid
	}
	var f [fields - 1]string
	for i := range len(f) - 1 {
		f[i], rest, ok = strings.Cut(rest, ":")
		if !ok {
			return ARN{}, ErrInvalid
		}
	}
	f[len(f)-1] = rest
	if f[0] == "" || f[1] == "" || rest == "" {
		return ARN{}, ErrInvalid
	}
	return ARN{Partition: f[0], Service: f[1], Region: f[2], Account: f[3], Resource: f[4]}, nil
}

// New returns the name of a resource in the aws partition.
func New(service, region, account, resource string) ARN {
	return ARN{Partition: "aws", Service: service, Region: region, Account: account, Resource: resource}
}

// String joins the fields.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Split cuts the resource at its first slash or colon into a type and an id: "function" and
// "f" for "function:f". A resource without a separator has an empty type.
func (a ARN) Split() (kind, id string) {
	if i := strings.IndexAny(a.Resource, "/:"); i >= 0 {
		return a.Resource[:i], a.Resource[i+1:]
	}
	return "", a.Resource
}

// Pattern is a compiled ARN pattern. Its fields are compared one by one, so that a wildcard
// never reaches over a colon, except in the resource. A pattern with fewer than six fields is
// completed with wildcards, and "*" matches everything, as IAM's Resource element does.
type Pattern struct {
	any  bool
	head [fields - 1]glob.Pattern
	tail glob.Pattern
}

// Compile prepares a pattern that has no policy variables. Every text is a pattern.
func Compile(s string) *Pattern {
	segs := SplitPattern(s)
	p := &Pattern{any: s == "*"}
	for i := range p.head {
		p.head[i] = glob.Compile(segs[i])
	}
	p.tail = glob.Compile(segs[fields-1])
	return p
}

// SplitPattern returns the six fields of a pattern, completed with "*" where they are missing.
func SplitPattern(s string) [6]string {
	out := [fields]string{"*", "*", "*", "*", "*", "*"}
	copy(out[:], strings.SplitN(s, ":", fields))
	return out
}

// Match reports whether the name s matches. A name that is not an ARN matches only "*".
func (p *Pattern) Match(s string) bool {
	if p.any {
		return true
	}
	for i := range p.head {
		seg, rest, ok := strings.Cut(s, ":")
		if !ok || !p.head[i].Match(seg) {
			return false
		}
		s = rest
	}
	return p.tail.Match(s)
}
