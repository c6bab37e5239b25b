package sns

import (
	"testing"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/service"
)

func TestASubscriptionResourceIsInTheRegionOfItsTopic(t *testing.T) {
	h := newHarness(t, nil)
	home, abroad := h.ctx, service.InRegion(h.ctx, "eu-west-1")
	queue := h.queue(t, "q", nil)
	h.ctx = abroad
	topic := h.topic(t, "t", nil)
	first := &subscriptionProperties{TopicArn: topic, Protocol: "sqs", Endpoint: &queue, Region: new("eu-west-1")}
	made, err := h.impl.createSubscriptionResource(home, service.ResourceCall{}, first)
	if err != nil {
		t.Fatal(err)
	}
	second := *first
	second.RawMessageDelivery = new(true)
	c := service.ResourceCall{PhysicalID: made.PhysicalID}
	if _, err := h.impl.updateSubscriptionResource(home, c, first, &second); err != nil {
		t.Fatal(err)
	}
	got, _, err := h.impl.readSubscriptionResource(home, service.Identifier{made.PhysicalID})
	if err != nil || got.RawMessageDelivery == nil || !*got.RawMessageDelivery {
		t.Errorf("read %+v, %v", got, err)
	}
	if err := h.impl.deleteSubscriptionResource(home, c, &second); err != nil {
		t.Fatal(err)
	}
	if left := do[api.ListSubscriptionsOutput](t, h, "sns", "ListSubscriptions", &api.ListSubscriptionsInput{}).Subscriptions; len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	second.Region = nil
	if _, err := h.impl.createSubscriptionResource(home, service.ResourceCall{}, &second); service.Code(err) != "InvalidParameter" {
		t.Errorf("without a region: %v", err)
	}
}
