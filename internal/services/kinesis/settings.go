package kinesis

import (
	"context"
	"slices"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (s *Service) startStreamEncryption(ctx context.Context, in *api.StartStreamEncryptionInput) (*api.StartStreamEncryptionOutput, error) {
	if in.EncryptionType != api.EncryptionTypeKms {
		return nil, invalid("EncryptionType must be KMS to start encryption; it is %s.", in.EncryptionType)
	}
	at := target{in.StreamName, in.StreamARN, in.StreamId}
	known, err := s.known(ctx, at)
	if err != nil {
		return nil, err
	}
	under := *known
	under.Key = in.KeyId
	if err := s.checkKey(ctx, &under, keycheck.Write); err != nil {
		return nil, err
	}
	return &api.StartStreamEncryptionOutput{}, s.change(ctx, at, func(_ store.Txn, st *stream) error {
		st.Key = in.KeyId
		return nil
	})
}

func (s *Service) stopStreamEncryption(ctx context.Context, in *api.StopStreamEncryptionInput) (*api.StopStreamEncryptionOutput, error) {
	if in.EncryptionType != api.EncryptionTypeKms {
		return nil, invalid("EncryptionType must be KMS, the type of encryption to stop; it is %s.", in.EncryptionType)
	}
	return &api.StopStreamEncryptionOutput{}, s.change(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(_ store.Txn, st *stream) error {
		st.Key = ""
		return nil
	})
}

// shardMetrics are the metrics of single shards; ALL stands for them.
func shardMetrics() []string {
	return []string{
		api.MetricsNameIncomingBytes, api.MetricsNameIncomingRecords, api.MetricsNameIteratorAgeMilliseconds, api.MetricsNameOutgoingBytes,
		api.MetricsNameOutgoingRecords, api.MetricsNameReadProvisionedThroughputExceeded, api.MetricsNameWriteProvisionedThroughputExceeded,
	}
}

func expandMetrics(names []string) []string {
	if slices.Contains(names, api.MetricsNameAll) {
		return shardMetrics()
	}
	return names
}

func (s *Service) enableEnhancedMonitoring(ctx context.Context, in *api.EnableEnhancedMonitoringInput) (*api.EnableEnhancedMonitoringOutput, error) {
	return s.monitor(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(old []string) []string {
		now := slices.Concat(old, expandMetrics(in.ShardLevelMetrics))
		slices.Sort(now)
		return slices.Compact(now)
	})
}

func (s *Service) disableEnhancedMonitoring(ctx context.Context, in *api.DisableEnhancedMonitoringInput) (*api.DisableEnhancedMonitoringOutput, error) {
	gone := expandMetrics(in.ShardLevelMetrics)
	return s.monitor(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(old []string) []string {
		return slices.DeleteFunc(slices.Clone(old), func(name string) bool { return slices.Contains(gone, name) })
	})
}

// monitor changes which metrics of its shards a stream asks for.
func (s *Service) monitor(ctx context.Context, t target, fn func(old []string) []string) (*api.EnhancedMonitoringOutput, error) {
	out := &api.EnhancedMonitoringOutput{}
	err := s.change(ctx, t, func(_ store.Txn, st *stream) error {
		out.StreamName, out.StreamARN, out.CurrentShardLevelMetrics = &st.Name, new(st.arn()), slices.Concat([]string{}, st.Metrics)
		st.Metrics = fn(st.Metrics)
		out.DesiredShardLevelMetrics = slices.Concat([]string{}, st.Metrics)
		return nil
	})
	return out, err
}

func (s *Service) updateStreamMode(ctx context.Context, in *api.UpdateStreamModeInput) (*api.UpdateStreamModeOutput, error) {
	onDemand := in.StreamModeDetails.StreamMode == api.StreamModeOnDemand
	if !onDemand && in.WarmThroughputMiBps != nil {
		return nil, service.Errorf(codeValidation, "WarmThroughputMiBps is only for streams in the ON_DEMAND mode.")
	}
	return &api.UpdateStreamModeOutput{}, s.change(ctx, target{arn: &in.StreamARN, id: in.StreamId}, func(tx store.Txn, st *stream) error {
		st.OnDemand, st.Warm = onDemand, 0
		if in.WarmThroughputMiBps != nil {
			st.Warm = *in.WarmThroughputMiBps
		}
		return checkRoom(tx, st, 0)
	})
}

func (s *Service) updateStreamWarmThroughput(ctx context.Context, in *api.UpdateStreamWarmThroughputInput) (*api.UpdateStreamWarmThroughputOutput, error) {
	out := &api.UpdateStreamWarmThroughputOutput{}
	err := s.change(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(_ store.Txn, st *stream) error {
		if !st.OnDemand {
			return service.Errorf(codeValidation, "Stream %s under account %s is in the PROVISIONED mode; warm throughput is only for the ON_DEMAND mode.", st.Name, st.place.account)
		}
		st.Warm = in.WarmThroughputMiBps
		out.StreamName, out.StreamARN = &st.Name, new(st.arn())
		out.WarmThroughput = &api.WarmThroughputObject{TargetMiBps: &st.Warm, CurrentMiBps: &st.Warm}
		return nil
	})
	return out, err
}

func (s *Service) updateMaxRecordSize(ctx context.Context, in *api.UpdateMaxRecordSizeInput) (*api.UpdateMaxRecordSizeOutput, error) {
	return &api.UpdateMaxRecordSizeOutput{}, s.change(ctx, target{arn: in.StreamARN, id: in.StreamId}, func(_ store.Txn, st *stream) error {
		st.MaxRecord = in.MaxRecordSizeInKiB
		return nil
	})
}

func (s *Service) describeLimits(ctx context.Context, _ *api.DescribeLimitsInput) (*api.DescribeLimitsOutput, error) {
	out := &api.DescribeLimitsOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		*out = api.DescribeLimitsOutput{ShardLimit: maxShards, OnDemandStreamCountLimit: maxOnDemand}
		for row, err := range record.Range[streamRecord](r, placeOf(ctx).streams().Span()) {
			if err != nil {
				return err
			}
			if row.Value.OnDemand {
				out.OnDemandStreamCount++
			} else {
				out.OpenShardCount += int32(row.Value.Open)
			}
		}
		return nil
	})
	return out, storeError(err)
}

