package s3

import (
	"context"
	"errors"
	"net/http"
	"time"

	"lambent.dev/lambent/internal/auth/iam"
	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// grantsService is the service that assumes the roles of locations.
	grantsService = "access-grants.s3.amazonaws.com"
	// maxLocations is how many locations an instance has
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-grants-limitations.html).
	maxLocations = 1000
	// maxGrantsPage is how many entries a page of a list has.
	maxGrantsPage = 1000
)

// placeOf is the instance that a request names: that of an account, in the region of the request. Whether the caller may use another account's, its resource policy says.
func placeOf(ctx context.Context, account string) grantsPlace {
	return grantsPlace{account, service.RequestFrom(ctx).Region}
}

// plainControlTags returns the tags of a request, checked.
func plainControlTags(shown []control.Tag) ([]tag, error) {
	tags := make([]tag, 0, len(shown))
	for _, t := range shown {
		tags = append(tags, tag{t.Key, t.Value})
	}
	return tags, checkTagSet(tags, maxBucketTags)
}

// setGrantsTags writes the tags of an instance, a location or a grant; none removes them.
func setGrantsTags(tx store.Txn, p grantsPlace, resource string, tags []tag) error {
	if len(tags) == 0 {
		tx.Delete(p.tagsKey(resource))
		return nil
	}
	return record.Set(tx, p.tagsKey(resource), tags)
}

func (s *Service) createAccessGrantsInstance(ctx context.Context, in *control.CreateAccessGrantsInstanceInput) (*control.CreateAccessGrantsInstanceOutput, error) {
	if in.IdentityCenterArn != nil {
		return nil, unsupported("CreateAccessGrantsInstance", "IdentityCenterArn (grant access to users and roles of IAM)")
	}
	tags, err := plainControlTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx, in.AccountId)
	i := grantsInstance{Created: s.now().Truncate(time.Millisecond)}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		exists, err := record.Has(tx, p.instanceKey())
		switch {
		case err != nil:
			return err
		case exists:
			return fail("AccessGrantsInstanceAlreadyExists", http.StatusConflict, "Access Grants Instance already exists")
		}
		if err := setGrantsTags(tx, p, grantsResource, tags); err != nil {
			return err
		}
		return record.Set(tx, p.instanceKey(), i)
	})
	return answerOf(&control.CreateAccessGrantsInstanceOutput{
		CreatedAt: &i.Created, AccessGrantsInstanceId: ptr(grantsID), AccessGrantsInstanceArn: ptr(p.arn(grantsResource)),
	}, fromStore(wrap("create access grants instance", err)))
}

func (s *Service) getAccessGrantsInstance(ctx context.Context, in *control.GetAccessGrantsInstanceInput) (*control.GetAccessGrantsInstanceOutput, error) {
	p := placeOf(ctx, in.AccountId)
	i, err := s.instance(ctx, p)
	return answerOf(&control.GetAccessGrantsInstanceOutput{CreatedAt: &i.Created, AccessGrantsInstanceId: ptr(grantsID), AccessGrantsInstanceArn: ptr(p.arn(grantsResource))}, err)
}

func (s *Service) instance(ctx context.Context, p grantsPlace) (i grantsInstance, err error) {
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		i, err = findInstance(r, p)
		return err
	})
	return i, fromStore(wrap("read access grants instance", err))
}

// listAccessGrantsInstances lists the instance of the region, if there is one.
func (s *Service) listAccessGrantsInstances(ctx context.Context, in *control.ListAccessGrantsInstancesInput) (*control.ListAccessGrantsInstancesOutput, error) {
	p := placeOf(ctx, in.AccountId)
	out := &control.ListAccessGrantsInstancesOutput{AccessGrantsInstancesList: []control.ListAccessGrantsInstanceEntry{}}
	i, err := s.instance(ctx, p)
	if err == nil {
		out.AccessGrantsInstancesList = append(out.AccessGrantsInstancesList, control.ListAccessGrantsInstanceEntry{
			AccessGrantsInstanceId: ptr(grantsID), AccessGrantsInstanceArn: ptr(p.arn(grantsResource)), CreatedAt: &i.Created,
		})
	}
	return answerOf(out, service.Unless(err, "AccessGrantsInstanceNotExistsError"))
}

