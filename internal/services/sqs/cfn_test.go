package sqs

import (
	"maps"
	"testing"
)

// What CloudFormation makes of attributes that a template no longer names was recorded from AWS.
func TestForgottenAttributes(t *testing.T) {
	got := map[string]string{}
	for _, name := range []string{"VisibilityTimeout", "MaximumMessageSize", "SqsManagedSseEnabled", "DeduplicationScope", "FifoThroughputLimit", "RedrivePolicy"} {
		forget(got, name)
	}
	if want := map[string]string{"VisibilityTimeout": "", "MaximumMessageSize": "262144", "RedrivePolicy": ""}; !maps.Equal(got, want) {
		t.Errorf("attributes are set to %v, want %v", got, want)
	}
}
