package api

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/record"
)

func tree(resources int) *Tree {
	t := &Tree{KeySource: "HEADER", Resources: map[string]*aws.Resource{"root": {Id: ptr("root"), Path: ptr("/")}}}
	for i := range resources {
		id := strconv.Itoa(i)
		t.Resources[id] = &aws.Resource{
			Id: ptr(id), ParentId: ptr("root"), PathPart: ptr("p" + id), Path: ptr("/p" + id),
			ResourceMethods: map[string]aws.Method{"GET": {HttpMethod: ptr("GET"), MethodIntegration: &aws.Integration{
				Type: "MOCK", RequestTemplates: map[string]string{"application/json": strings.Repeat(`{"statusCode": 200}`, 20)},
			}}},
		}
	}
	return t
}

func TestTreeKeepsItsContentWhateverItsSize(t *testing.T) {
	for _, resources := range []int{0, 3, 300} {
		want := tree(resources)
		stored, hash, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(stored) > 2*plainTree {
			t.Errorf("%d resources take %d bytes: they are not compressed", resources, len(stored))
		}
		got, err := DecodeTree(stored)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if _, again, err := got.Encode(); err != nil || again != hash {
			t.Errorf("the hash changes from %s to %s (%v)", hash, again, err)
		}
	}
}

func TestLoadServesTheDeploymentOfTheStage(t *testing.T) {
	s := mem.New()
	t.Cleanup(func() { _ = s.Close() })
	scope := Scope{Account: "000000000000", Region: "eu-west-1"}
	stored, hash, err := tree(1).Encode()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx store.Txn) error {
		tx.Set(scope.Tree("abc", hash), stored)
		return errors.Join(
			record.Set(tx, OwnerKey("abc"), Owner(scope)), record.Set(tx, scope.API("abc"), RestAPI{ID: "abc"}),
			record.Set(tx, scope.Deployment("abc", "d1"), Deployment{ID: "d1", Tree: hash}),
			record.Set(tx, scope.Stage("abc", "live"), Stage{Stage: aws.Stage{StageName: ptr("live"), DeploymentId: ptr("d1"), CanarySettings: &aws.CanarySettings{DeploymentId: ptr("d1")}}}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(r store.Reader) error {
		got, err := Load(r, "abc", "live")
		if err != nil || got == nil {
			t.Fatalf("the stage is not there: %v", err)
		}
		if got.Region != "eu-west-1" || got.Hash != hash || got.Canary != "" {
			t.Errorf("it serves %+v", got)
		}
		if none, err := Load(r, "abc", "other"); none != nil || err != nil {
			t.Errorf("a stage that does not exist is %v, %v", none, err)
		}
		deployed, err := LoadTree(r, got.Scope, "abc", got.Hash)
		if err == nil && len(deployed.Resources) != 2 {
			t.Errorf("the tree has %d resources", len(deployed.Resources))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