func (s *Service) deleteAccessGrantsInstance(ctx context.Context, in *control.DeleteAccessGrantsInstanceInput) (*control.DeleteAccessGrantsInstanceOutput, error) {
	p := placeOf(ctx, in.AccountId)
	err := s.store.Update(ctx, func(tx store.Txn) error {
		if _, err := findInstance(tx, p); err != nil {
			return err
		}
		used, err := anyRow(tx, p.locationsKey().Span())
		switch {
		case err != nil:
			return err
		case used:
			return fail("AccessGrantsInstanceNotEmptyError", http.StatusBadRequest, "Please clean up locations before deleting the access grants instance")
		}
		tx.Delete(p.instanceKey())
		tx.Delete(p.tagsKey(grantsResource))
		return nil
	})
	return answerOf(&control.DeleteAccessGrantsInstanceOutput{}, fromStore(wrap("delete access grants instance", err)))
}

// anyRow tells whether a span has a row.
func anyRow(r store.Reader, span store.Span) (bool, error) {
	for _, err := range r.Range(span) {
		return err == nil, err
	}
	return false, nil
}

// getAccessGrantsInstanceForPrefix names the instance whose grants are about a bucket: the one of its owner, in its region.
func (s *Service) getAccessGrantsInstanceForPrefix(ctx context.Context, in *control.GetAccessGrantsInstanceForPrefixInput) (*control.GetAccessGrantsInstanceForPrefixOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	p, err := s.placeOfPrefix(ctx, in.S3Prefix)
	if err == nil {
		_, err = s.instance(ctx, p)
	}
	return answerOf(&control.GetAccessGrantsInstanceForPrefixOutput{AccessGrantsInstanceId: ptr(grantsID), AccessGrantsInstanceArn: ptr(p.arn(grantsResource))}, err)
}

func (s *Service) placeOfPrefix(ctx context.Context, prefix string) (p grantsPlace, err error) {
	name, _, ok := grantTarget{Scope: prefix}.split()
	if !ok {
		return p, invalidArgument("The S3 prefix %q is not valid. It begins with s3:// and the name of a bucket.", prefix)
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		b, err := findBucket(r, name, nil)
		if err == nil {
			p = grantsPlace{b.Account, b.Region}
		}
		return err
	})
	return p, fromStore(err)
}

func (s *Service) putAccessGrantsInstancePolicy(ctx context.Context, in *control.PutAccessGrantsInstanceResourcePolicyInput) (*control.PutAccessGrantsInstanceResourcePolicyOutput, error) {
	if in.Organization != nil {
		return nil, unsupported("PutAccessGrantsInstanceResourcePolicy", "Organization")
	}
	if len(in.Policy) > maxPolicy {
		return nil, fail("InvalidResourcePolicy", http.StatusBadRequest, "The specified Resource Policy is invalid: it has more than %d bytes.", maxPolicy)
	}
	if _, err := iam.Parse(in.Policy, iam.ResourceBased); err != nil {
		return nil, fail("InvalidResourcePolicy", http.StatusBadRequest, "The specified Resource Policy is invalid: %s", err)
	}
	at := s.now().Truncate(time.Millisecond)
	err := s.changeInstance(ctx, placeOf(ctx, in.AccountId), func(i *grantsInstance) { i.Policy, i.PolicyCreated = in.Policy, at })
	return answerOf(&control.PutAccessGrantsInstanceResourcePolicyOutput{Policy: &in.Policy, CreatedAt: &at}, err)
}

func (s *Service) changeInstance(ctx context.Context, p grantsPlace, change func(i *grantsInstance)) error {
	return fromStore(wrap("change access grants instance", s.store.Update(ctx, func(tx store.Txn) error {
		i, err := findInstance(tx, p)
		if err != nil {
			return err
		}
		change(&i)
		return record.Set(tx, p.instanceKey(), i)
	})))
}

func (s *Service) getAccessGrantsInstancePolicy(ctx context.Context, in *control.GetAccessGrantsInstanceResourcePolicyInput) (*control.GetAccessGrantsInstanceResourcePolicyOutput, error) {
	i, err := s.instance(ctx, placeOf(ctx, in.AccountId))
	if err == nil && i.Policy == "" {
		err = fail("AccessGrantsInstanceResourcePolicyNotExists", http.StatusNotFound, "Access Grants Instance Resource Policy does not exist")
	}
	return answerOf(&control.GetAccessGrantsInstanceResourcePolicyOutput{Policy: &i.Policy, CreatedAt: &i.PolicyCreated}, err)
}

