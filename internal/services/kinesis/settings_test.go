package kinesis

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
)

func (h *harness) summary(t testing.TB) *api.StreamDescriptionSummary {
	t.Helper()
	return do[api.DescribeStreamSummaryOutput](t, h, "DescribeStreamSummary", `{"StreamName": "s"}`).StreamDescriptionSummary
}

func TestStreamIsMadeAsAsked(t *testing.T) {
	h := newHarness(t)
	do[api.CreateStreamOutput](t, h, "CreateStream", `{"StreamName": "s", "MaxRecordSizeInKiB": 2048, "WarmThroughputMiBps": 8, "Tags": {"a": "b"}}`)
	want := &api.StreamDescriptionSummary{
		StreamName: "s", StreamARN: streamARN, StreamStatus: "ACTIVE", StreamModeDetails: &api.StreamModeDetails{StreamMode: "ON_DEMAND"}, RetentionPeriodHours: 24,
		StreamCreationTimestamp: h.clock.Now(), EnhancedMonitoring: []api.EnhancedMetrics{{ShardLevelMetrics: []string{}}}, EncryptionType: "NONE", OpenShardCount: 4,
		ConsumerCount: new(int32(0)), WarmThroughput: &api.WarmThroughputObject{TargetMiBps: new(int32(8)), CurrentMiBps: new(int32(8))}, MaxRecordSizeInKiB: new(int32(2048)),
	}
	if d := cmp.Diff(want, h.summary(t)); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
	h.refused(t, codeInUse, "CreateStream", `{"StreamName": "s"}`)
	h.refused(t, codeValidation, "CreateStream", `{"StreamName": "t", "ShardCount": 2, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}`)
	h.refused(t, codeValidation, "CreateStream", `{"StreamName": "t", "StreamModeDetails": {"StreamMode": "PROVISIONED"}}`)
	h.refused(t, codeLimit, "CreateStream", `{"StreamName": "t", "ShardCount": 20000}`)
	for i := range maxOnDemand - 1 {
		do[api.CreateStreamOutput](t, h, "CreateStream", fmt.Sprintf(`{"StreamName": "d%d"}`, i))
	}
	h.refused(t, codeLimit, "CreateStream", `{"StreamName": "t"}`)
	limits := do[api.DescribeLimitsOutput](t, h, "DescribeLimits", `{}`)
	if limits.OnDemandStreamCount != maxOnDemand || limits.OpenShardCount != 0 {
		t.Errorf("limits %+v", limits)
	}
}

