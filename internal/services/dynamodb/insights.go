package dynamodb

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Contributor Insights count the keys with most traffic. AWS shows the counts in CloudWatch; here they are at /_lambent/dynamodb/contributors, for the root user and the
// command line. The names of CloudWatch's rules are given all the same, as clients read them.

// insightsState is what a table keeps for itself or for an index while its keys are counted.
type insightsState struct {
	Mode  string    `json:"mode"`
	Since time.Time `json:"since"`
}

// throttledOnly tells whether only requests that were refused are counted.
func (st *insightsState) throttledOnly() bool {
	return st.Mode == ddb.ContributorInsightsModeThrottledKeys
}

// rules returns the names of the rules by which keys are counted. Sort keys have rules of their own.
func (st *insightsState) rules(t *table, ix *index) (names []string) {
	kinds := []string{"PKC", "PKT"}
	name, ks := t.Name, &t.keys
	if ix != nil {
		name, ks = t.Name+"-"+ix.Name, &ix.keys
	}
	if len(ks.sort) > 0 {
		kinds = append(kinds, "SKC", "SKT")
	}
	for _, kind := range kinds {
		if kind[2] == 'T' || !st.throttledOnly() {
			names = append(names, "DynamoDBContributorInsights-"+kind+"-"+name+"-"+strconv.FormatInt(st.Since.UnixMilli(), 10))
		}
	}
	return names
}

