package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// defaultAccess is how long credentials of a grant last when the request does not say.
const defaultAccess = time.Hour

// getDataAccess hands out credentials of the role of the caller's closest grant, narrowed to that grant or, with the privilege Minimal, to what is asked for:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetDataAccess.html.
func (s *Service) getDataAccess(ctx context.Context, in *control.GetDataAccessInput) (*control.GetDataAccessOutput, error) {
	if in.AuditContext != nil {
		return nil, unsupported("GetDataAccess", "AuditContext")
	}
	p := placeOf(ctx, in.AccountId)
	asked := grantTarget{in.Target, in.TargetType == control.S3PrefixTypeObject}
	if _, _, ok := asked.split(); !ok {
		return nil, invalidArgument("The target %q is not valid. It begins with s3:// and the name of a bucket; the target of type Object has a whole key.", in.Target)
	}
	g, role, err := s.closestGrant(ctx, p, asked, in.Permission)
	if err != nil {
		return nil, err
	}
	given := g.grantTarget
	if in.Privilege == control.PrivilegeMinimal {
		given = asked
	}
	length := defaultAccess
	if in.DurationSeconds != nil {
		length = time.Duration(*in.DurationSeconds) * time.Second
	}
	c, err := s.assumeForGrant(ctx, p, role, length, given.policy(in.Permission, p.region))
	return answerOf(&control.GetDataAccessOutput{
		Credentials:        &control.Credentials{AccessKeyId: &c.AccessKeyID, SecretAccessKey: &c.SecretAccessKey, SessionToken: &c.SessionToken, Expiration: &c.Expires},
		MatchedGrantTarget: &given.Scope, Grantee: granteeShape(g.Grantee),
	}, err)
}

// closestGrant returns the grant of the caller that covers what is asked for and is the narrowest that does, and the role of its location.
func (s *Service) closestGrant(ctx context.Context, p grantsPlace, asked grantTarget, permission string) (best accessGrant, role string, err error) {
	caller := service.RequestFrom(ctx).Principal
	err = s.store.View(ctx, func(r store.Reader) error {
		if _, err := findInstance(r, p); err != nil {
			return err
		}
		best = accessGrant{}
		for row, err := range record.Range[string](r, p.granteeKey(granteeOf(caller.RoleARN, caller.ARN)).Span()) {
			if err != nil {
				return err
			}
			g, err := findGrant(r, p, row.Value)
			if err != nil {
				return err
			}
			if permits(g.Permission, permission) && g.covers(asked) && len(g.Scope) > len(best.Scope) {
				best = g
			}
		}
		if best.ID == "" {
			return accessDenied("You do not have %s permissions to the requested S3 Prefix: %s", permission, asked.Scope)
		}
		l, err := findLocation(r, p, best.Location)
		role = l.Role
		return err
	})
	return best, role, fromStore(wrap("find access grant", err))
}

// assumeForGrant makes the session. What STS refuses has the codes of S3 Access Grants.
func (s *Service) assumeForGrant(ctx context.Context, p grantsPlace, role string, length time.Duration, policy string) (c port.Credentials, err error) {
	id, err := uuid.New(s.random)
	if err != nil {
		return c, err
	}
	caller := service.RequestFrom(ctx).Principal
	instance := p.arn(grantsResource)
	c, err = s.roles.AssumeForGrant(service.As(ctx, service.ServiceCaller(grantsService, instance, p.account)), port.GrantedSession{
		Role: role, Name: "access-grants-" + id, Lifetime: length, Policy: policy, SourceIdentity: sourceIdentity(caller.ARN), Instance: instance,
	})
	refused, ok := asError(err)
	switch {
	case errors.Is(err, port.ErrUntrusted):
		return c, fail("StsNotAuthorizedError", http.StatusForbidden, "User: %s is not authorized to perform: sts:AssumeRole on resource: %s. %s", grantsService, role, refused.Message)
	case ok && refused.Code == "PackedPolicyTooLarge":
		return c, fail("StsPackedPolicyTooLargeError", http.StatusBadRequest, "%s", refused.Message)
	case ok && refused.Code == "ValidationError":
		return c, fail("StsValidationError", http.StatusBadRequest, "%s", refused.Message)
	}
	return c, err
}