func TestStreamsAreNamedInSeveralWays(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	for _, in := range []string{`{"StreamName": "s"}`, `{"StreamARN": "` + streamARN + `"}`, `{"StreamName": "s", "StreamARN": "` + streamARN + `"}`} {
		do[api.DescribeStreamOutput](t, h, "DescribeStream", in)
	}
	for _, in := range []string{`{}`, `{"StreamName": "t", "StreamARN": "` + streamARN + `"}`, `{"StreamARN": "arn:aws:kinesis:eu-west-1:000000000000:stream/s"}`, `{"StreamId": "abcdefghijklmnopqrst-abc"}`} {
		h.refused(t, codeInvalid, "DescribeStream", in)
	}
	for _, in := range []string{`{"StreamName": "t"}`, `{"StreamARN": "arn:aws:kinesis:us-east-1:111111111111:stream/s"}`} {
		h.refused(t, codeNotFound, "DescribeStream", in)
	}
	_, err := call[api.DescribeStreamOutput](t, h, "DescribeStream", `{"StreamName": "t"}`)
	if want := "ResourceNotFoundException: Stream t under account 000000000000 not found."; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

func TestStreamsAreListedByPages(t *testing.T) {
	h := newHarness(t)
	for _, name := range []string{"c", "a", "b"} {
		h.create(t, name, 1)
	}
	first := do[api.ListStreamsOutput](t, h, "ListStreams", `{"Limit": 2}`)
	if strings.Join(first.StreamNames, " ") != "a b" || !first.HasMoreStreams || first.NextToken == nil || first.StreamSummaries[1].StreamName != "b" {
		t.Errorf("first page %+v", first)
	}
	for _, in := range []*api.ListStreamsInput{{NextToken: first.NextToken}, {ExclusiveStartStreamName: new("b")}} {
		if page := do[api.ListStreamsOutput](t, h, "ListStreams", in); strings.Join(page.StreamNames, " ") != "c" || page.HasMoreStreams {
			t.Errorf("next page %+v", page)
		}
	}
}

func TestSettingsAreShownAsTheyWereMade(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	do[api.StartStreamEncryptionOutput](t, h, "StartStreamEncryption", `{"StreamName": "s", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}`)
	if out := h.put(t, "s", "k", "x"); out.EncryptionType != "KMS" {
		t.Errorf("encryption of a record: %q", out.EncryptionType)
	}
	do[api.EnableEnhancedMonitoringOutput](t, h, "EnableEnhancedMonitoring", `{"StreamName": "s", "ShardLevelMetrics": ["ALL"]}`)
	out := do[api.DisableEnhancedMonitoringOutput](t, h, "DisableEnhancedMonitoring", `{"StreamName": "s", "ShardLevelMetrics": ["IncomingBytes"]}`)
	if len(out.CurrentShardLevelMetrics) != 7 || len(out.DesiredShardLevelMetrics) != 6 {
		t.Errorf("metrics %+v", out)
	}
	got := h.summary(t)
	if got.EncryptionType != "KMS" || *got.KeyId != "alias/aws/kinesis" || len(got.EnhancedMonitoring[0].ShardLevelMetrics) != 6 {
		t.Errorf("summary %+v", got)
	}
	do[api.StopStreamEncryptionOutput](t, h, "StopStreamEncryption", `{"StreamName": "s", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}`)
	if out := h.put(t, "s", "k", "x"); out.EncryptionType != "" {
		t.Errorf("encryption of a record afterwards: %q", out.EncryptionType)
	}
	records := h.get(t, h.iterator(t, "s", firstShard, "TRIM_HORIZON")).Records
	if records[0].EncryptionType != "KMS" || records[1].EncryptionType != "" {
		t.Errorf("records %+v", records)
	}
	h.refused(t, codeValidation, "UpdateStreamWarmThroughput", `{"StreamName": "s", "WarmThroughputMiBps": 5}`)
	do[api.UpdateStreamModeOutput](t, h, "UpdateStreamMode", `{"StreamARN": "`+streamARN+`", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}`)
	do[api.UpdateStreamWarmThroughputOutput](t, h, "UpdateStreamWarmThroughput", `{"StreamName": "s", "WarmThroughputMiBps": 5}`)
	if got := h.summary(t); got.StreamModeDetails.StreamMode != "ON_DEMAND" || *got.WarmThroughput.TargetMiBps != 5 {
		t.Errorf("summary %+v", got)
	}
}

func TestTagsOfStreamsAndConsumers(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	consumer := h.register(t, "c")
	do[api.AddTagsToStreamOutput](t, h, "AddTagsToStream", `{"StreamName": "s", "Tags": {"a": "1", "b": "2", "c": "3"}}`)
	do[api.RemoveTagsFromStreamOutput](t, h, "RemoveTagsFromStream", `{"StreamName": "s", "TagKeys": ["b"]}`)
	page := do[api.ListTagsForStreamOutput](t, h, "ListTagsForStream", `{"StreamName": "s", "Limit": 1}`)
	if len(page.Tags) != 1 || page.Tags[0].Key != "a" || !page.HasMoreTags {
		t.Errorf("first page %+v", page)
	}
	if page = do[api.ListTagsForStreamOutput](t, h, "ListTagsForStream", `{"StreamName": "s", "ExclusiveStartTagKey": "a"}`); len(page.Tags) != 1 || page.HasMoreTags {
		t.Errorf("second page %+v", page)
	}
	for _, arn := range []string{streamARN, consumer} {
		do[api.TagResourceOutput](t, h, "TagResource", &api.TagResourceInput{ResourceARN: arn, Tags: map[string]string{"x": "y", "z": ""}})
		do[api.UntagResourceOutput](t, h, "UntagResource", &api.UntagResourceInput{ResourceARN: arn, TagKeys: []string{"z"}})
		tags := do[api.ListTagsForResourceOutput](t, h, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceARN: arn}).Tags
		if last := tags[len(tags)-1]; last.Key != "x" || *last.Value != "y" {
			t.Errorf("tags of %s: %+v", arn, tags)
		}
	}
	many := map[string]string{}
	for i := range maxTags {
		many[strconv.Itoa(i)] = ""
	}
	h.refused(t, codeInvalid, "AddTagsToStream", &api.AddTagsToStreamInput{StreamName: new("s"), Tags: many})
	h.refused(t, codeInvalid, "AddTagsToStream", `{"StreamName": "s", "Tags": {"aws:x": "y"}}`)
}

