package logs

import (
	"cmp"
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// maxQueryDefinitions is how many an account has in a region
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html).
const maxQueryDefinitions = 1000

// queryDefinition is the record of a saved query. It is kept and found again; its text is not looked into.
type queryDefinition struct {
	Name       string
	Language   string
	Query      string
	Groups     []string         `json:",omitempty"`
	Parameters []queryParameter `json:",omitempty"`
	Modified   int64            // Unix milliseconds
}

// queryParameter is a placeholder {{Name}} in the text of a query.
type queryParameter struct {
	Name        string
	Default     *string `json:",omitempty"`
	Description *string `json:",omitempty"`
}

func (l *Logs) putQueryDefinition(ctx context.Context, in *api.PutQueryDefinitionInput) (*api.PutQueryDefinitionOutput, error) {
	d := queryDefinition{Name: in.Name, Language: cmp.Or(in.QueryLanguage, "CWLI"), Query: in.QueryString, Groups: in.LogGroupNames, Modified: l.nowMS()}
	for _, p := range in.Parameters {
		d.Parameters = append(d.Parameters, queryParameter{p.Name, p.DefaultValue, p.Description})
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	id, err := l.definitionID(s, in)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		_, known, err := record.Get[queryDefinition](tx, s.queryDefinition(id))
		switch {
		case err != nil:
			return err
		case !known && in.QueryDefinitionId != nil:
			return noQueryDefinition(id)
		case !known:
			if err := room(tx, s.queryDefinitions(), maxQueryDefinitions, "query definitions"); err != nil {
				return err
			}
		}
		return record.Set(tx, s.queryDefinition(id), d)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.PutQueryDefinitionOutput{QueryDefinitionId: &id}, nil
}

// room refuses one more of what an account has in a region when there are as many as there may be.
func room(r store.Reader, under key.Key, most int, what string) error {
	n := 0
	for _, err := range r.Range(under.Span()) {
		if err != nil {
			return err
		}
		n++
	}
	if n >= most {
		return service.Errorf("LimitExceededException", "Resource limit exceeded. There are at most %d %s in a region: delete one first.", most, what)
	}
	return nil
}

// definitionID returns the id of a definition that is put: the one that is given, or a new one. A call that is repeated with its token makes the same definition.
func (l *Logs) definitionID(s scope, in *api.PutQueryDefinitionInput) (string, error) {
	switch {
	case in.QueryDefinitionId != nil:
		return *in.QueryDefinitionId, nil
	case in.ClientToken != nil:
		return uuid.Of(s.account, s.region, *in.ClientToken), nil
	}
	return uuid.New(l.deps.Random)
}

// check checks the parameters of a definition
// (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_QueryParameter.html).
func (d *queryDefinition) check() error {
	if len(d.Parameters) > 0 && d.Language != "CWLI" {
		return invalid("Query parameters need the query language CWLI, not %s.", d.Language)
	}
	seen := map[string]bool{}
	for _, p := range d.Parameters {
		if seen[p.Name] {
			return invalid("The query parameter %s is given more than once.", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

func noQueryDefinition(id string) error {
	return service.Errorf("ResourceNotFoundException", "The query definition %s does not exist. DescribeQueryDefinitions lists those that do.", id)
}

func (l *Logs) describeQueryDefinitions(ctx context.Context, in *api.DescribeQueryDefinitionsInput) (*api.DescribeQueryDefinitionsOutput, error) {
	s, limit := scopeOf(ctx), limitOf(in.MaxResults, maxQueryDefinitions)
	out := &api.DescribeQueryDefinitionsOutput{QueryDefinitions: []api.QueryDefinition{}}
	span := s.queryDefinitions().Span()
	if in.NextToken != nil {
		span.Lo = append(s.queryDefinition(*in.NextToken), 0)
	}
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[queryDefinition](r, span) {
			if err != nil {
				return err
			}
			d := row.Value
			if !strings.HasPrefix(d.Name, opt.Value(in.QueryDefinitionNamePrefix)) || in.QueryLanguage != "" && in.QueryLanguage != d.Language {
				continue
			}
			if len(out.QueryDefinitions) == limit {
				out.NextToken = out.QueryDefinitions[limit-1].QueryDefinitionId
				return nil
			}
			out.QueryDefinitions = append(out.QueryDefinitions, d.shown(s.queryDefinitionID(row.Key)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (d *queryDefinition) shown(id string) api.QueryDefinition {
	out := api.QueryDefinition{
		QueryDefinitionId: &id, Name: &d.Name, QueryLanguage: d.Language, QueryString: &d.Query, LogGroupNames: d.Groups, LastModified: &d.Modified,
	}
	for _, p := range d.Parameters {
		out.Parameters = append(out.Parameters, api.QueryParameter{Name: p.Name, DefaultValue: p.Default, Description: p.Description})
	}
	return out
}

func (l *Logs) deleteQueryDefinition(ctx context.Context, in *api.DeleteQueryDefinitionInput) (*api.DeleteQueryDefinitionOutput, error) {
	k := scopeOf(ctx).queryDefinition(in.QueryDefinitionId)
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		_, known, err := record.Get[queryDefinition](tx, k)
		if err == nil && !known {
			err = noQueryDefinition(in.QueryDefinitionId)
		}
		tx.Delete(k)
		return err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return &api.DeleteQueryDefinitionOutput{Success: ptr(true)}, nil
}