// commitmentLife is how long a commitment to a throughput cannot be given up.
const commitmentLife = 24 * time.Hour

// accountRecord holds the settings of an account in a region.
type accountRecord struct {
	Enabled bool      `json:"enabled"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
}

func (a *accountRecord) api(now time.Time) *api.MinimumThroughputBillingCommitmentOutput {
	out := &api.MinimumThroughputBillingCommitmentOutput{Status: api.MinimumThroughputBillingCommitmentOutputStatusDisabled}
	if !a.Started.IsZero() {
		out.StartedAt = &a.Started
	}
	if a.Enabled {
		out.Status = api.MinimumThroughputBillingCommitmentOutputStatusEnabled
		if end := a.Started.Add(commitmentLife); now.Before(end) {
			out.EarliestAllowedEndAt = &end
		}
	} else if !a.Ended.IsZero() {
		out.EndedAt = &a.Ended
	}
	return out
}

func (s *Service) describeAccountSettings(ctx context.Context, _ *api.DescribeAccountSettingsInput) (*api.DescribeAccountSettingsOutput, error) {
	out := &api.DescribeAccountSettingsOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		a, _, err := record.Get[accountRecord](r, placeOf(ctx).settings())
		out.MinimumThroughputBillingCommitment = a.api(s.clock.Now())
		return err
	})
	return out, storeError(err)
}

func (s *Service) updateAccountSettings(ctx context.Context, in *api.UpdateAccountSettingsInput) (*api.UpdateAccountSettingsOutput, error) {
	enable, now := in.MinimumThroughputBillingCommitment.Status == api.MinimumThroughputBillingCommitmentInputStatusEnabled, s.clock.Now().UTC()
	out := &api.UpdateAccountSettingsOutput{}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		k := placeOf(ctx).settings()
		a, _, err := record.Get[accountRecord](tx, k)
		if err != nil {
			return err
		}
		switch {
		case enable && !a.Enabled:
			a = accountRecord{Enabled: true, Started: now}
		case !enable && a.Enabled:
			if end := a.Started.Add(commitmentLife); now.Before(end) {
				return service.Errorf(codeValidation, "The minimum throughput billing commitment cannot end before %s.", end.Format(time.RFC3339))
			}
			a.Enabled, a.Ended = false, now
		}
		out.MinimumThroughputBillingCommitment = a.api(now)
		return record.Set(tx, k, a)
	})
	return out, storeError(err)
}
