package sns

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// retryPolicy says how often and when a delivery over HTTP is tried again
// (https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html). Times are in seconds.
type retryPolicy struct {
	MinDelay      int    `json:"minDelayTarget"`
	MaxDelay      int    `json:"maxDelayTarget"`
	Retries       int    `json:"numRetries"`
	MaxDelayTries int    `json:"numMaxDelayRetries"`
	NoDelayTries  int    `json:"numNoDelayRetries"`
	MinDelayTries int    `json:"numMinDelayRetries"`
	Backoff       string `json:"backoffFunction"`
}

type requestPolicy struct {
	ContentType string `json:"headerContentType"`
}

// httpPolicy is the "http" part of a topic's delivery policy.
type httpPolicy struct {
	Retry    retryPolicy      `json:"defaultHealthyRetryPolicy"`
	Disable  bool             `json:"disableSubscriptionOverrides"`
	Throttle *json.RawMessage `json:"defaultThrottlePolicy,omitempty"`
	Request  requestPolicy    `json:"defaultRequestPolicy"`
}

func defaultRetry() retryPolicy {
	return retryPolicy{MinDelay: 20, MaxDelay: 20, Retries: 3, Backoff: "linear"}
}

const defaultContentType = "text/plain; charset=UTF-8"

func defaultHTTP() httpPolicy {
	return httpPolicy{Retry: defaultRetry(), Request: requestPolicy{defaultContentType}}
}

// delivery returns the delivery policy of a topic with the defaults.
func (r *topicRecord) delivery() httpPolicy {
	doc := struct {
		HTTP httpPolicy `json:"http"`
	}{defaultHTTP()}
	if text := r.Attributes["DeliveryPolicy"]; text != "" && json.Unmarshal([]byte(text), &doc) != nil {
		return defaultHTTP()
	}
	return doc.HTTP
}

func (r *topicRecord) effectiveDelivery() string {
	b, err := json.Marshal(map[string]httpPolicy{"http": r.delivery()})
	if err != nil {
		return ""
	}
	return string(b)
}

func setDeliveryPolicy(r *topicRecord, value, context string) error {
	if value == "" {
		delete(r.Attributes, "DeliveryPolicy")
		return nil
	}
	doc := struct {
		HTTP *httpPolicy `json:"http"`
	}{new(defaultHTTP())}
	if err := json.Unmarshal([]byte(value), &doc); err != nil {
		return invalid("%sDeliveryPolicy: failed to parse JSON.", context)
	}
	if doc.HTTP == nil {
		delete(r.Attributes, "DeliveryPolicy")
		return nil
	}
	if err := doc.HTTP.Retry.check(context + "DeliveryPolicy: http.defaultHealthyRetryPolicy"); err != nil {
		return err
	}
	r.Attributes["DeliveryPolicy"] = value
	return nil
}

// checkDelivery refuses a delivery policy of a subscription that cannot be followed.
func checkDelivery(value, context string) error {
	doc := struct {
		Retry *retryPolicy `json:"healthyRetryPolicy"`
	}{new(defaultRetry())}
	switch {
	case value == "":
		return nil
	case json.Unmarshal([]byte(value), &doc) != nil:
		return invalid("%sDeliveryPolicy: failed to parse JSON.", context)
	case doc.Retry == nil:
		return nil
	}
	return doc.Retry.check(context + "DeliveryPolicy: healthyRetryPolicy")
}

// check refuses a policy that cannot be followed; name is what errors call it.
func (p *retryPolicy) check(name string) error {
	switch {
	case p.MinDelay < 1 || p.MinDelay > p.MaxDelay:
		return invalid("%s.minDelayTarget must be between 1 and maxDelayTarget", name)
	case p.MaxDelay > 3600:
		return invalid("%s.maxDelayTarget must be at most 3600", name)
	case p.Retries < 0 || p.Retries > 100:
		return invalid("%s.numRetries must be between 0 and 100", name)
	case p.NoDelayTries+p.MinDelayTries+p.MaxDelayTries > p.Retries:
		return invalid("%s.numRetries must be at least the sum of the numbers of its phases", name)
	}
	return nil
}

// wait returns how long to wait before retry n, which counts from 1.
func (p *retryPolicy) wait(n int) time.Duration {
	second := func(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }
	lo, hi := float64(p.MinDelay), float64(p.MaxDelay)
	backoff := p.Retries - p.NoDelayTries - p.MinDelayTries - p.MaxDelayTries
	switch {
	case n <= p.NoDelayTries:
		return 0
	case n <= p.NoDelayTries+p.MinDelayTries:
		return second(lo)
	case n > p.Retries-p.MaxDelayTries || backoff <= 1:
		return second(hi)
	}
	x := float64(n-p.NoDelayTries-p.MinDelayTries-1) / float64(backoff-1) // 0 to 1
	switch strings.ToLower(p.Backoff) {
	case "exponential":
		return second(lo * math.Pow(hi/lo, x))
	case "arithmetic":
		return second(lo + (hi-lo)*x*(x+1)/2)
	case "geometric":
		return second(lo + (hi-lo)*x*x)
	}
	return second(lo + (hi-lo)*x)
}
