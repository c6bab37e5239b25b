package iam_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
)

const (
	issuerURL  = "https://id.example.com/tenants/one"
	issuerARN  = "arn:aws:iam::000000000000:oidc-provider/id.example.com/tenants/one"
	thumbprint = "6938fd4d98bab03faadb97b34396831e3780aea1"
)

func TestAnOpenIDConnectProviderLivesFromCreateToDelete(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	made := call[api.CreateOpenIDConnectProviderOutput](t, p, ctx, "CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{
		Url: issuerURL, ClientIDList: []string{"app", "app"}, ThumbprintList: []string{thumbprint}, Tags: []api.Tag{{Key: "a", Value: "b"}},
	})
	if *made.OpenIDConnectProviderArn != issuerARN {
		t.Errorf("ARN = %s", *made.OpenIDConnectProviderArn)
	}
	for _, id := range []string{"web", "web"} {
		call[api.AddClientIDToOpenIDConnectProviderOutput](t, p, ctx, "AddClientIDToOpenIDConnectProvider", &api.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: issuerARN, ClientID: id})
	}
	for _, id := range []string{"app", "never"} {
		call[api.RemoveClientIDFromOpenIDConnectProviderOutput](t, p, ctx, "RemoveClientIDFromOpenIDConnectProvider", &api.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: issuerARN, ClientID: id})
	}
	other := strings.Repeat("ab", 20)
	call[api.UpdateOpenIDConnectProviderThumbprintOutput](t, p, ctx, "UpdateOpenIDConnectProviderThumbprint", &api.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: issuerARN, ThumbprintList: []string{other}})
	call[api.TagOpenIDConnectProviderOutput](t, p, ctx, "TagOpenIDConnectProvider", &api.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: issuerARN, Tags: []api.Tag{{Key: "c", Value: "d"}}})
	call[api.UntagOpenIDConnectProviderOutput](t, p, ctx, "UntagOpenIDConnectProvider", &api.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: issuerARN, TagKeys: []string{"a"}})

	got := call[api.GetOpenIDConnectProviderOutput](t, p, ctx, "GetOpenIDConnectProvider", &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: issuerARN})
	if *got.Url != "id.example.com/tenants/one" || !slices.Equal(got.ClientIDList, []string{"web"}) || !slices.Equal(got.ThumbprintList, []string{other}) || !got.CreateDate.Equal(start) {
		t.Errorf("provider = %+v", got)
	}
	tags := call[api.ListOpenIDConnectProviderTagsOutput](t, p, ctx, "ListOpenIDConnectProviderTags", &api.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: issuerARN})
	if !slices.Equal(tags.Tags, []api.Tag{{Key: "c", Value: "d"}}) {
		t.Errorf("tags = %v", tags.Tags)
	}
	list := call[api.ListOpenIDConnectProvidersOutput](t, p, ctx, "ListOpenIDConnectProviders", &api.ListOpenIDConnectProvidersInput{})
	if len(list.OpenIDConnectProviderList) != 1 || *list.OpenIDConnectProviderList[0].Arn != issuerARN {
		t.Errorf("list = %v", list.OpenIDConnectProviderList)
	}
	if n := call[api.GetAccountSummaryOutput](t, p, ctx, "GetAccountSummary", &api.GetAccountSummaryInput{}).SummaryMap["Providers"]; n != 1 {
		t.Errorf("the summary counts %d providers", n)
	}
	for range 2 {
		call[api.DeleteOpenIDConnectProviderOutput](t, p, ctx, "DeleteOpenIDConnectProvider", &api.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: issuerARN})
	}
	if c := code(p, ctx, "GetOpenIDConnectProvider", &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: issuerARN}); c != "NoSuchEntity" {
		t.Errorf("after the delete: %s", c)
	}
}

