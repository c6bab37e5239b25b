package cloudwatch

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// dashboardPage is how many dashboards a list gives at once.
const dashboardPage = 1000

// maxDashboardName is the longest name of a dashboard.
const maxDashboardName = 255

// dashboard is the record of a dashboard: a document that is kept as it is.
type dashboard struct {
	Body     string
	Modified time.Time
	Tags     map[string]string `json:",omitempty"`
}

// global is the scope of what an account has once for all regions.
func (s scope) global() scope { return scope{account: s.account} }

// invalidDashboard is the error of a dashboard that is not one, with what is wrong where.
func invalidDashboard(path, message string) error {
	return service.Errorf("DashboardInvalidInputError", "The field DashboardBody must be a valid JSON object").
		WithDetail(&api.DashboardInvalidInputError{DashboardValidationMessages: []api.DashboardValidationMessage{{DataPath: &path, Message: &message}}})
}

func noDashboard(name string) error {
	return service.Errorf(codeNoDashboard, "Dashboard %s does not exist", name)
}

// putDashboard makes a dashboard or replaces its document.
func (m *Metrics) putDashboard(ctx context.Context, in *api.PutDashboardInput) (*api.PutDashboardOutput, error) {
	if len(in.DashboardName) > maxDashboardName || !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(in.DashboardName) {
		return nil, badValue("The value for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).\n")
	}
	if !isJSON(in.DashboardBody) || !strings.HasPrefix(strings.TrimSpace(in.DashboardBody), "{") {
		return nil, invalidDashboard("/", "The body of the dashboard is no JSON object.")
	}
	k, now := scopeOf(ctx).global().dashboard(in.DashboardName), m.now()
	err := m.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, there, err := record.Get[dashboard](tx, k)
		if err != nil {
			return err
		}
		if !there {
			if d.Tags, err = tagged(nil, in.Tags); err != nil {
				return err
			}
		}
		d.Body, d.Modified = in.DashboardBody, now
		return record.Set(tx, k, d)
	})
	return &api.PutDashboardOutput{DashboardValidationMessages: []api.DashboardValidationMessage{}}, storeError(err)
}

func (m *Metrics) getDashboard(ctx context.Context, in *api.GetDashboardInput) (*api.GetDashboardOutput, error) {
	s := scopeOf(ctx).global()
	out := &api.GetDashboardOutput{DashboardName: &in.DashboardName, DashboardArn: new(s.dashboardARN(in.DashboardName))}
	err := m.deps.Store.View(ctx, func(r store.Reader) error {
		d, there, err := record.Get[dashboard](r, s.dashboard(in.DashboardName))
		if err == nil && !there {
			err = noDashboard(in.DashboardName)
		}
		out.DashboardBody = &d.Body
		return err
	})
	return out, storeError(err)
}

func (m *Metrics) listDashboards(ctx context.Context, in *api.ListDashboardsInput) (*api.ListDashboardsOutput, error) {
	s := scopeOf(ctx).global()
	out := &api.ListDashboardsOutput{DashboardEntries: []api.DashboardEntry{}}
	var err error
	out.NextToken, err = record.Page(ctx, m.deps.Store, s.dashboards(), record.Paging{NamePrefix: opt.Value(in.DashboardNamePrefix), Token: in.NextToken, Limit: dashboardPage}, func(name string, d dashboard) bool {
		out.DashboardEntries = append(out.DashboardEntries, api.DashboardEntry{DashboardName: &name, DashboardArn: new(s.dashboardARN(name)), LastModified: &d.Modified, Size: new(int64(len(d.Body)))})
		return true
	})
	if errors.Is(err, record.ErrToken) {
		return nil, badValue("Invalid NextToken")
	}
	return out, storeError(err)
}

// deleteDashboards deletes all of the names or, when one is not there, none.
func (m *Metrics) deleteDashboards(ctx context.Context, in *api.DeleteDashboardsInput) (*api.DeleteDashboardsOutput, error) {
	s := scopeOf(ctx).global()
	err := m.deps.Store.Update(ctx, func(tx store.Txn) error {
		for _, name := range in.DashboardNames {
			there, err := record.Has(tx, s.dashboard(name))
			if err == nil && !there {
				err = noDashboard(name)
			}
			if err != nil {
				return err
			}
			tx.Delete(s.dashboard(name))
		}
		return nil
	})
	return &api.DeleteDashboardsOutput{}, storeError(err)
}
