package s3

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxPolicy is the greatest size of a bucket policy, in bytes.
const maxPolicy = 20 << 10

// bucketPolicy is the stored policy of a bucket, with what was found out when it was put.
type bucketPolicy struct {
	Document string `json:"document"`
	Public   bool   `json:"public"`
}

// statement is the part of a policy statement that a bucket checks. The rest of the language is the policy engine's.
type statement struct {
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       oneOrMore
	NotAction    oneOrMore
	Resource     oneOrMore
	NotResource  oneOrMore
	Condition    map[string]map[string]json.RawMessage
}

// oneOrMore is a JSON string or list of strings.
type oneOrMore []string

// UnmarshalJSON reads a string or a list of strings.
func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(o))
}

func malformedPolicy(format string, args ...any) error {
	return fail("MalformedPolicy", http.StatusBadRequest, format, args...)
}

// parsePolicy checks a policy document as the bucket or access point with an ARN takes it, and returns its statements.
func parsePolicy(document, arn string) ([]statement, error) {
	if len(document) > maxPolicy {
		return nil, fail("PolicyTooLarge", http.StatusBadRequest, "Your policy exceeds the maximum allowed document size of %d bytes.", maxPolicy)
	}
	var doc struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if strings.TrimSpace(document) == "" || document[0] != '{' {
		return nil, malformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	if err := json.Unmarshal([]byte(document), &doc); err != nil {
		return nil, malformedPolicy("This policy contains invalid Json")
	}
	if doc.Version != "" && doc.Version != "2012-10-17" && doc.Version != "2008-10-17" {
		return nil, malformedPolicy("The policy must contain a valid version string")
	}
	if len(doc.Statement) == 0 {
		return nil, malformedPolicy("Missing required field Statement")
	}
	var all []statement
	if err := json.Unmarshal(doc.Statement, &all); err != nil {
		var one statement
		if err := json.Unmarshal(doc.Statement, &one); err != nil {
			return nil, malformedPolicy("This policy contains an invalid statement: %s", err)
		}
		all = []statement{one}
	}
	if len(all) == 0 {
		return nil, malformedPolicy("Could not parse the policy: Statement is empty!")
	}
	for i := range all {
		if err := all[i].check(arn); err != nil {
			return nil, err
		}
	}
	if _, err := iam.Parse(document, iam.ResourceBased); err != nil {
		var malformed *iam.MalformedError
		if errors.As(err, &malformed) && malformed.S3 != "" {
			return nil, malformedPolicy("%s", malformed.S3)
		}
		return nil, malformedPolicy("%s", err)
	}
	return all, nil
}

func (st *statement) check(arn string) error {
	switch {
	case st.Effect != "Allow" && st.Effect != "Deny":
		return malformedPolicy("Invalid effect: %s", st.Effect)
	case len(st.Principal) == 0 && len(st.NotPrincipal) == 0:
		return malformedPolicy("Missing required field Principal")
	case !validPrincipal(st.Principal) || !validPrincipal(st.NotPrincipal):
		return malformedPolicy("Invalid principal in policy")
	case len(st.Action) == 0 && len(st.NotAction) == 0:
		return malformedPolicy("Missing required field Action")
	case len(st.Resource) == 0 && len(st.NotResource) == 0:
		return malformedPolicy("Missing required field Resource")
	}
	for _, a := range slices.Concat(st.Action, st.NotAction) {
		if a != "*" && !strings.HasPrefix(strings.ToLower(a), "s3:") {
			return malformedPolicy("Policy has invalid action")
		}
	}
	for _, r := range slices.Concat(st.Resource, st.NotResource) {
		if r != arn && !strings.HasPrefix(r, arn+"/") && r != arn+"*" {
			return malformedPolicy("Policy has invalid resource")
		}
	}
	if err := st.checkReach(arn); err != nil {
		return err
	}
	return st.checkConditions()
}

// validPrincipal accepts "*" and objects of the kinds AWS, Service, CanonicalUser and Federated.
func validPrincipal(raw json.RawMessage) bool {
	if len(raw) == 0 {
		return true
	}
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return name == "*"
	}
	var kinds map[string]oneOrMore
	if json.Unmarshal(raw, &kinds) != nil || len(kinds) == 0 {
		return false
	}
	for kind, names := range kinds {
		if !slices.Contains([]string{"AWS", "Service", "CanonicalUser", "Federated"}, kind) || len(names) == 0 || slices.Contains(names, "") {
			return false
		}
	}
	return true
}

