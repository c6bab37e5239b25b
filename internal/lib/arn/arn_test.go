package arn_test

import (
	"testing"

	"lambent.dev/lambent/internal/lib/arn"
)

func TestParseKeepsEveryField(t *testing.T) {
	for _, s := range []string{
		"arn:aws:s3:::bucket/key:with:colons",
		"arn:aws:lambda:us-east-1:000000000000:function:f:PROD",
		"arn:aws-cn:iam::123456789012:role/path/r",
	} {
		a, err := arn.Parse(s)
		if err != nil {
			t.Errorf("Parse(%q): %v", s, err)
		}
		if got := a.String(); got != s {
			t.Errorf("Parse(%q).String() = %q", s, got)
		}
	}
	for _, s := range []string{"", "arn", "arn:aws", "arn:aws:s3::", "arn:aws:s3:::", "arn::s3:::b", "bucket", "ARN:aws:s3:::b"} {
		if a, err := arn.Parse(s); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", s, a)
		}
	}
}

func TestPatternComparesFieldByField(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "anything at all", true},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b/k/l:m", true},
		{"arn:aws:s3:::b", "arn:aws:s3:::b/k", false},
		{"arn:aws:sqs", "arn:aws:sqs:us-east-1:1:q", true},
		{"arn:aws:sqs:*:1:q", "arn:aws:sqs:us-east-1:2:1:q", false},
		{"arn:aws:lambda:*:*:function:f*", "arn:aws:lambda:us-east-1:1:function:fg:7", true},
		{"arn:aws:s3:::B", "arn:aws:s3:::b", false},
	} {
		if got := arn.Compile(tc.pattern).Match(tc.name); got != tc.want {
			t.Errorf("Compile(%q).Match(%q) = %v, want %v", tc.pattern, tc.name, got, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:s3:::bucket/key")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := arn.Parse(s); err == nil && a.String() != s {
			t.Errorf("Parse(%q).String() = %q", s, a.String())
		}
	})
}
