package iam_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/saml/samltest"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
)

const corp = "arn:aws:iam::000000000000:saml-provider/Corp"

func TestASAMLProviderLivesFromCreateToDelete(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	idp := samltest.New(t, "https://id.example.com")
	first, second := idp.Metadata(), strings.Replace(idp.Metadata(), "entityID=", `validUntil="2027-01-02T03:04:05Z" entityID=`, 1)
	made := call[api.CreateSAMLProviderOutput](t, p, ctx, "CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: "Corp", SAMLMetadataDocument: first, Tags: []api.Tag{{Key: "a", Value: "b"}}})
	if *made.SAMLProviderArn != corp {
		t.Errorf("ARN = %s", *made.SAMLProviderArn)
	}
	got := call[api.GetSAMLProviderOutput](t, p, ctx, "GetSAMLProvider", &api.GetSAMLProviderInput{SAMLProviderArn: corp})
	if *got.SAMLMetadataDocument != first || !got.CreateDate.Equal(start) || !got.ValidUntil.Equal(start.AddDate(100, 0, 0)) || len(*got.SAMLProviderUUID) < 22 {
		t.Errorf("provider = %+v", got)
	}
	if found, err := p.dir.SAMLProvider(ctx, corp); err != nil || found == nil || found.Name != "Corp" || found.Account != account || found.Metadata != first {
		t.Errorf("for STS: %+v, %v", found, err)
	}
	call[api.UpdateSAMLProviderOutput](t, p, ctx, "UpdateSAMLProvider", &api.UpdateSAMLProviderInput{SAMLProviderArn: corp, SAMLMetadataDocument: &second})
	call[api.TagSAMLProviderOutput](t, p, ctx, "TagSAMLProvider", &api.TagSAMLProviderInput{SAMLProviderArn: corp, Tags: []api.Tag{{Key: "c", Value: "d"}}})
	call[api.UntagSAMLProviderOutput](t, p, ctx, "UntagSAMLProvider", &api.UntagSAMLProviderInput{SAMLProviderArn: corp, TagKeys: []string{"a"}})
	if tags := call[api.ListSAMLProviderTagsOutput](t, p, ctx, "ListSAMLProviderTags", &api.ListSAMLProviderTagsInput{SAMLProviderArn: corp}).Tags; !slices.Equal(tags, []api.Tag{{Key: "c", Value: "d"}}) {
		t.Errorf("tags = %v", tags)
	}
	list := call[api.ListSAMLProvidersOutput](t, p, ctx, "ListSAMLProviders", &api.ListSAMLProvidersInput{}).SAMLProviderList
	if len(list) != 1 || *list[0].Arn != corp || !list[0].ValidUntil.Equal(time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("list = %+v", list)
	}
	if n := call[api.GetAccountSummaryOutput](t, p, ctx, "GetAccountSummary", &api.GetAccountSummaryInput{}).SummaryMap["Providers"]; n != 1 {
		t.Errorf("the summary counts %d providers", n)
	}
	call[api.DeleteSAMLProviderOutput](t, p, ctx, "DeleteSAMLProvider", &api.DeleteSAMLProviderInput{SAMLProviderArn: corp})
	if c := code(p, ctx, "DeleteSAMLProvider", &api.DeleteSAMLProviderInput{SAMLProviderArn: corp}); c != "NoSuchEntity" {
		t.Errorf("after the delete: %s", c)
	}
	for _, name := range []string{corp, "corp", "arn:aws:iam::000000000000:role/Corp"} {
		if found, err := p.dir.SAMLProvider(ctx, name); err != nil || found != nil {
			t.Errorf("%s for STS: %+v, %v", name, found, err)
		}
	}
}

func TestSAMLProvidersAreRefusedAsByAWS(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	idp := samltest.New(t, "https://id.example.com")
	good := idp.Metadata()
	call[api.CreateSAMLProviderOutput](t, p, ctx, "CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: "Corp", SAMLMetadataDocument: good})
	ended := strings.Replace(good, "entityID=", `validUntil="2026-11-25T12:00:00Z" entityID=`, 1)
	for _, tc := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: "Corp", SAMLMetadataDocument: good}, "EntityAlreadyExists"},
		{"CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: "corp", SAMLMetadataDocument: good}, ""},
		{"CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: "x", SAMLMetadataDocument: strings.Repeat("metadata ", 200)}, "InvalidInput"},
		{"CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: "x", SAMLMetadataDocument: "short"}, "ValidationError"},
		{"CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: "x", SAMLMetadataDocument: ended}, "InvalidInput"},
		{"CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: "x", SAMLMetadataDocument: good, AssertionEncryptionMode: "Required"}, "InvalidInput"},
		{"CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: "x", SAMLMetadataDocument: good, AddPrivateKey: ptr("key")}, "InvalidInput"},
		{"UpdateSAMLProvider", &api.UpdateSAMLProviderInput{SAMLProviderArn: corp, SAMLMetadataDocument: &ended}, "InvalidInput"},
		{"UpdateSAMLProvider", &api.UpdateSAMLProviderInput{SAMLProviderArn: corp, RemovePrivateKey: ptr(strings.Repeat("K", 22))}, "InvalidInput"},
		{"UpdateSAMLProvider", &api.UpdateSAMLProviderInput{SAMLProviderArn: corp}, "InvalidInput"},
		{"UpdateSAMLProvider", &api.UpdateSAMLProviderInput{SAMLProviderArn: corp + "s", SAMLMetadataDocument: &good}, "NoSuchEntity"},
		{"GetSAMLProvider", &api.GetSAMLProviderInput{SAMLProviderArn: strings.ReplaceAll(corp, account, "111111111111")}, "NoSuchEntity"},
	} {
		if got := code(p, ctx, tc.operation, tc.in); got != tc.want {
			t.Errorf("%s %+v = %q, want %q", tc.operation, tc.in, got, tc.want)
		}
	}
}

func TestPoliciesNameSAMLProviders(t *testing.T) {
	p := newPlatform(t)
	arn := userOf(t, p, "ann")
	call[api.PutUserPolicyOutput](t, p, as(root), "PutUserPolicy", &api.PutUserPolicyInput{
		UserName: "ann", PolicyName: "p", PolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*SAMLProvider","Resource":"` + corp + `"}]}`,
	})
	ann := as(service.Principal{Kind: service.User, Account: account, ARN: arn})
	good := samltest.New(t, "https://id.example.com").Metadata()
	for name, want := range map[string]string{"Corp": "", "Other": "AccessDenied"} {
		if got := code(p, ann, "CreateSAMLProvider", &api.CreateSAMLProviderInput{Name: name, SAMLMetadataDocument: good}); got != want {
			t.Errorf("create %s = %q, want %q", name, got, want)
		}
	}
	if got := code(p, ann, "GetSAMLProvider", &api.GetSAMLProviderInput{SAMLProviderArn: corp}); got != "" {
		t.Errorf("get = %q", got)
	}
}