func TestOpenIDConnectProvidersAreRefusedAsByAWS(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("client-", i)
	}
	call[api.CreateOpenIDConnectProviderOutput](t, p, ctx, "CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: issuerURL, ClientIDList: many[:100]})
	elsewhere := strings.ReplaceAll(issuerARN, account, "111111111111")
	for _, tc := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: issuerURL}, "EntityAlreadyExists"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: "http://id.example.com"}, "ValidationError"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: "https://id.example.com:8443"}, "ValidationError"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: "https://id.example.com?x=y"}, "ValidationError"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: "https://a@id.example.com"}, "ValidationError"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: "https:///path"}, "ValidationError"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: "https://b.example.com", ClientIDList: many}, "LimitExceeded"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: "https://b.example.com", ThumbprintList: slices.Repeat([]string{thumbprint}, 6)}, "InvalidInput"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: "https://b.example.com", ThumbprintList: []string{"short"}}, "ValidationError"},
		{"CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: "https://b.example.com", Tags: []api.Tag{{Key: "a"}, {Key: "A"}}}, "InvalidInput"},
		{"AddClientIDToOpenIDConnectProvider", &api.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: issuerARN, ClientID: "one more"}, "LimitExceeded"},
		{"AddClientIDToOpenIDConnectProvider", &api.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: elsewhere, ClientID: "x"}, "NoSuchEntity"},
		{"GetOpenIDConnectProvider", &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: elsewhere}, "NoSuchEntity"},
		{"GetOpenIDConnectProvider", &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: strings.ToUpper(issuerARN)}, "NoSuchEntity"},
	} {
		if got := code(p, ctx, tc.operation, tc.in); got != tc.want {
			t.Errorf("%s %+v = %q, want %q", tc.operation, tc.in, got, tc.want)
		}
	}
}

func TestPoliciesNameOpenIDConnectProviders(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	call[api.CreateUserOutput](t, p, ctx, "CreateUser", &api.CreateUserInput{UserName: "ann"})
	call[api.PutUserPolicyOutput](t, p, ctx, "PutUserPolicy", &api.PutUserPolicyInput{
		UserName: "ann", PolicyName: "p", PolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"` + issuerARN + `"}]}`,
	})
	ann := as(service.Principal{Kind: service.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/ann"})
	for url, want := range map[string]string{issuerURL: "", issuerURL + "/more": "AccessDenied"} {
		if got := code(p, ann, "CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: url}); got != want {
			t.Errorf("create %s = %q, want %q", url, got, want)
		}
	}
	if got := code(p, ann, "GetOpenIDConnectProvider", &api.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: issuerARN}); got != "" {
		t.Errorf("get = %q", got)
	}
	if got := code(p, ann, "ListOpenIDConnectProviders", &api.ListOpenIDConnectProvidersInput{}); got != "AccessDenied" {
		t.Errorf("list = %q", got)
	}
}

func TestSTSFindsProvidersByTheirIssuer(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	call[api.CreateOpenIDConnectProviderOutput](t, p, ctx, "CreateOpenIDConnectProvider", &api.CreateOpenIDConnectProviderInput{Url: issuerURL, ClientIDList: []string{"app"}})
	for _, tc := range []struct{ account, issuer, want string }{
		{account, issuerURL, issuerARN},
		{account, issuerURL + "/", ""},
		{account, strings.TrimPrefix(issuerURL, "https://"), ""},
		{account, strings.Replace(issuerURL, "https", "http", 1), ""},
		{"111111111111", issuerURL, ""},
	} {
		got, err := p.dir.OIDCProvider(ctx, tc.account, tc.issuer)
		switch {
		case err != nil:
			t.Fatal(err)
		case (got != nil) != (tc.want != ""), got != nil && (got.ARN != tc.want || got.URL != "id.example.com/tenants/one" || !slices.Equal(got.ClientIDs, []string{"app"})):
			t.Errorf("%s of %s = %+v, want %q", tc.issuer, tc.account, got, tc.want)
		}
	}
}