// public tells whether a statement lets anyone in: an Allow for everyone without a condition that pins the caller to a fixed value
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html, "The meaning of public").
func (st *statement) public() bool {
	return st.Effect == "Allow" && (everyone(st.Principal) || len(st.NotPrincipal) > 0) && !st.pinned()
}

func everyone(raw json.RawMessage) bool {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return name == "*"
	}
	var kinds map[string]oneOrMore
	return json.Unmarshal(raw, &kinds) == nil && slices.Contains(kinds["AWS"], "*")
}

func (st *statement) pinned() bool {
	keys := []string{
		"aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceip",
		"aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:userid", "s3:dataaccesspointarn", "s3:dataaccesspointaccount",
	}
	for operator, tests := range st.Condition {
		op := strings.ToLower(operator)
		if strings.Contains(op, "not") || strings.HasSuffix(op, "ifexists") {
			continue
		}
		for key, raw := range tests {
			var values oneOrMore
			if slices.Contains(keys, strings.ToLower(key)) && json.Unmarshal(raw, &values) == nil && fixed(values) {
				return true
			}
		}
	}
	return false
}

// fixed tells whether values name someone: no wildcards or variables, and no address range of half the internet.
func fixed(values []string) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool {
		return v == "" || strings.HasPrefix(v, "*") || strings.Contains(v, "${") || strings.HasSuffix(v, "/0") || strings.HasSuffix(v, "/1")
	})
}

func (s *Service) putBucketPolicy(ctx context.Context, in *api.PutBucketPolicyInput) (*api.PutBucketPolicyOutput, error) {
	statements, err := parsePolicy(in.Policy, "arn:aws:s3:::"+in.Bucket)
	if err != nil {
		return nil, err
	}
	p := bucketPolicy{Document: in.Policy, Public: slices.ContainsFunc(statements, func(st statement) bool { return st.public() })}
	err = s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		block, err := blockIn(tx, b)
		if err != nil {
			return err
		}
		if p.Public && block.BlockPublicPolicy {
			return accessDenied("The policy of %s would make the bucket public, and its public access block or that of its account has BlockPublicPolicy. To allow it, set PublicAccessBlockConfiguration.BlockPublicPolicy to false first.", b.Name)
		}
		return record.Set(tx, b.confKey(policyConf), p)
	})
	return answerOf(&api.PutBucketPolicyOutput{}, err)
}

func noSuchPolicy() error {
	return fail("NoSuchBucketPolicy", http.StatusNotFound, "The bucket policy does not exist")
}

func (s *Service) policyOf(ctx context.Context, name string, owner *string) (p bucketPolicy, err error) {
	err = s.view(ctx, name, owner, func(r store.Reader, b *bucket) error {
		var ok bool
		var err error
		p, ok, err = record.Get[bucketPolicy](r, b.confKey(policyConf))
		if err == nil && !ok {
			return noSuchPolicy()
		}
		return err
	})
	return p, err
}

func (s *Service) getBucketPolicy(ctx context.Context, in *api.GetBucketPolicyInput) (*api.GetBucketPolicyOutput, error) {
	p, err := s.policyOf(ctx, in.Bucket, in.ExpectedBucketOwner)
	return answerOf(&api.GetBucketPolicyOutput{Policy: &p.Document}, err)
}

func (s *Service) getBucketPolicyStatus(ctx context.Context, in *api.GetBucketPolicyStatusInput) (*api.GetBucketPolicyStatusOutput, error) {
	p, err := s.policyOf(ctx, in.Bucket, in.ExpectedBucketOwner)
	return answerOf(&api.GetBucketPolicyStatusOutput{PolicyStatus: &api.PolicyStatus{IsPublic: &p.Public}}, err)
}

func (s *Service) deleteBucketPolicy(ctx context.Context, in *api.DeleteBucketPolicyInput) (*api.DeleteBucketPolicyOutput, error) {
	return answerOf(&api.DeleteBucketPolicyOutput{}, s.deleteConf(ctx, in.Bucket, in.ExpectedBucketOwner, policyConf))
}
