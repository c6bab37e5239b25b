package s3

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxPoints is how many access points one page of a list has.
const maxPoints = 1000

// Control returns the table of contents of the control API, of which access points, access grants, Storage Lens, tags and the public access block of accounts are here.
func (s *Service) Control() service.Service {
	h := control.Handlers{
		CreateAccessPoint: s.createAccessPoint, GetAccessPoint: s.getAccessPoint, ListAccessPoints: s.listAccessPoints, DeleteAccessPoint: s.deleteAccessPoint,
		PutAccessPointPolicy: s.putAccessPointPolicy, GetAccessPointPolicy: s.getAccessPointPolicy, DeleteAccessPointPolicy: s.deleteAccessPointPolicy,
		GetAccessPointPolicyStatus: s.getAccessPointPolicyStatus,
		PutPublicAccessBlock:       s.putAccountBlock, GetPublicAccessBlock: s.getAccountBlock, DeletePublicAccessBlock: s.deleteAccountBlock,
		CreateMultiRegionAccessPoint: s.createMultiPoint, DeleteMultiRegionAccessPoint: s.deleteMultiPoint, DescribeMultiRegionAccessPointOperation: s.describeMultiOperation,
		GetMultiRegionAccessPoint: s.getMultiPoint, ListMultiRegionAccessPoints: s.listMultiPoints,
		PutMultiRegionAccessPointPolicy: s.putMultiPointPolicy, GetMultiRegionAccessPointPolicy: s.getMultiPointPolicy, GetMultiRegionAccessPointPolicyStatus: s.getMultiPointPolicyStatus,
		GetMultiRegionAccessPointRoutes: s.getMultiPointRoutes, SubmitMultiRegionAccessPointRoutes: s.submitMultiPointRoutes,
		CreateAccessGrantsInstance: s.createAccessGrantsInstance, GetAccessGrantsInstance: s.getAccessGrantsInstance, DeleteAccessGrantsInstance: s.deleteAccessGrantsInstance,
		ListAccessGrantsInstances: s.listAccessGrantsInstances, GetAccessGrantsInstanceForPrefix: s.getAccessGrantsInstanceForPrefix,
		PutAccessGrantsInstanceResourcePolicy: s.putAccessGrantsInstancePolicy, GetAccessGrantsInstanceResourcePolicy: s.getAccessGrantsInstancePolicy,
		DeleteAccessGrantsInstanceResourcePolicy: s.deleteAccessGrantsInstancePolicy,
		CreateAccessGrantsLocation:               s.createAccessGrantsLocation, GetAccessGrantsLocation: s.getAccessGrantsLocation, UpdateAccessGrantsLocation: s.updateAccessGrantsLocation,
		DeleteAccessGrantsLocation: s.deleteAccessGrantsLocation, ListAccessGrantsLocations: s.listAccessGrantsLocations,
		CreateAccessGrant: s.createAccessGrant, GetAccessGrant: s.getAccessGrant, DeleteAccessGrant: s.deleteAccessGrant, ListAccessGrants: s.listAccessGrants,
		GetDataAccess: s.getDataAccess, ListCallerAccessGrants: s.listCallerAccessGrants,
		PutStorageLensConfiguration: s.putStorageLens, GetStorageLensConfiguration: s.getStorageLens, DeleteStorageLensConfiguration: s.deleteStorageLens,
		ListStorageLensConfigurations: s.listStorageLenses, GetStorageLensConfigurationTagging: s.getStorageLensTagging,
		PutStorageLensConfigurationTagging: s.putStorageLensTagging, DeleteStorageLensConfigurationTagging: s.deleteStorageLensTagging,
		CreateStorageLensGroup: s.createLensGroup, GetStorageLensGroup: s.getLensGroup, ListStorageLensGroups: s.listLensGroups,
		UpdateStorageLensGroup: s.updateLensGroup, DeleteStorageLensGroup: s.deleteLensGroup,
		TagResource: s.tagResource, UntagResource: s.untagResource, ListTagsForResource: s.listTagsForResource,
	}
	return service.Service{
		API: control.API, Operations: h.Bindings(), Access: s.controlAccess(),
		Routes: []service.Route{
			{Host: "{account}.s3-control.{region}.*", API: "s3control"},
			{Host: "s3-control.{region}.*", API: "s3control"},
		},
	}
}

