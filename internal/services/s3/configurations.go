package s3

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/s3"
)

func (s *Service) putBucketAnalytics(ctx context.Context, in *api.PutBucketAnalyticsConfigurationInput) (*api.PutBucketAnalyticsConfigurationOutput, error) {
	inner := ""
	if in.AnalyticsConfiguration != nil {
		inner = in.AnalyticsConfiguration.Id
	}
	err := putConfiguration(ctx, s, in.Bucket, in.ExpectedBucketOwner, analyticsConf, in.Id, inner, in.AnalyticsConfiguration)
	return answerOf(&api.PutBucketAnalyticsConfigurationOutput{}, err)
}

func (s *Service) getBucketAnalytics(ctx context.Context, in *api.GetBucketAnalyticsConfigurationInput) (*api.GetBucketAnalyticsConfigurationOutput, error) {
	v, err := getConfiguration[api.AnalyticsConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, analyticsConf, in.Id)
	return answerOf(&api.GetBucketAnalyticsConfigurationOutput{AnalyticsConfiguration: v}, err)
}

func (s *Service) deleteBucketAnalytics(ctx context.Context, in *api.DeleteBucketAnalyticsConfigurationInput) (*api.DeleteBucketAnalyticsConfigurationOutput, error) {
	err := s.deleteConfiguration(ctx, in.Bucket, in.ExpectedBucketOwner, analyticsConf, in.Id)
	return answerOf(&api.DeleteBucketAnalyticsConfigurationOutput{}, err)
}

func (s *Service) listBucketAnalytics(ctx context.Context, in *api.ListBucketAnalyticsConfigurationsInput) (*api.ListBucketAnalyticsConfigurationsOutput, error) {
	all, next, err := listConfigurations[api.AnalyticsConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, analyticsConf, in.ContinuationToken)
	return answerOf(&api.ListBucketAnalyticsConfigurationsOutput{
		AnalyticsConfigurationList: all, IsTruncated: ptr(next != nil), ContinuationToken: in.ContinuationToken, NextContinuationToken: next,
	}, err)
}

func (s *Service) putBucketInventory(ctx context.Context, in *api.PutBucketInventoryConfigurationInput) (*api.PutBucketInventoryConfigurationOutput, error) {
	inner := ""
	if in.InventoryConfiguration != nil {
		inner = in.InventoryConfiguration.Id
	}
	err := putConfiguration(ctx, s, in.Bucket, in.ExpectedBucketOwner, inventoryConf, in.Id, inner, in.InventoryConfiguration)
	return answerOf(&api.PutBucketInventoryConfigurationOutput{}, err)
}

func (s *Service) getBucketInventory(ctx context.Context, in *api.GetBucketInventoryConfigurationInput) (*api.GetBucketInventoryConfigurationOutput, error) {
	v, err := getConfiguration[api.InventoryConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, inventoryConf, in.Id)
	return answerOf(&api.GetBucketInventoryConfigurationOutput{InventoryConfiguration: v}, err)
}

func (s *Service) deleteBucketInventory(ctx context.Context, in *api.DeleteBucketInventoryConfigurationInput) (*api.DeleteBucketInventoryConfigurationOutput, error) {
	err := s.deleteConfiguration(ctx, in.Bucket, in.ExpectedBucketOwner, inventoryConf, in.Id)
	return answerOf(&api.DeleteBucketInventoryConfigurationOutput{}, err)
}

func (s *Service) listBucketInventory(ctx context.Context, in *api.ListBucketInventoryConfigurationsInput) (*api.ListBucketInventoryConfigurationsOutput, error) {
	all, next, err := listConfigurations[api.InventoryConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, inventoryConf, in.ContinuationToken)
	return answerOf(&api.ListBucketInventoryConfigurationsOutput{
		InventoryConfigurationList: all, IsTruncated: ptr(next != nil), ContinuationToken: in.ContinuationToken, NextContinuationToken: next,
	}, err)
}

