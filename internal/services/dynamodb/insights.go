package dynamodb

import (
	"context"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
)

// Contributor Insights are not made here: they are described as disabled, and cannot be enabled.

func (s *Service) describeContributorInsights(ctx context.Context, in *ddb.DescribeContributorInsightsInput) (*ddb.DescribeContributorInsightsOutput, error) {
	t, err := s.insightsTable(ctx, in.TableName, in.IndexName)
	if err != nil {
		return nil, err
	}
	return &ddb.DescribeContributorInsightsOutput{TableName: &t.Name, IndexName: in.IndexName, ContributorInsightsStatus: ddb.ContributorInsightsStatusDisabled}, nil
}

func (s *Service) updateContributorInsights(ctx context.Context, in *ddb.UpdateContributorInsightsInput) (*ddb.UpdateContributorInsightsOutput, error) {
	if in.ContributorInsightsAction == ddb.ContributorInsightsActionEnable {
		return nil, unsupported("UpdateContributorInsights", "ContributorInsightsAction ENABLE")
	}
	t, err := s.insightsTable(ctx, in.TableName, in.IndexName)
	if err != nil {
		return nil, err
	}
	return &ddb.UpdateContributorInsightsOutput{TableName: &t.Name, IndexName: in.IndexName, ContributorInsightsStatus: ddb.ContributorInsightsStatusDisabled}, nil
}

func (s *Service) listContributorInsights(ctx context.Context, in *ddb.ListContributorInsightsInput) (*ddb.ListContributorInsightsOutput, error) {
	if in.TableName != nil {
		if _, err := s.viewTable(ctx, *in.TableName); err != nil {
			return nil, err
		}
	}
	return &ddb.ListContributorInsightsOutput{ContributorInsightsSummaries: []ddb.ContributorInsightsSummary{}}, nil
}

// insightsTable returns a table, whose index there must be.
func (s *Service) insightsTable(ctx context.Context, name string, index *string) (*table, error) {
	t, err := s.viewTable(ctx, name)
	if err == nil && index != nil && t.index(*index) == nil {
		err = noItemTable()
	}
	return t, err
}