func (s *Service) controlAccess() map[string]service.Access {
	named := func(ctx context.Context, name string) string { return requested(ctx, name).arn() }
	rules := s.grantsAccess()
	maps.Copy(rules, s.multiAccess())
	maps.Copy(rules, s.lensAccess())
	maps.Copy(rules, map[string]service.Access{
		"CreateAccessPoint":       service.On("s3:CreateAccessPoint", func(ctx context.Context, in *control.CreateAccessPointInput) string { return named(ctx, in.Name) }),
		"GetAccessPoint":          service.On("s3:GetAccessPoint", func(ctx context.Context, in *control.GetAccessPointInput) string { return named(ctx, in.Name) }),
		"DeleteAccessPoint":       service.On("s3:DeleteAccessPoint", func(ctx context.Context, in *control.DeleteAccessPointInput) string { return named(ctx, in.Name) }),
		"PutAccessPointPolicy":    service.On("s3:PutAccessPointPolicy", func(ctx context.Context, in *control.PutAccessPointPolicyInput) string { return named(ctx, in.Name) }),
		"GetAccessPointPolicy":    service.On("s3:GetAccessPointPolicy", func(ctx context.Context, in *control.GetAccessPointPolicyInput) string { return named(ctx, in.Name) }),
		"DeleteAccessPointPolicy": service.On("s3:DeleteAccessPointPolicy", func(ctx context.Context, in *control.DeleteAccessPointPolicyInput) string { return named(ctx, in.Name) }),
		"GetAccessPointPolicyStatus": service.On("s3:GetAccessPointPolicyStatus", func(ctx context.Context, in *control.GetAccessPointPolicyStatusInput) string {
			return named(ctx, in.Name)
		}),
		"ListAccessPoints":        service.OnAny("s3:ListAccessPoints"),
		"PutPublicAccessBlock":    service.OnAny("s3:PutAccountPublicAccessBlock"),
		"GetPublicAccessBlock":    service.OnAny("s3:GetAccountPublicAccessBlock"),
		"DeletePublicAccessBlock": service.OnAny("s3:PutAccountPublicAccessBlock"),
		"TagResource": service.OnAll("s3:TagResource", func(ctx context.Context, in *control.TagResourceInput) ([]service.Target, error) {
			return s.tagTargets(ctx, in.ResourceArn, nil, in.Tags)
		}),
		"UntagResource": service.OnAll("s3:UntagResource", func(ctx context.Context, in *control.UntagResourceInput) ([]service.Target, error) {
			return s.tagTargets(ctx, in.ResourceArn, in.TagKeys, nil)
		}),
		"ListTagsForResource": service.OnAll("s3:ListTagsForResource", func(ctx context.Context, in *control.ListTagsForResourceInput) ([]service.Target, error) {
			return s.tagTargets(ctx, in.ResourceArn, nil, nil)
		}),
	})
	return rules
}

// requested is the access point that a request names: one of its account and region.
func requested(ctx context.Context, name string) pointName {
	r := service.RequestFrom(ctx)
	if p, ok := parsePointARN(name); ok {
		return p
	}
	return pointName{r.Account, r.Region, name}
}

// checkAccount refuses a call whose x-amz-account-id is not the caller's account.
func checkAccount(ctx context.Context, id string) error {
	if id != service.RequestFrom(ctx).Account {
		return accessDenied("The account id %s is not the one of the credentials.", id)
	}
	return nil
}