func (s *Service) describeContributorInsights(ctx context.Context, in *ddb.DescribeContributorInsightsInput) (*ddb.DescribeContributorInsightsOutput, error) {
	t, err := s.viewTable(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	ix, err := t.insightsIndex(in.IndexName)
	if err != nil {
		return nil, err
	}
	out := &ddb.DescribeContributorInsightsOutput{TableName: &t.Name, IndexName: in.IndexName, ContributorInsightsStatus: ddb.ContributorInsightsStatusDisabled}
	if st := t.watches(ix); st != nil {
		out.ContributorInsightsStatus, out.ContributorInsightsMode = ddb.ContributorInsightsStatusEnabled, st.Mode
		out.ContributorInsightsRuleList, out.LastUpdateDateTime = st.rules(t, ix), &st.Since
	}
	return out, nil
}

func (s *Service) updateContributorInsights(ctx context.Context, in *ddb.UpdateContributorInsightsInput) (*ddb.UpdateContributorInsightsOutput, error) {
	if err := checkName("tableName", in.TableName); err != nil {
		return nil, err
	}
	name, enable := deref(in.IndexName), in.ContributorInsightsAction == ddb.ContributorInsightsActionEnable
	mode := in.ContributorInsightsMode
	if mode == "" {
		mode = ddb.ContributorInsightsModeAccessedAndThrottledKeys
	}
	var ix *index
	t, err := s.changeTable(ctx, placeOf(ctx), in.TableName, func(_ store.Txn, t *table, r *tableRecord) (err error) {
		if ix, err = t.insightsIndex(in.IndexName); err != nil {
			return err
		}
		if !enable {
			delete(r.Insights, name)
			return nil
		}
		if r.Insights == nil {
			r.Insights = map[string]*insightsState{}
		}
		if known := r.Insights[name]; known == nil || known.Mode != mode {
			r.Insights[name] = &insightsState{mode, s.clock.Now().UTC()}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &ddb.UpdateContributorInsightsOutput{TableName: &t.Name, IndexName: in.IndexName, ContributorInsightsStatus: ddb.ContributorInsightsStatusEnabling, ContributorInsightsMode: mode}
	if !enable {
		s.contributors.forget(t.watchID(ix))
		out.ContributorInsightsStatus, out.ContributorInsightsMode = ddb.ContributorInsightsStatusDisabling, ""
	}
	return out, nil
}

// maxInsightsListed is how many tables and indexes a page lists at most.
const maxInsightsListed = 100

func (s *Service) listContributorInsights(ctx context.Context, in *ddb.ListContributorInsightsInput) (*ddb.ListContributorInsightsOutput, error) {
	p := placeOf(ctx)
	limit := maxInsightsListed
	if in.MaxResults != nil && *in.MaxResults > 0 {
		limit = int(*in.MaxResults)
	}
	span := p.tables().Span()
	if in.TableName != nil {
		t, err := s.viewTable(ctx, *in.TableName)
		if err != nil {
			return nil, err
		}
		span = store.Span{Lo: p.table(t.Name), Hi: p.table(t.Name).End()}
	}
	after, afterIndex, _ := strings.Cut(deref(in.NextToken), "/")
	if after != "" && string(p.table(after)) > string(span.Lo) {
		span.Lo = p.table(after)
	}
	out := &ddb.ListContributorInsightsOutput{ContributorInsightsSummaries: []ddb.ContributorInsightsSummary{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[tableRecord](r, span) {
			if err != nil {
				return err
			}
			for _, sum := range insightsOf(&row.Value) {
				if in.NextToken != nil && *sum.TableName == after && deref(sum.IndexName) <= afterIndex {
					continue
				}
				if n := len(out.ContributorInsightsSummaries); n == limit {
					last := out.ContributorInsightsSummaries[n-1]
					out.NextToken = ptr(*last.TableName + "/" + deref(last.IndexName))
					return nil
				}
				out.ContributorInsightsSummaries = append(out.ContributorInsightsSummaries, sum)
			}
		}
		return nil
	})
	return out, storeError(err)
}

// insightsOf lists what of a table is counted, the table itself first.
func insightsOf(r *tableRecord) (out []ddb.ContributorInsightsSummary) {
	for _, name := range slices.Sorted(maps.Keys(r.Insights)) {
		sum := ddb.ContributorInsightsSummary{TableName: &r.Name, ContributorInsightsStatus: ddb.ContributorInsightsStatusEnabled, ContributorInsightsMode: r.Insights[name].Mode}
		if name != "" {
			sum.IndexName = &name
		}
		out = append(out, sum)
	}
	return out
}

// insightsIndex returns the index that a request names, which there must be; nil when it names none.
func (t *table) insightsIndex(name *string) (*index, error) {
	if name == nil || *name == "" {
		return nil, nil
	}
	ix := t.index(*name)
	if ix == nil || !ix.global {
		return nil, noItemTable()
	}
	return ix, nil
}

// shownContributor is a key as it is shown. The count is at most Excess too high.
type shownContributor struct {
	Key    json.RawMessage `json:"key"`
	Count  float64         `json:"count"`
	Excess float64         `json:"excess,omitempty"`
}

// shownContributors are the keys with most traffic since a time: by capacity consumed, and by requests refused.
type shownContributors struct {
	Since               time.Time          `json:"since"`
	Mode                string             `json:"mode"`
	Partitions          []shownContributor `json:"partitions"`
	Items               []shownContributor `json:"items"`
	ThrottledPartitions []shownContributor `json:"throttledPartitions"`
	ThrottledItems      []shownContributor `json:"throttledItems"`
}

// serveContributors shows the keys with most traffic: GET /_lambent/dynamodb/contributors/ACCOUNT/REGION/TABLE?index=NAME&limit=10.
func (s *Service) serveContributors(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > maxContributors {
		limit = 10
	}
	var index *string
	if name := r.URL.Query().Get("index"); name != "" {
		index = &name
	}
	out, err := s.topKeys(r.Context(), place{front.RouteVar(r, "account"), front.RouteVar(r, "region")}, front.RouteVar(r, "table"), index, limit)
	if err != nil {
		status, text := http.StatusInternalServerError, "The table cannot be read now. Try again."
		if service.Code(err) == codeNotFound {
			status, text = http.StatusNotFound, messageOf(err)
		}
		http.Error(w, text, status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // who went away needs no answer
}

func (s *Service) topKeys(ctx context.Context, p place, name string, indexName *string, limit int) (*shownContributors, error) {
	t, err := s.knownTable(ctx, p, name)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, noTable(name)
	}
	ix, err := t.insightsIndex(indexName)
	if err != nil {
		return nil, err
	}
	st := t.watches(ix)
	if st == nil {
		return nil, service.Errorf(codeNotFound, "Contributor Insights are not enabled for it. Enable them with UpdateContributorInsights, and ask again after some traffic.")
	}
	since, lists := s.contributors.report(t.watchID(ix), s.clock.Now(), limit)
	out := &shownContributors{Since: since, Mode: st.Mode}
	for i, to := range []*[]shownContributor{&out.Partitions, &out.Items, &out.ThrottledPartitions, &out.ThrottledItems} {
		*to = []shownContributor{}
		for _, c := range lists[i] {
			*to = append(*to, shownContributor{json.RawMessage(c.key), c.count, c.excess})
		}
	}
	return out, nil
}
