package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The groups that a grant can name (https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html).
const (
	allUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	logDelivery        = "http://acs.amazonaws.com/groups/s3/LogDelivery"
)

// grant gives a permission to an account, by its canonical id, or to a group.
type grant struct {
	ID         string `json:"id,omitempty"`
	URI        string `json:"uri,omitempty"`
	Permission string `json:"p"`
}

func (g grant) public() bool { return g.URI == allUsers || g.URI == authenticatedUsers }

// applies tells whether a grant is for the caller.
func (g grant) applies(p service.Principal) bool {
	switch {
	case p.Kind == service.ServicePrincipal:
		return g.URI == logDelivery && p.Service == "logging.s3.amazonaws.com"
	case g.URI == allUsers:
		return true
	case p.Kind == service.Anonymous:
		return false
	}
	return g.URI == authenticatedUsers || g.ID != "" && g.ID == canonicalID(p.Account)
}

// aclActions are the actions that a permission on a bucket or an object stands for.
func aclActions(permission string, onObject bool) []string {
	switch {
	case permission == "FULL_CONTROL":
		var all []string
		for _, p := range []string{"READ", "WRITE", "READ_ACP", "WRITE_ACP"} {
			all = append(all, aclActions(p, onObject)...)
		}
		return all
	case onObject:
		return map[string][]string{
			"READ": {"s3:GetObject", "s3:GetObjectVersion"}, "READ_ACP": {"s3:GetObjectAcl", "s3:GetObjectVersionAcl"},
			"WRITE_ACP": {"s3:PutObjectAcl", "s3:PutObjectVersionAcl"},
		}[permission]
	}
	return map[string][]string{
		"READ": {"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}, "WRITE": {"s3:PutObject"},
		"READ_ACP": {"s3:GetBucketAcl"}, "WRITE_ACP": {"s3:PutBucketAcl"},
	}[permission]
}

// aclStatement is what grants say in the language of policies, for one caller.
type aclStatement struct {
	Effect, Principal string
	Action, Resource  []string
}

// granted returns the statement of the grants that are for the caller; ok is false when there is none.
func granted(p service.Principal, block publicAccessBlock, grants []grant, onObject bool, resources ...string) (st aclStatement, ok bool) {
	st = aclStatement{Effect: "Allow", Principal: "*", Resource: resources}
	for _, g := range grants {
		if g.applies(p) && (!g.public() || !block.IgnorePublicACLs) {
			st.Action = append(st.Action, aclActions(g.Permission, onObject)...)
		}
	}
	return st, len(st.Action) > 0
}

// withGrants adds to a policy what access control lists grant to the caller of ctx: on the bucket, and on an object when v is not nil.
func (s *Service) withGrants(ctx context.Context, b *bucket, document, object string, v *version) (string, error) {
	if !b.aclsEnabled() {
		return document, nil
	}
	block, err := s.blockOf(ctx, b)
	if err != nil {
		return "", err
	}
	caller := service.RequestFrom(ctx).Principal
	var more []aclStatement
	if st, ok := granted(caller, block, b.ACL, false, b.arn(), b.arn()+"/*"); ok {
		more = append(more, st)
	}
	if v != nil {
		if st, ok := granted(caller, block, b.grantsOf(v), true, b.arn()+"/"+escapePattern(object)); ok {
			more = append(more, st)
		}
	}
	if len(more) == 0 {
		return document, nil
	}
	return appendStatements(document, more)
}

// escapePattern keeps the characters of a key that mean something in a policy's resource from meaning it.
func escapePattern(s string) string {
	return strings.NewReplacer("$", "${$}", "*", "${*}", "?", "${?}").Replace(s)
}

func appendStatements(document string, more []aclStatement) (string, error) {
	doc := map[string]json.RawMessage{"Version": json.RawMessage(`"2012-10-17"`)}
	if document != "" {
		if err := json.Unmarshal([]byte(document), &doc); err != nil {
			return "", fmt.Errorf("read bucket policy: %w", err)
		}
	}
	var statements []json.RawMessage
	if raw := doc["Statement"]; len(raw) > 0 {
		if json.Unmarshal(raw, &statements) != nil {
			statements = []json.RawMessage{raw}
		}
	}
	for _, st := range more {
		raw, err := json.Marshal(st)
		if err != nil {
			return "", fmt.Errorf("encode grants: %w", err)
		}
		statements = append(statements, raw)
	}
	raw, err := json.Marshal(statements)
	if err != nil {
		return "", fmt.Errorf("encode grants: %w", err)
	}
	doc["Statement"] = raw
	out, err := json.Marshal(doc)
	return string(out), wrap("encode grants", err)
}

// aclsEnabled tells whether access control lists count for the bucket.
func (b *bucket) aclsEnabled() bool { return b.ownership() != bucketOwnerEnforced }

// ownership returns the object ownership of the bucket. Without ownership controls S3 acts as if it were ObjectWriter.
func (b *bucket) ownership() string {
	switch {
	case b.OwnershipDeleted:
		return objectWriter
	case b.Ownership == "":
		return bucketOwnerEnforced
	}
	return b.Ownership
}

// ownerOf returns the account that owns a version; nil stands for the bucket itself.
func (b *bucket) ownerOf(v *version) string {
	if v == nil || v.Owner == "" {
		return b.Account
	}
	return v.Owner
}

// grantsOf returns the access control list of a version.
func (b *bucket) grantsOf(v *version) []grant {
	if len(v.ACL) > 0 {
		return v.ACL
	}
	return []grant{{ID: canonicalID(b.ownerOf(v)), Permission: "FULL_CONTROL"}}
}

// aclInput is how a request asks for an access control list: by a name, or by headers.
type aclInput struct {
	canned                                      string
	fullControl, read, readACP, write, writeACP *string
}

func (in aclInput) byHeaders() bool {
	return anySet(in.fullControl, in.read, in.readACP, in.write, in.writeACP)
}

func (in aclInput) given() bool { return in.canned != "" || in.byHeaders() }

// grants returns what the request asks for. owner owns the resource; nil means that nothing was asked for.
func (in aclInput) grants(b *bucket, owner string, onObject bool) ([]grant, error) {
	if in.canned != "" && in.byHeaders() {
		return nil, invalidRequest("Specifying both Canned ACLs and Header Grants is not allowed")
	}
	if in.canned != "" {
		return cannedGrants(b, in.canned, owner, onObject)
	}
	var all []grant
	for _, h := range []struct {
		permission string
		value      *string
	}{{"FULL_CONTROL", in.fullControl}, {"READ", in.read}, {"READ_ACP", in.readACP}, {"WRITE", in.write}, {"WRITE_ACP", in.writeACP}} {
		some, err := headerGrants(h.permission, deref(h.value))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func cannedGrants(b *bucket, name, owner string, onObject bool) ([]grant, error) {
	all := []grant{{ID: canonicalID(owner), Permission: "FULL_CONTROL"}}
	switch name {
	case "private":
		return all, nil
	case "public-read":
		return append(all, grant{URI: allUsers, Permission: "READ"}), nil
	case "public-read-write":
		return append(all, grant{URI: allUsers, Permission: "READ"}, grant{URI: allUsers, Permission: "WRITE"}), nil
	case "authenticated-read":
		return append(all, grant{URI: authenticatedUsers, Permission: "READ"}), nil
	case "log-delivery-write":
		if !onObject {
			return append(all, grant{URI: logDelivery, Permission: "WRITE"}, grant{URI: logDelivery, Permission: "READ_ACP"}), nil
		}
	case "bucket-owner-read", "bucket-owner-full-control":
		permission := "READ"
		if name == "bucket-owner-full-control" {
			permission = "FULL_CONTROL"
		}
		if onObject && owner != b.Account {
			all = append(all, grant{ID: canonicalID(b.Account), Permission: permission})
		}
		if onObject {
			return all, nil
		}
	case "aws-exec-read":
		return all, nil // the principal that reads machine images does not exist here
	}
	return nil, invalidValue("x-amz-acl", name, "")
}

// headerGrants reads a header such as x-amz-grant-read: id="…", uri="…".
func headerGrants(permission, header string) ([]grant, error) {
	format := func() error {
		name := "x-amz-grant-" + strings.ReplaceAll(strings.ToLower(permission), "_", "-")
		return invalidValue(name, header, "Argument format not recognized")
	}
	var all []grant
	for _, part := range splitList(header) {
		kind, value, ok := strings.Cut(part, "=")
		if kind = strings.TrimSpace(kind); !ok || kind != "id" && kind != "uri" && kind != "emailAddress" {
			return nil, format()
		}
		g, err := parseGrantee(kind, strings.Trim(strings.TrimSpace(value), `"`), permission)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

// parseGrantee reads a grantee of a kind: id, uri or emailAddress. Accounts have no addresses here.
func parseGrantee(kind, value, permission string) (grant, error) {
	switch kind {
	case "id":
		if !validCanonicalID(value) {
			return grant{}, invalidValue("id", value, "Invalid id")
		}
		return grant{ID: value, Permission: permission}, nil
	case "uri":
		if !knownGroup(value) {
			return grant{}, invalidValue("uri", value, "Invalid group uri")
		}
		return grant{URI: value, Permission: permission}, nil
	}
	return grant{}, fail("UnresolvableGrantByEmailAddress", http.StatusBadRequest, "The e-mail address you provided does not match any account on record.")
}

func knownGroup(uri string) bool {
	return uri == allUsers || uri == authenticatedUsers || uri == logDelivery
}

func validCanonicalID(id string) bool {
	return len(id) == 64 && strings.Trim(id, "0123456789abcdef") == ""
}

func malformedACL() error {
	return fail("MalformedACLError", http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema")
}

// documentGrants reads an AccessControlPolicy.
func documentGrants(p *api.AccessControlPolicy, owner string) ([]grant, error) {
	if p.Owner == nil || deref(p.Owner.ID) == "" {
		return nil, malformedACL()
	}
	if len(p.Grants) > 100 {
		return nil, malformedACL()
	}
	all := []grant{}
	for _, g := range p.Grants {
		if !slices.Contains([]string{"FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"}, g.Permission) || g.Grantee == nil {
			return nil, malformedACL()
		}
		one, err := shapeGrantee(g)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if *p.Owner.ID != canonicalID(owner) {
		return nil, invalidValue("CanonicalUser/ID", *p.Owner.ID, "Invalid id")
	}
	return all, nil
}

func shapeGrantee(g api.Grant) (grant, error) {
	switch g.Grantee.Type {
	case "CanonicalUser":
		if deref(g.Grantee.ID) == "" {
			return grant{}, malformedACL()
		}
		if !validCanonicalID(*g.Grantee.ID) {
			return grant{}, invalidValue("CanonicalUser/ID", *g.Grantee.ID, "Invalid id")
		}
		return grant{ID: *g.Grantee.ID, Permission: g.Permission}, nil
	case "Group":
		if !knownGroup(deref(g.Grantee.URI)) {
			return grant{}, invalidValue("Group/URI", deref(g.Grantee.URI), "Invalid group uri")
		}
		return grant{URI: *g.Grantee.URI, Permission: g.Permission}, nil
	case "AmazonCustomerByEmail":
		return parseGrantee("emailAddress", deref(g.Grantee.EmailAddress), g.Permission)
	}
	return grant{}, malformedACL()
}

// checkGrants refuses public grants where the public access block of the bucket or of its account does.
func (b *bucket) checkGrants(block publicAccessBlock, grants []grant) error {
	if block.BlockPublicACLs && slices.ContainsFunc(grants, grant.public) {
		return accessDenied("The access control list would make %s public, and the public access block of the bucket or of its account has BlockPublicAcls. To allow it, set PublicAccessBlockConfiguration.BlockPublicAcls to false first.", b.Name)
	}
	return nil
}

func shownGrants(grants []grant) []api.Grant {
	out := make([]api.Grant, 0, len(grants))
	for _, g := range grants {
		to := &api.Grantee{ID: optional(g.ID), Type: "CanonicalUser"}
		if g.URI != "" {
			to = &api.Grantee{URI: ptr(g.URI), Type: "Group"}
		}
		out = append(out, api.Grant{Grantee: to, Permission: g.Permission})
	}
	return out
}

func noACLs() error {
	return fail("AccessControlListNotSupported", http.StatusBadRequest, "The bucket does not allow ACLs")
}

// putGrants returns the list of a PutBucketAcl or PutObjectAcl. What is asked for is read before whether the bucket has lists at all.
func putGrants(r store.Reader, b *bucket, in aclInput, document *api.AccessControlPolicy, owner string, onObject bool) ([]grant, error) {
	grants, err := askedGrants(b, in, document, owner, onObject)
	if err != nil {
		return nil, err
	}
	if b.aclsEnabled() {
		block, err := blockIn(r, b)
		if err != nil {
			return nil, err
		}
		return grants, b.checkGrants(block, grants)
	}
	// The list that every object and bucket has anyway may be put.
	if onObject && in.canned == "bucket-owner-full-control" && !in.byHeaders() {
		return nil, nil
	}
	return nil, noACLs()
}

// MissingHeader is what S3 tells of a request without a header that it must have.
type MissingHeader struct{ MissingHeaderName string }

func askedGrants(b *bucket, in aclInput, document *api.AccessControlPolicy, owner string, onObject bool) ([]grant, error) {
	switch {
	case document != nil && in.given():
		return nil, fail("UnexpectedContent", http.StatusBadRequest, "This request does not support content")
	case document != nil:
		return documentGrants(document, owner)
	case !in.given():
		return nil, fail("MissingSecurityHeader", http.StatusBadRequest, "Your request was missing a required header").
			WithDetail(&MissingHeader{"x-amz-acl"})
	}
	return in.grants(b, owner, onObject)
}

func (s *Service) putBucketAcl(ctx context.Context, in *api.PutBucketAclInput) (*api.PutBucketAclOutput, error) {
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		grants, err := putGrants(tx, b, aclInput{in.ACL, in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWrite, in.GrantWriteACP}, in.AccessControlPolicy, b.Account, false)
		if err != nil {
			return err
		}
		b.ACL = grants
		return record.Set(tx, nameKey(b.Name), *b)
	})
	return answerOf(&api.PutBucketAclOutput{}, err)
}

func (s *Service) getBucketAcl(ctx context.Context, in *api.GetBucketAclInput) (*api.GetBucketAclOutput, error) {
	out := &api.GetBucketAclOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		out.Owner, out.Grants = owner(b.Account), shownGrants(b.grants())
		return nil
	})
	return answerOf(out, err)
}

// grants returns the access control list of the bucket.
func (b *bucket) grants() []grant {
	if b.ACL == nil || !b.aclsEnabled() {
		return []grant{{ID: canonicalID(b.Account), Permission: "FULL_CONTROL"}}
	}
	return b.ACL
}

func (s *Service) putObjectAcl(ctx context.Context, in *api.PutObjectAclInput) (*api.PutObjectAclOutput, error) {
	if err := checkVersionID(in.VersionId); err != nil {
		return nil, err
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		v, err := pick(tx, b, in.Key, in.VersionId)
		if err != nil {
			return refused(err)
		}
		asked := aclInput{in.ACL, in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWrite, in.GrantWriteACP}
		before := b.grantsOf(v)
		if v.ACL, err = putGrants(tx, b, asked, in.AccessControlPolicy, b.ownerOf(v), true); err != nil {
			return err
		}
		if slices.Equal(before, b.grantsOf(v)) {
			return nil // there is nothing to tell
		}
		if err := putRow(tx, b, in.Key, v); err != nil {
			return err
		}
		return s.notify(ctx, tx, b, change{event: "ObjectAcl:Put", key: in.Key, version: v})
	})
	return answerOf(&api.PutObjectAclOutput{}, err)
}

func (s *Service) getObjectAcl(ctx context.Context, in *api.GetObjectAclInput) (*api.GetObjectAclOutput, error) {
	if err := checkVersionID(in.VersionId); err != nil {
		return nil, err
	}
	out := &api.GetObjectAclOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		v, err := pick(r, b, in.Key, in.VersionId)
		if err != nil {
			return err
		}
		own, grants := b.ownerOf(v), b.grantsOf(v)
		if !b.aclsEnabled() {
			own, grants = b.Account, []grant{{ID: canonicalID(b.Account), Permission: "FULL_CONTROL"}}
		}
		out.Owner, out.Grants = owner(own), shownGrants(grants)
		return nil
	})
	return answerOf(out, err)
}
