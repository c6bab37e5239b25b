package client

import (
	"context"
	"net/url"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// Drift is what a resource of a stack is, beside what it should be.
type Drift struct {
	LogicalID   string            `xml:"LogicalResourceId" json:"logical_id"`
	PhysicalID  string            `xml:"PhysicalResourceId" json:"physical_id"`
	Type        string            `xml:"ResourceType" json:"type"`
	Status      string            `xml:"StackResourceDriftStatus" json:"status"`
	Reason      string            `xml:"DriftStatusReason" json:"reason,omitempty"`
	Differences []DriftDifference `xml:"PropertyDifferences>member" json:"differences,omitempty"`
}

// DriftDifference is one property that is not what the template says. Kind is ADD, REMOVE or NOT_EQUAL.
type DriftDifference struct {
	Path     string `xml:"PropertyPath" json:"path"`
	Kind     string `xml:"DifferenceType" json:"kind"`
	Expected string `xml:"ExpectedValue" json:"expected"`
	Actual   string `xml:"ActualValue" json:"actual"`
}

// driftPoll is the wait between two questions whether a detection has ended.
const driftPoll = 100 * time.Millisecond

// DetectDrift compares the resources of a stack with its template, and returns those that can be compared.
func (c *Client) DetectDrift(ctx context.Context, stack string) ([]Drift, error) {
	var begun struct {
		ID string `xml:"DetectStackDriftResult>StackDriftDetectionId"`
	}
	if err := c.query(ctx, "cloudformation", cloudformationVersion, "DetectStackDrift", url.Values{"StackName": {stack}}, &begun); err != nil {
		return nil, err
	}
	for {
		var out struct {
			Status string `xml:"DescribeStackDriftDetectionStatusResult>DetectionStatus"`
		}
		if err := c.query(ctx, "cloudformation", cloudformationVersion, "DescribeStackDriftDetectionStatus", url.Values{"StackDriftDetectionId": {begun.ID}}, &out); err != nil {
			return nil, err
		}
		if out.Status != "DETECTION_IN_PROGRESS" {
			return c.drifts(ctx, stack)
		}
		if err := clock.Sleep(ctx, c.Clock, driftPoll); err != nil {
			return nil, err
		}
	}
}

func (c *Client) drifts(ctx context.Context, stack string) ([]Drift, error) {
	var all []Drift
	params := url.Values{"StackName": {stack}}
	for {
		var out struct {
			Drifts []Drift `xml:"DescribeStackResourceDriftsResult>StackResourceDrifts>member"`
			Next   string  `xml:"DescribeStackResourceDriftsResult>NextToken"`
		}
		if err := c.query(ctx, "cloudformation", cloudformationVersion, "DescribeStackResourceDrifts", params, &out); err != nil {
			return nil, err
		}
		if all = append(all, out.Drifts...); out.Next == "" {
			return all, nil
		}
		params.Set("NextToken", out.Next)
	}
}