// validPointName applies https://docs.aws.amazon.com/AmazonS3/latest/userguide/creating-access-points.html: 3 to 50 lower-case letters, digits and inner hyphens.
func validPointName(name string) bool {
	if len(name) < 3 || len(name) > 50 || strings.Trim(name, "-") != name || strings.HasSuffix(name, aliasSuffix) {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (s *Service) createAccessPoint(ctx context.Context, in *control.CreateAccessPointInput) (*control.CreateAccessPointOutput, error) {
	switch {
	case in.VpcConfiguration != nil:
		return nil, unsupported("CreateAccessPoint", "VpcConfiguration")
	case in.Scope != nil:
		return nil, unsupported("CreateAccessPoint", "Scope (directory buckets)")
	case !validPointName(in.Name):
		return nil, invalidRequest("The access point name %q is not valid: it has 3 to 50 lower-case letters, digits and hyphens, and begins and ends with a letter or digit.", in.Name)
	}
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	p := accessPoint{pointName: requested(ctx, in.Name), Created: s.now().Truncate(time.Second), Block: publicAccessBlock{true, true, true, true}}
	if c := in.PublicAccessBlockConfiguration; c != nil {
		p.Block = publicAccessBlock{deref(c.BlockPublicAcls), deref(c.IgnorePublicAcls), deref(c.BlockPublicPolicy), deref(c.RestrictPublicBuckets)}
	}
	for _, t := range in.Tags {
		p.Tags = append(p.Tags, tag{t.Key, t.Value})
	}
	if err := checkTagSet(p.Tags, maxBucketTags); err != nil {
		return nil, err
	}
	p.Alias = p.Name[:min(len(p.Name), 28)] + "-" + s.newID() + aliasSuffix
	err := s.store.Update(ctx, func(tx store.Txn) error {
		b, err := findBucket(tx, in.Bucket, in.BucketAccountId)
		if err != nil {
			return err
		}
		switch {
		case b.Account != p.Account && in.BucketAccountId == nil:
			return accessDenied("The bucket %s belongs to another account; name it with BucketAccountId.", b.Name)
		case b.Region != p.Region:
			return invalidRequest("The bucket %s is in %s; an access point must be made in the region of its bucket.", b.Name, b.Region)
		}
		if _, exists, err := record.Get[accessPoint](tx, p.key()); err != nil || exists {
			if err == nil {
				err = fail("AccessPointAlreadyOwnedByYou", http.StatusConflict, "Your previous request to create the named accesspoint succeeded and you already own it.")
			}
			return err
		}
		p.Bucket, p.BucketAccount, p.BucketID = b.Name, b.Account, b.ID
		tx.Set(b.pointKey(p.pointName), nil)
		if err := record.Set(tx, aliasKey(p.Alias), p.pointName); err != nil {
			return err
		}
		return record.Set(tx, p.key(), p)
	})
	return answerOf(&control.CreateAccessPointOutput{AccessPointArn: ptr(p.arn()), Alias: &p.Alias}, fromStore(wrap("create access point", err)))
}

// point returns the access point that a request names.
func (s *Service) point(ctx context.Context, account, name string) (p accessPoint, err error) {
	if err := checkAccount(ctx, account); err != nil {
		return p, err
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		var ok bool
		if p, ok, err = record.Get[accessPoint](r, requested(ctx, name).key()); err == nil && !ok {
			return noSuchPoint()
		}
		return err
	})
	return p, fromStore(wrap("read access point", err))
}

// changePoint changes the record of an access point.
func (s *Service) changePoint(ctx context.Context, account, name string, change func(tx store.Txn, p *accessPoint) error) error {
	if err := checkAccount(ctx, account); err != nil {
		return err
	}
	return fromStore(wrap("change access point", s.store.Update(ctx, func(tx store.Txn) error {
		p, ok, err := record.Get[accessPoint](tx, requested(ctx, name).key())
		switch {
		case err != nil:
			return err
		case !ok:
			return noSuchPoint()
		}
		if err := change(tx, &p); err != nil {
			return err
		}
		return record.Set(tx, p.key(), p)
	})))
}

func (s *Service) getAccessPoint(ctx context.Context, in *control.GetAccessPointInput) (*control.GetAccessPointOutput, error) {
	p, err := s.point(ctx, in.AccountId, in.Name)
	return answerOf(&control.GetAccessPointOutput{
		Name: &p.Name, Bucket: &p.Bucket, BucketAccountId: &p.BucketAccount, NetworkOrigin: "Internet", CreationDate: &p.Created, Alias: &p.Alias, AccessPointArn: ptr(p.arn()),
		PublicAccessBlockConfiguration: &control.PublicAccessBlockConfiguration{
			BlockPublicAcls: &p.Block.BlockPublicACLs, IgnorePublicAcls: &p.Block.IgnorePublicACLs, BlockPublicPolicy: &p.Block.BlockPublicPolicy, RestrictPublicBuckets: &p.Block.RestrictPublicBuckets,
		},
		Endpoints: map[string]string{
			"ipv4": "s3-accesspoint." + p.Region + ".amazonaws.com", "dualstack": "s3-accesspoint.dualstack." + p.Region + ".amazonaws.com",
			"fips": "s3-accesspoint-fips." + p.Region + ".amazonaws.com", "fips_dualstack": "s3-accesspoint-fips.dualstack." + p.Region + ".amazonaws.com",
		},
	}, err)
}

func (s *Service) listAccessPoints(ctx context.Context, in *control.ListAccessPointsInput) (*control.ListAccessPointsOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	if in.DataSourceId != nil || in.DataSourceType != nil {
		return nil, unsupported("ListAccessPoints", "DataSourceId and DataSourceType")
	}
	limit := maxPoints
	if in.MaxResults != nil {
		limit = min(int(*in.MaxResults), maxPoints)
	}
	from, err := decodeToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &control.ListAccessPointsOutput{AccessPointList: []control.AccessPoint{}}
	request := service.RequestFrom(ctx)
	err = s.store.View(ctx, func(r store.Reader) error {
		out.AccessPointList, out.NextToken = out.AccessPointList[:0], nil
		rows := pointsKey(request.Account, request.Region).Span()
		if from != "" {
			rows.Lo = after(pointsKey(request.Account, request.Region), from)
		}
		all, err := record.List[accessPoint](r, rows)
		if err != nil {
			return err
		}
		for _, p := range all {
			if in.Bucket != nil && p.Bucket != *in.Bucket {
				continue
			}
			if n := len(out.AccessPointList); n >= limit {
				if n > 0 {
					out.NextToken = ptr(encodeToken(out.AccessPointList[n-1].Name))
				}
				return nil
			}
			out.AccessPointList = append(out.AccessPointList, control.AccessPoint{
				Name: p.Name, NetworkOrigin: "Internet", Bucket: p.Bucket, BucketAccountId: ptr(p.BucketAccount), AccessPointArn: ptr(p.arn()), Alias: ptr(p.Alias),
			})
		}
		return nil
	})
	return answerOf(out, fromStore(wrap("list access points", err)))
}

func (s *Service) deleteAccessPoint(ctx context.Context, in *control.DeleteAccessPointInput) (*control.DeleteAccessPointOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		p, ok, err := record.Get[accessPoint](tx, requested(ctx, in.Name).key())
		switch {
		case err != nil:
			return err
		case !ok:
			return noSuchPoint()
		}
		b := bucket{ID: p.BucketID, Account: p.BucketAccount, Region: p.Region}
		tx.Delete(b.pointKey(p.pointName))
		tx.Delete(aliasKey(p.Alias))
		tx.Delete(p.key())
		return nil
	})
	return answerOf(&control.DeleteAccessPointOutput{}, fromStore(wrap("delete access point", err)))
}

