package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ecr"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

const account = "111111111111"

// harness is the service on a store in memory.
type harness struct {
	fake.Door

	t   testing.TB
	ctx context.Context
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	st := mem.New()
	h := &harness{t: t, ctx: fake.Root(t.Context(), account, "eu-west-1")}
	now := clock.NewFake(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))
	h.Services = []service.Service{New(service.Deps{Store: st, Door: h, Clock: now, Log: slog.New(slog.DiscardHandler)})}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// try makes a call with an input in JSON, and returns its output in JSON.
func (h *harness) try(operation, input string) (string, error) {
	h.t.Helper()
	in := h.New("ecr", operation)
	if err := json.Unmarshal([]byte(input), in); err != nil {
		h.t.Fatalf("input of %s: %v", operation, err)
	}
	out, err := h.Call(h.ctx, "ecr", operation, in)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(out)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b), nil
}

const lifecycle = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":9},"action":{"type":"expire"}}]}`

// text is s as a JSON string.
func text(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestRepositoriesThroughTheirLife(t *testing.T) {
	h := newHarness(t)
	const policy = `{"Version":"2012-10-17","Statement":[]}`
	arn := "arn:aws:ecr:eu-west-1:111111111111:repository/team/app"
	for _, tc := range []struct{ operation, input, has, code string }{
		{"CreateRepository", `{"RepositoryName":"team/app","ImageTagMutability":"IMMUTABLE","Tags":[{"Key":"a","Value":"1"}]}`, `111111111111.dkr.ecr.eu-west-1.amazonaws.com/team/app`, ""},
		{"CreateRepository", `{"RepositoryName":"team/app"}`, "", codeExists},
		{"CreateRepository", `{"RepositoryName":"Team"}`, "", codeInvalid},
		{"CreateRepository", `{"RepositoryName":"a"}`, "", codeInvalid},
		{"CreateRepository", `{"RepositoryName":"ab","ImageTagMutability":"SOMETIMES"}`, "", codeInvalid},
		{"CreateRepository", `{"RepositoryName":"ab","ImageTagMutability":"MUTABLE_WITH_EXCLUSION"}`, "", codeInvalid},
		{"CreateRepository", `{"RepositoryName":"ab","RegistryId":"222222222222"}`, "", codeInvalid},
		{"CreateRepository", `{"RepositoryName":"other"}`, `"MUTABLE"`, ""},
		{"DescribeRepositories", `{"MaxResults":1}`, `"other"`, ""},
		{"DescribeRepositories", `{"RepositoryNames":["team/app"]}`, arn, ""},
		{"DescribeRepositories", `{"RepositoryNames":["gone"]}`, "", codeNoRepo},
		{"DescribeRepositories", `{"NextToken":"?"}`, "", codeInvalid},
		{"GetRepositoryPolicy", `{"RepositoryName":"team/app"}`, "", codeNoPolicy},
		{"DeleteRepositoryPolicy", `{"RepositoryName":"team/app"}`, "", codeNoPolicy},
		{"SetRepositoryPolicy", `{"RepositoryName":"team/app","PolicyText":"{}"}`, "", codeInvalid},
		{"SetRepositoryPolicy", `{"RepositoryName":"team/app","PolicyText":` + text(policy) + `}`, "Statement", ""},
		{"GetRepositoryPolicy", `{"RepositoryName":"team/app"}`, "Statement", ""},
		{"DeleteRepositoryPolicy", `{"RepositoryName":"team/app"}`, "Statement", ""},
		{"GetLifecyclePolicy", `{"RepositoryName":"team/app"}`, "", codeNoLifecycle},
		{"PutLifecyclePolicy", `{"RepositoryName":"team/app","LifecyclePolicyText":` + text(lifecycle) + `}`, "untagged", ""},
		{"PutLifecyclePolicy", `{"RepositoryName":"team/app","LifecyclePolicyText":` + text(strings.Replace(lifecycle, "days", "years", 1)) + `}`, "", codeInvalid},
		{"PutLifecyclePolicy", `{"RepositoryName":"team/app","LifecyclePolicyText":` + text(strings.Replace(lifecycle, "untagged", "tagged", 1)) + `}`, "", codeInvalid},
		{"PutLifecyclePolicy", `{"RepositoryName":"team/app","LifecyclePolicyText":"{\"rules\":[]}"}`, "", codeInvalid},
		{"GetLifecyclePolicy", `{"RepositoryName":"team/app"}`, "untagged", ""},
		{"DeleteLifecyclePolicy", `{"RepositoryName":"team/app"}`, "untagged", ""},
		{"PutImageTagMutability", `{"RepositoryName":"team/app","ImageTagMutability":"MUTABLE"}`, "MUTABLE", ""},
		{"PutImageScanningConfiguration", `{"RepositoryName":"team/app","ImageScanningConfiguration":{"ScanOnPush":true}}`, "true", ""},
		{"TagResource", `{"ResourceArn":"` + arn + `","Tags":[{"Key":"b","Value":"2"}]}`, "", ""},
		{"UntagResource", `{"ResourceArn":"` + arn + `","TagKeys":["a"]}`, "", ""},
		{"ListTagsForResource", `{"ResourceArn":"` + arn + `"}`, `[{"Key":"b","Value":"2"}]`, ""},
		{"ListTagsForResource", `{"ResourceArn":"arn:aws:s3:::b"}`, "", codeInvalid},
		{"ListImages", `{"RepositoryName":"team/app"}`, "[]", ""},
		{"DescribeImages", `{"RepositoryName":"team/app"}`, "[]", ""},
		{"DescribeImages", `{"RepositoryName":"team/app","ImageIds":[{"ImageTag":"v1"}]}`, "", codeNoImage},
		{"BatchGetImage", `{"RepositoryName":"team/app","ImageIds":[{"ImageTag":"v1"},{}]}`, "MissingDigestAndTag", ""},
		{"BatchDeleteImage", `{"RepositoryName":"team/app","ImageIds":[{"ImageTag":"v1"}]}`, "ImageNotFound", ""},
		{"DeleteRepository", `{"RepositoryName":"team/app"}`, arn, ""},
		{"DeleteRepository", `{"RepositoryName":"team/app"}`, "", codeNoRepo},
	} {
		out, err := h.try(tc.operation, tc.input)
		if service.Code(err) != tc.code || !strings.Contains(out, tc.has) {
			t.Errorf("%s %s: %s, %v", tc.operation, tc.input, out, err)
		}
	}
}

func TestAStackKeepsARepository(t *testing.T) {
	h := newHarness(t)
	typ := h.Services[0].Resources[0]
	c := service.ResourceCall{LogicalID: "R", NameSeed: "Stack-R-1ABCDEFGHIJK", Tags: map[string]string{"aws:cloudformation:logical-id": "R"}}
	first := &repositoryProperties{LifecyclePolicy: &lifecycleProperties{LifecyclePolicyText: new(lifecycle)}, Tags: []service.TagProperty{{Key: "a", Value: "1"}}}
	made, err := typ.Create(h.ctx, c, first)
	if err != nil || made.PhysicalID != "stack-r-1abcdefghijk" {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := typ.Create(h.ctx, c, first); service.Code(err) != codeExists {
		t.Errorf("a second create: %v", err)
	}
	c.Retry = true
	if _, err := typ.Create(h.ctx, c, first); err != nil {
		t.Errorf("a try after a crash: %v", err)
	}
	c.PhysicalID = made.PhysicalID
	second := &repositoryProperties{
		ImageTagMutability: new("IMMUTABLE_WITH_EXCLUSION"), Exclusions: []exclusionProperties{{"WILDCARD", "dev-*"}},
		RepositoryPolicyText: map[string]any{"Version": "2012-10-17", "Statement": []any{}},
	}
	if _, err := typ.Update(h.ctx, c, first, second); err != nil {
		t.Fatal(err)
	}
	out, err := h.Call(h.ctx, "ecr", "DescribeRepositories", &api.DescribeRepositoriesInput{RepositoryNames: []string{made.PhysicalID}})
	if err != nil {
		t.Fatal(err)
	}
	if r := out.(*api.DescribeRepositoriesOutput).Repositories[0]; r.ImageTagMutability != "IMMUTABLE_WITH_EXCLUSION" || r.ImageTagMutabilityExclusionFilters[0].Filter != "dev-*" {
		t.Errorf("%+v", r)
	}
	if _, err := h.try("GetLifecyclePolicy", `{"RepositoryName":"`+made.PhysicalID+`"}`); service.Code(err) != codeNoLifecycle {
		t.Errorf("the lifecycle policy is left: %v", err)
	}
	if _, err := h.try("GetRepositoryPolicy", `{"RepositoryName":"`+made.PhysicalID+`"}`); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := typ.Delete(h.ctx, c, second); err != nil {
			t.Error(err)
		}
	}
	var known *service.Error
	if _, err := h.try("ListImages", `{"RepositoryName":"`+made.PhysicalID+`"}`); !errors.As(err, &known) {
		t.Errorf("%v", err)
	}
}
