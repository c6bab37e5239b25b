package logs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/service"
)

func TestQueryDefinitionsAreKept(t *testing.T) {
	ctx, l, _ := setup(t)
	token := ptr(strings.Repeat("t", 36))
	in := &api.PutQueryDefinitionInput{
		Name: "errors/recent", QueryString: "filter level = {{level}}", LogGroupNames: []string{"g"}, ClientToken: token,
		Parameters: []api.QueryParameter{{Name: "level", DefaultValue: ptr("ERROR"), Description: ptr("how bad")}},
	}
	first, err := l.putQueryDefinition(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.putQueryDefinition(ctx, in)
	if err != nil || *again.QueryDefinitionId != *first.QueryDefinitionId {
		t.Errorf("the same call again: %+v, %v, want %s", again, err, *first.QueryDefinitionId)
	}
	second, err := l.putQueryDefinition(ctx, &api.PutQueryDefinitionInput{Name: "slow", QueryString: "SELECT 1", QueryLanguage: "SQL"})
	if err != nil {
		t.Fatal(err)
	}
	changed := &api.PutQueryDefinitionInput{QueryDefinitionId: second.QueryDefinitionId, Name: "slower", QueryString: "SELECT 2", QueryLanguage: "SQL"}
	if _, err := l.putQueryDefinition(ctx, changed); err != nil {
		t.Fatal(err)
	}
	for want, in := range map[string]api.DescribeQueryDefinitionsInput{
		"errors/recent CWLI filter level = {{level}}": {QueryDefinitionNamePrefix: ptr("errors/")},
		"slower SQL SELECT 2":                         {QueryLanguage: "SQL"},
		"":                                            {QueryLanguage: "PPL"},
	} {
		out, err := l.describeQueryDefinitions(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range out.QueryDefinitions {
			got = append(got, *d.Name+" "+d.QueryLanguage+" "+*d.QueryString)
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%q, want %q", text, want)
		}
	}
	if n := pagesOfDefinitions(t, l, &api.DescribeQueryDefinitionsInput{MaxResults: ptr(int32(1))}); n != 2 {
		t.Errorf("%d definitions page by page, want 2", n)
	}
	for i, want := range []string{"", "ResourceNotFoundException"} {
		if _, err := l.deleteQueryDefinition(ctx, &api.DeleteQueryDefinitionInput{QueryDefinitionId: *first.QueryDefinitionId}); service.Code(err) != want {
			t.Errorf("deletion %d: %v", i, err)
		}
	}
}

func pagesOfDefinitions(t *testing.T, l *Logs, in *api.DescribeQueryDefinitionsInput) (n int) {
	t.Helper()
	ctx := service.WithRequest(t.Context(), &service.Request{ID: "r", Account: "000000000000", Region: "us-east-1"})
	for {
		out, err := l.describeQueryDefinitions(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		n += len(out.QueryDefinitions)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return n
		}
	}
}

func TestQueryDefinitionsShowWhatTheyWereGiven(t *testing.T) {
	ctx, l, _ := setup(t)
	in := &api.PutQueryDefinitionInput{
		Name: "n", QueryString: "q", LogGroupNames: []string{"g", "h"}, Parameters: []api.QueryParameter{{Name: "a", DefaultValue: ptr("")}, {Name: "b", Description: ptr("d")}},
	}
	made, err := l.putQueryDefinition(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.describeQueryDefinitions(ctx, &api.DescribeQueryDefinitionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	want := []api.QueryDefinition{{
		QueryDefinitionId: made.QueryDefinitionId, Name: ptr("n"), QueryString: ptr("q"), QueryLanguage: "CWLI", LogGroupNames: in.LogGroupNames, Parameters: in.Parameters,
		LastModified: ptr(start.UnixMilli()),
	}}
	if d := cmp.Diff(want, out.QueryDefinitions); d != "" {
		t.Error(d)
	}
}

func TestQueryDefinitionsAreRefused(t *testing.T) {
	ctx, l, _ := setup(t)
	for want, in := range map[string]*api.PutQueryDefinitionInput{
		"InvalidParameterException: Query parameters need the query language CWLI": {Name: "n", QueryString: "q", QueryLanguage: "PPL", Parameters: []api.QueryParameter{{Name: "a"}}},
		"InvalidParameterException: The query parameter a is given more":           {Name: "n", QueryString: "q", Parameters: []api.QueryParameter{{Name: "a"}, {Name: "a"}}},
		"ResourceNotFoundException: The query definition none does not exist":      {Name: "n", QueryString: "q", QueryDefinitionId: ptr("none")},
	} {
		if _, err := l.putQueryDefinition(ctx, in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for range maxQueryDefinitions {
		if _, err := l.putQueryDefinition(ctx, &api.PutQueryDefinitionInput{Name: "n", QueryString: "q"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.putQueryDefinition(ctx, &api.PutQueryDefinitionInput{Name: "n", QueryString: "q"}); service.Code(err) != "LimitExceededException" {
		t.Errorf("one definition more: %v", err)
	}
}