func (s *Service) putBucketMetrics(ctx context.Context, in *api.PutBucketMetricsConfigurationInput) (*api.PutBucketMetricsConfigurationOutput, error) {
	inner := ""
	if in.MetricsConfiguration != nil {
		inner = in.MetricsConfiguration.Id
	}
	err := putConfiguration(ctx, s, in.Bucket, in.ExpectedBucketOwner, metricsConf, in.Id, inner, in.MetricsConfiguration)
	return answerOf(&api.PutBucketMetricsConfigurationOutput{}, err)
}

func (s *Service) getBucketMetrics(ctx context.Context, in *api.GetBucketMetricsConfigurationInput) (*api.GetBucketMetricsConfigurationOutput, error) {
	v, err := getConfiguration[api.MetricsConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, metricsConf, in.Id)
	return answerOf(&api.GetBucketMetricsConfigurationOutput{MetricsConfiguration: v}, err)
}

func (s *Service) deleteBucketMetrics(ctx context.Context, in *api.DeleteBucketMetricsConfigurationInput) (*api.DeleteBucketMetricsConfigurationOutput, error) {
	err := s.deleteConfiguration(ctx, in.Bucket, in.ExpectedBucketOwner, metricsConf, in.Id)
	return answerOf(&api.DeleteBucketMetricsConfigurationOutput{}, err)
}

func (s *Service) listBucketMetrics(ctx context.Context, in *api.ListBucketMetricsConfigurationsInput) (*api.ListBucketMetricsConfigurationsOutput, error) {
	all, next, err := listConfigurations[api.MetricsConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, metricsConf, in.ContinuationToken)
	return answerOf(&api.ListBucketMetricsConfigurationsOutput{
		MetricsConfigurationList: all, IsTruncated: ptr(next != nil), ContinuationToken: in.ContinuationToken, NextContinuationToken: next,
	}, err)
}

func (s *Service) putBucketIntelligentTiering(ctx context.Context, in *api.PutBucketIntelligentTieringConfigurationInput) (*api.PutBucketIntelligentTieringConfigurationOutput, error) {
	inner := ""
	if in.IntelligentTieringConfiguration != nil {
		inner = in.IntelligentTieringConfiguration.Id
	}
	err := putConfiguration(ctx, s, in.Bucket, in.ExpectedBucketOwner, tieringConf, in.Id, inner, in.IntelligentTieringConfiguration)
	return answerOf(&api.PutBucketIntelligentTieringConfigurationOutput{}, err)
}

func (s *Service) getBucketIntelligentTiering(ctx context.Context, in *api.GetBucketIntelligentTieringConfigurationInput) (*api.GetBucketIntelligentTieringConfigurationOutput, error) {
	v, err := getConfiguration[api.IntelligentTieringConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, tieringConf, in.Id)
	return answerOf(&api.GetBucketIntelligentTieringConfigurationOutput{IntelligentTieringConfiguration: v}, err)
}

func (s *Service) deleteBucketIntelligentTiering(ctx context.Context, in *api.DeleteBucketIntelligentTieringConfigurationInput) (*api.DeleteBucketIntelligentTieringConfigurationOutput, error) {
	err := s.deleteConfiguration(ctx, in.Bucket, in.ExpectedBucketOwner, tieringConf, in.Id)
	return answerOf(&api.DeleteBucketIntelligentTieringConfigurationOutput{}, err)
}

func (s *Service) listBucketIntelligentTiering(ctx context.Context, in *api.ListBucketIntelligentTieringConfigurationsInput) (*api.ListBucketIntelligentTieringConfigurationsOutput, error) {
	all, next, err := listConfigurations[api.IntelligentTieringConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, tieringConf, in.ContinuationToken)
	return answerOf(&api.ListBucketIntelligentTieringConfigurationsOutput{
		IntelligentTieringConfigurationList: all, IsTruncated: ptr(next != nil), ContinuationToken: in.ContinuationToken, NextContinuationToken: next,
	}, err)
}