func (s *Service) deleteAccessGrantsInstancePolicy(ctx context.Context, in *control.DeleteAccessGrantsInstanceResourcePolicyInput) (*control.DeleteAccessGrantsInstanceResourcePolicyOutput, error) {
	err := s.changeInstance(ctx, placeOf(ctx, in.AccountId), func(i *grantsInstance) { i.Policy, i.PolicyCreated = "", time.Time{} })
	return answerOf(&control.DeleteAccessGrantsInstanceResourcePolicyOutput{}, err)
}

// checkLocationRole lets the caller name a role for a location: he must be allowed to pass it, and its trust policy must let S3 Access Grants assume it.
func (s *Service) checkLocationRole(ctx context.Context, p grantsPlace, role string) error {
	caller := service.RequestFrom(ctx).Principal
	caller.SourceARN, caller.SourceAccount = p.arn(grantsResource), p.account
	err := s.roles.CheckPassRole(service.As(ctx, caller), role, grantsService)
	if errors.Is(err, port.ErrUntrusted) {
		e := fail("InvalidIamRole", http.StatusBadRequest, "The specified IAM Role is invalid: %s. Its trust policy must allow sts:AssumeRole and sts:SetSourceIdentity to %s.", role, grantsService)
		e.Err = err
		return e
	}
	return err
}

func (s *Service) createAccessGrantsLocation(ctx context.Context, in *control.CreateAccessGrantsLocationInput) (*control.CreateAccessGrantsLocationOutput, error) {
	p := placeOf(ctx, in.AccountId)
	tags, err := plainControlTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.checkLocationRole(ctx, p, in.IAMRoleArn); err != nil {
		return nil, err
	}
	l := grantsLocation{ID: grantsID, Scope: in.LocationScope, Role: in.IAMRoleArn, Created: s.now().Truncate(time.Millisecond)}
	if l.Scope != defaultLocationURI {
		if l.ID, err = uuid.New(s.random); err != nil {
			return nil, err
		}
	}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		if err := checkNewLocation(tx, p, &l); err != nil {
			return err
		}
		if err := setGrantsTags(tx, p, locationResource(l.ID), tags); err != nil {
			return err
		}
		return record.Set(tx, p.locationKey(l.ID), l)
	})
	return answerOf(&control.CreateAccessGrantsLocationOutput{
		CreatedAt: &l.Created, AccessGrantsLocationId: &l.ID, AccessGrantsLocationArn: ptr(p.arn(locationResource(l.ID))), LocationScope: &l.Scope, IAMRoleArn: &l.Role,
	}, fromStore(wrap("create access grants location", err)))
}

func checkNewLocation(r store.Reader, p grantsPlace, l *grantsLocation) error {
	if _, err := findInstance(r, p); err != nil {
		return err
	}
	if l.Scope != defaultLocationURI {
		name, _, ok := grantTarget{Scope: l.Scope}.split()
		if !ok {
			return invalidLocation("The specified Access Grants Location is invalid: %q is neither s3:// nor s3:// with the name of a bucket and, perhaps, a slash and a prefix.", l.Scope)
		}
		b, err := findBucket(r, name, nil)
		switch {
		case err == nil && (b.Account != p.account || b.Region != p.region):
			return invalidLocation("The specified Access Grants Location is invalid: the bucket %s is not one of account %s in %s, as the access grants instance is.", name, p.account, p.region)
		case service.Unless(err, "NoSuchBucket") != nil:
			return err
		}
	}
	all, err := record.List[grantsLocation](r, p.locationsKey().Span())
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Scope == l.Scope {
			return fail("AccessGrantsLocationAlreadyExistsError", http.StatusConflict, "The specified access grants location already exists")
		}
	}
	if len(all) >= maxLocations {
		return fail("AccessGrantsLocationsQuotaExceededError", http.StatusConflict, "The access grants location quota has been exceeded. Access Grants Locations Quota: %d.", maxLocations)
	}
	return nil
}