func TestPolicyDecidesOverItsStream(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	consumer := h.register(t, "c")
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"kinesis:PutRecord","Resource":"` + streamARN + `"}]}`
	for _, arn := range []string{streamARN, consumer} {
		get := func() string {
			return do[api.GetResourcePolicyOutput](t, h, "GetResourcePolicy", &api.GetResourcePolicyInput{ResourceARN: arn}).Policy
		}
		if got := get(); got != "{}" {
			t.Errorf("without a policy: %s", got)
		}
		do[api.PutResourcePolicyOutput](t, h, "PutResourcePolicy", &api.PutResourcePolicyInput{ResourceARN: arn, Policy: policy})
		if got := get(); got != policy {
			t.Errorf("policy %s", got)
		}
	}
	targets, err := h.service.Access["PutRecord"].Targets(h.ctx, &api.PutRecordInput{StreamARN: new(streamARN)})
	if want := []service.Target{{ARN: streamARN, Owner: "000000000000", Policy: policy}}; err != nil || cmp.Diff(want, targets) != "" {
		t.Errorf("targets %+v, %v", targets, err)
	}
	h.refused(t, codeInvalid, "PutResourcePolicy", &api.PutResourcePolicyInput{ResourceARN: streamARN, Policy: "{"})
	do[api.DeleteResourcePolicyOutput](t, h, "DeleteResourcePolicy", &api.DeleteResourcePolicyInput{ResourceARN: streamARN})
	if targets, err = h.service.Access["PutRecord"].Targets(h.ctx, &api.PutRecordInput{StreamARN: new(streamARN)}); err != nil || targets[0].Policy != "" {
		t.Errorf("targets afterwards %+v, %v", targets, err)
	}
}

func TestShardsHoldTheirThroughputWhenTheyAreAskedTo(t *testing.T) {
	h := newHarness(t)
	do[api.CreateStreamOutput](t, h, "CreateStream", `{"StreamName": "s", "ShardCount": 1, "Tags": {"lambent:throttle": "on"}}`)
	in := &api.PutRecordsInput{StreamName: new("s")}
	for range 500 {
		in.Records = append(in.Records, api.PutRecordsRequestEntry{PartitionKey: "k", Data: []byte("x")})
	}
	for i, want := range []int32{0, 0, 500} {
		out := do[api.PutRecordsOutput](t, h, "PutRecords", in)
		if *out.FailedRecordCount != want {
			t.Errorf("request %d: %d failed, want %d", i, *out.FailedRecordCount, want)
		}
		if want > 0 && *out.Records[0].ErrorCode != codeThroughput {
			t.Errorf("error %s", *out.Records[0].ErrorCode)
		}
	}
	h.refused(t, codeThroughput, "PutRecord", &api.PutRecordInput{StreamName: new("s"), PartitionKey: "k", Data: []byte("x")})
	h.clock.Advance(time.Second)
	do[api.PutRecordOutput](t, h, "PutRecord", &api.PutRecordInput{StreamName: new("s"), PartitionKey: "k", Data: make([]byte, 1<<20)})
	h.refused(t, codeThroughput, "PutRecord", &api.PutRecordInput{StreamName: new("s"), PartitionKey: "k", Data: []byte("x")})
	it := h.iterator(t, "s", firstShard, "LATEST")
	for range shardCalls {
		h.get(t, it)
	}
	h.refused(t, codeThroughput, "GetRecords", &api.GetRecordsInput{ShardIterator: it})
}

func TestCommitmentLastsForADay(t *testing.T) {
	h := newHarness(t)
	settings := func() *api.MinimumThroughputBillingCommitmentOutput {
		return do[api.DescribeAccountSettingsOutput](t, h, "DescribeAccountSettings", `{}`).MinimumThroughputBillingCommitment
	}
	if got := settings(); got.Status != "DISABLED" || got.StartedAt != nil {
		t.Errorf("at first %+v", got)
	}
	do[api.UpdateAccountSettingsOutput](t, h, "UpdateAccountSettings", `{"MinimumThroughputBillingCommitment": {"Status": "ENABLED"}}`)
	if got := settings(); got.Status != "ENABLED" || got.EarliestAllowedEndAt == nil {
		t.Errorf("enabled %+v", got)
	}
	h.refused(t, codeValidation, "UpdateAccountSettings", `{"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}}`)
	h.clock.Advance(commitmentLife)
	do[api.UpdateAccountSettingsOutput](t, h, "UpdateAccountSettings", `{"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}}`)
	if got := settings(); got.Status != "DISABLED" || got.EndedAt == nil {
		t.Errorf("disabled %+v", got)
	}
}
