package dynamodb

import (
	"context"
	"encoding/json"

	"lambent.dev/lambent/internal/auth/iam"
	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxPolicy is the greatest size of a resource policy, in bytes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-considerations.html).
const maxPolicy = 20 << 10

// noPolicyRevision is the ExpectedRevisionId with which a policy is put only where there is none.
const noPolicyRevision = "NO_POLICY"

// policyRecord is the resource policy of a table or a stream.
type policyRecord struct {
	Document string `json:"document"`
	Revision string `json:"revision"`
}

// text returns the policy's document, or "".
func (pr *policyRecord) text() string {
	if pr == nil {
		return ""
	}
	return pr.Document
}

// expect checks that the policy has the revision that a request expects.
func (pr *policyRecord) expect(revision *string) error {
	switch {
	case revision == nil:
		return nil
	case pr == nil && *revision == noPolicyRevision, pr != nil && *revision == pr.Revision:
		return nil
	}
	return errNoPolicy("no policy with the expected revision id")
}

func errNoPolicy(what string) error {
	return service.Errorf("PolicyNotFoundException", "Resource-based policy not found for the provided ResourceArn: %s.", what)
}

// newPolicy checks a policy document and gives it a revision.
func (s *Service) newPolicy(document string) (*policyRecord, error) {
	if len(document) > maxPolicy {
		return nil, invalid("Invalid policy document: its size is %d bytes, at most %d are allowed", len(document), maxPolicy)
	}
	if !json.Valid([]byte(document)) {
		return nil, invalid("Invalid policy document: it is not valid JSON")
	}
	if _, err := iam.Parse(document, iam.ResourceBased); err != nil {
		return nil, invalid("Invalid policy document: %s", err)
	}
	revision, err := uuid.New(s.random)
	return &policyRecord{document, revision}, err
}

// changePolicy stores what change makes of the policy of a table or a stream.
func (s *Service) changePolicy(ctx context.Context, arn string, change func(old *policyRecord) (*policyRecord, error)) error {
	p := placeOf(ctx)
	if sp, table, label, ok := parseStreamARN(arn); ok && sp == p {
		return storeError(s.store.Update(ctx, func(tx store.Txn) error {
			sr, err := findStream(tx, p, arn)
			if err != nil {
				return err
			}
			if sr.Policy, err = change(sr.Policy); err != nil {
				return err
			}
			return record.Set(tx, p.stream(table, label), sr)
		}))
	}
	_, err := s.changeTable(ctx, p, arn, func(_ store.Txn, _ *table, r *tableRecord) (err error) {
		r.Policy, err = change(r.Policy)
		return err
	})
	return err
}

func (s *Service) putResourcePolicy(ctx context.Context, in *ddb.PutResourcePolicyInput) (*ddb.PutResourcePolicyOutput, error) {
	policy, err := s.newPolicy(in.Policy)
	if err != nil {
		return nil, err
	}
	out := &ddb.PutResourcePolicyOutput{}
	err = s.changePolicy(ctx, in.ResourceArn, func(old *policyRecord) (*policyRecord, error) {
		if err := old.expect(in.ExpectedRevisionId); err != nil {
			return nil, err
		}
		if old != nil && old.Document == policy.Document { // the same policy keeps its revision
			out.RevisionId = &old.Revision
			return old, nil
		}
		out.RevisionId = &policy.Revision
		return policy, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) deleteResourcePolicy(ctx context.Context, in *ddb.DeleteResourcePolicyInput) (*ddb.DeleteResourcePolicyOutput, error) {
	out := &ddb.DeleteResourcePolicyOutput{}
	err := s.changePolicy(ctx, in.ResourceArn, func(old *policyRecord) (*policyRecord, error) {
		out.RevisionId = nil
		if old != nil {
			out.RevisionId = &old.Revision
		}
		return nil, old.expect(in.ExpectedRevisionId)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) getResourcePolicy(ctx context.Context, in *ddb.GetResourcePolicyInput) (*ddb.GetResourcePolicyOutput, error) {
	p := placeOf(ctx)
	var policy *policyRecord
	err := s.store.View(ctx, func(r store.Reader) error {
		if sp, _, _, ok := parseStreamARN(in.ResourceArn); ok && sp == p {
			sr, err := findStream(r, p, in.ResourceArn)
			if err == nil {
				policy = sr.Policy
			}
			return err
		}
		t, err := s.adminTable(r, p, in.ResourceArn)
		if err == nil {
			policy = t.Policy
		}
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	if policy == nil {
		return nil, errNoPolicy("Requested policy not found")
	}
	return &ddb.GetResourcePolicyOutput{Policy: &policy.Document, RevisionId: &policy.Revision}, nil
}