// sourceIdentity is the name of a caller as his session's source identity: the last part of his ARN, of which a source identity has 64 characters at most.
func sourceIdentity(callerARN string) string {
	name := callerARN[strings.LastIndexByte(callerARN, '/')+1:]
	return name[:min(len(name), 64)]
}

// The actions that the permissions of grants have on objects
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-grants-location-register.html).
var (
	readActions  = []string{"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:ListMultipartUploadParts"}
	writeActions = []string{"s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"}
	listActions  = []string{"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}
)

// grantStatement is a statement of a session policy.
type grantStatement struct {
	Effect    string
	Action    []string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// policy is the session policy that narrows a role to what a target means.
func (t grantTarget) policy(permission, region string) string {
	name, prefix, _ := t.split()
	key := literal(prefix)
	if !t.Object {
		key += "*"
	}
	in := "arn:aws:s3:::" + name
	var actions, keys []string
	statements := []grantStatement{}
	if permits(permission, control.PermissionRead) {
		actions, keys = append(actions, readActions...), append(keys, "kms:Decrypt")
		if list := (grantStatement{Effect: "Allow", Action: listActions, Resource: in}); !t.Object {
			if prefix != "" {
				list.Condition = map[string]map[string]string{"StringLike": {"s3:prefix": key}}
			}
			statements = append(statements, list)
		}
	}
	if permits(permission, control.PermissionWrite) {
		actions, keys = append(actions, writeActions...), append(keys, "kms:GenerateDataKey")
	}
	statements = append(statements, grantStatement{Effect: "Allow", Action: actions, Resource: in + "/" + key},
		grantStatement{Effect: "Allow", Action: keys, Resource: "*", Condition: map[string]map[string]string{"StringEquals": {"kms:ViaService": "s3." + region + ".amazonaws.com"}}})
	document, err := json.Marshal(struct {
		Version   string
		Statement []grantStatement
	}{"2012-10-17", statements})
	if err != nil { // which strings in structs do not cause
		return `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`
	}
	return string(document)
}

// literal writes a text into a policy so that none of its characters is a wildcard or the beginning of a variable.
func literal(text string) string {
	return strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}").Replace(text)
}

// listCallerAccessGrants lists the grants of the caller. Those of IAM hold for all applications.
func (s *Service) listCallerAccessGrants(ctx context.Context, in *control.ListCallerAccessGrantsInput) (*control.ListCallerAccessGrantsOutput, error) {
	caller := service.RequestFrom(ctx).Principal
	p := placeOf(ctx, in.AccountId)
	out := &control.ListCallerAccessGrantsOutput{CallerAccessGrantsList: []control.ListCallerAccessGrantsEntry{}}
	var ids []string
	next, err := grantsPage(ctx, s, p, p.granteeKey(granteeOf(caller.RoleARN, caller.ARN)), in.MaxResults, in.NextToken, func(id *string) bool {
		ids = append(ids, *id)
		return true
	})
	if err != nil {
		return nil, err
	}
	out.NextToken = next
	err = s.store.View(ctx, func(r store.Reader) error {
		for _, id := range ids {
			g, ok, err := record.Get[accessGrant](r, p.grantKey(id))
			if err != nil {
				return fmt.Errorf("read access grant: %w", err)
			}
			if ok && strings.HasPrefix(g.Scope, deref(in.GrantScope)) {
				out.CallerAccessGrantsList = append(out.CallerAccessGrantsList, control.ListCallerAccessGrantsEntry{Permission: g.Permission, GrantScope: &g.Scope, ApplicationArn: ptr("ALL")})
			}
		}
		return nil
	})
	return answerOf(out, fromStore(err))
}