func (s *Service) getAccessGrantsLocation(ctx context.Context, in *control.GetAccessGrantsLocationInput) (*control.GetAccessGrantsLocationOutput, error) {
	p := placeOf(ctx, in.AccountId)
	var l grantsLocation
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		l, err = findLocation(r, p, in.AccessGrantsLocationId)
		return err
	})
	return answerOf(&control.GetAccessGrantsLocationOutput{
		CreatedAt: &l.Created, AccessGrantsLocationId: &l.ID, AccessGrantsLocationArn: ptr(p.arn(locationResource(l.ID))), LocationScope: &l.Scope, IAMRoleArn: &l.Role,
	}, fromStore(wrap("read access grants location", err)))
}

func (s *Service) updateAccessGrantsLocation(ctx context.Context, in *control.UpdateAccessGrantsLocationInput) (*control.UpdateAccessGrantsLocationOutput, error) {
	p := placeOf(ctx, in.AccountId)
	if err := s.checkLocationRole(ctx, p, in.IAMRoleArn); err != nil {
		return nil, err
	}
	var l grantsLocation
	err := s.store.Update(ctx, func(tx store.Txn) (err error) {
		if l, err = findLocation(tx, p, in.AccessGrantsLocationId); err != nil {
			return err
		}
		l.Role = in.IAMRoleArn
		return record.Set(tx, p.locationKey(l.ID), l)
	})
	return answerOf(&control.UpdateAccessGrantsLocationOutput{
		CreatedAt: &l.Created, AccessGrantsLocationId: &l.ID, AccessGrantsLocationArn: ptr(p.arn(locationResource(l.ID))), LocationScope: &l.Scope, IAMRoleArn: &l.Role,
	}, fromStore(wrap("change access grants location", err)))
}

func (s *Service) deleteAccessGrantsLocation(ctx context.Context, in *control.DeleteAccessGrantsLocationInput) (*control.DeleteAccessGrantsLocationOutput, error) {
	p := placeOf(ctx, in.AccountId)
	err := s.store.Update(ctx, func(tx store.Txn) error {
		l, err := findLocation(tx, p, in.AccessGrantsLocationId)
		if err != nil {
			return err
		}
		used, err := anyRow(tx, p.atKey(l.ID).Span())
		switch {
		case err != nil:
			return err
		case used:
			return fail("AccessGrantsLocationNotEmptyError", http.StatusBadRequest, "Please clean up access grants before deleting access grants location")
		}
		tx.Delete(p.locationKey(l.ID))
		tx.Delete(p.tagsKey(locationResource(l.ID)))
		return nil
	})
	return answerOf(&control.DeleteAccessGrantsLocationOutput{}, fromStore(wrap("delete access grants location", err)))
}

// grantsPage lists records of an instance that keep takes, a page at a time.
func grantsPage[T any](ctx context.Context, s *Service, p grantsPlace, rows []byte, most *int32, token *string, keep func(v *T) bool) (*string, error) {
	if _, err := s.instance(ctx, p); err != nil {
		return nil, err
	}
	limit := maxGrantsPage
	if most != nil && *most > 0 {
		limit = min(int(*most), maxGrantsPage)
	}
	next, err := record.PageRows(ctx, s.store, rows, record.Paging{Token: token, Limit: limit}, func(_ []byte, v T) bool { return keep(&v) })
	if errors.Is(err, record.ErrToken) {
		return nil, invalidArgument("The continuation token provided is incorrect")
	}
	return next, fromStore(wrap("list access grants", err))
}

func (s *Service) listAccessGrantsLocations(ctx context.Context, in *control.ListAccessGrantsLocationsInput) (*control.ListAccessGrantsLocationsOutput, error) {
	p := placeOf(ctx, in.AccountId)
	out := &control.ListAccessGrantsLocationsOutput{AccessGrantsLocationsList: []control.ListAccessGrantsLocationsEntry{}}
	next, err := grantsPage(ctx, s, p, p.locationsKey(), in.MaxResults, in.NextToken, func(l *grantsLocation) bool {
		if in.LocationScope != nil && *in.LocationScope != l.Scope {
			return false
		}
		out.AccessGrantsLocationsList = append(out.AccessGrantsLocationsList, control.ListAccessGrantsLocationsEntry{
			CreatedAt: &l.Created, AccessGrantsLocationId: &l.ID, AccessGrantsLocationArn: ptr(p.arn(locationResource(l.ID))), LocationScope: &l.Scope, IAMRoleArn: &l.Role,
		})
		return true
	})
	out.NextToken = next
	return answerOf(out, err)
}