func (s *Service) putAccessPointPolicy(ctx context.Context, in *control.PutAccessPointPolicyInput) (*control.PutAccessPointPolicyOutput, error) {
	statements, err := parsePolicy(in.Policy, requested(ctx, in.Name).arn())
	if err != nil {
		return nil, err
	}
	policy := bucketPolicy{Document: in.Policy, Public: slices.ContainsFunc(statements, func(st statement) bool { return st.public() })}
	err = s.changePoint(ctx, in.AccountId, in.Name, func(tx store.Txn, p *accessPoint) error {
		block, err := readAccountBlock(tx, p.Account)
		switch {
		case err != nil:
			return err
		case policy.Public && p.Block.BlockPublicPolicy:
			return accessDenied("The policy would make the access point %s public, and its public access block has BlockPublicPolicy, which cannot be changed. Make another access point.", p.Name)
		case policy.Public && block.BlockPublicPolicy:
			return accessDenied("The policy would make the access point %s public, and the public access block of the account has BlockPublicPolicy. To allow it, set that to false first.", p.Name)
		}
		p.Policy = policy
		return nil
	})
	return answerOf(&control.PutAccessPointPolicyOutput{}, err)
}

func (s *Service) getAccessPointPolicy(ctx context.Context, in *control.GetAccessPointPolicyInput) (*control.GetAccessPointPolicyOutput, error) {
	p, err := s.pointPolicy(ctx, in.AccountId, in.Name)
	return answerOf(&control.GetAccessPointPolicyOutput{Policy: &p.Document}, err)
}

func (s *Service) getAccessPointPolicyStatus(ctx context.Context, in *control.GetAccessPointPolicyStatusInput) (*control.GetAccessPointPolicyStatusOutput, error) {
	p, err := s.pointPolicy(ctx, in.AccountId, in.Name)
	return answerOf(&control.GetAccessPointPolicyStatusOutput{PolicyStatus: &control.PolicyStatus{IsPublic: &p.Public}}, err)
}

func (s *Service) pointPolicy(ctx context.Context, account, name string) (bucketPolicy, error) {
	p, err := s.point(ctx, account, name)
	if err == nil && p.Policy.Document == "" {
		err = fail("NoSuchAccessPointPolicy", http.StatusNotFound, "The specified accesspoint policy does not exist")
	}
	return p.Policy, err
}

func (s *Service) deleteAccessPointPolicy(ctx context.Context, in *control.DeleteAccessPointPolicyInput) (*control.DeleteAccessPointPolicyOutput, error) {
	err := s.changePoint(ctx, in.AccountId, in.Name, func(_ store.Txn, p *accessPoint) error { p.Policy = bucketPolicy{}; return nil })
	return answerOf(&control.DeleteAccessPointPolicyOutput{}, err)
}
