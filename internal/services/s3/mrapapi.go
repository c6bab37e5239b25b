package s3

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// maxMultiPoints and maxMultiRegions are the quotas of an account and of a point
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointRestrictions.html).
	maxMultiPoints  = 100
	maxMultiRegions = 17
	// multiRequestAge is how long an asynchronous request can be asked about.
	multiRequestAge = 14 * 24 * time.Hour
	// multiRegion is the region of the control plane on AWS, which is in the ARNs of requests wherever they were made.
	multiRegion = "us-west-2"
)

// multiAccess lists what the operations on multi-region access points need
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointPermissions.html). Until a point is made, its name stands in the place of its alias.
func (s *Service) multiAccess() map[string]service.Access {
	return map[string]service.Access{
		"CreateMultiRegionAccessPoint": onMulti(s, "s3:CreateMultiRegionAccessPoint", func(in *control.CreateMultiRegionAccessPointInput) string { return deref(in.Details).Name }),
		"DeleteMultiRegionAccessPoint": onMulti(s, "s3:DeleteMultiRegionAccessPoint", func(in *control.DeleteMultiRegionAccessPointInput) string { return deref(in.Details).Name }),
		"DescribeMultiRegionAccessPointOperation": service.On("s3:DescribeMultiRegionAccessPointOperation", func(_ context.Context, in *control.DescribeMultiRegionAccessPointOperationInput) string {
			return in.RequestTokenARN
		}),
		"GetMultiRegionAccessPoint":             onMulti(s, "s3:GetMultiRegionAccessPoint", func(in *control.GetMultiRegionAccessPointInput) string { return in.Name }),
		"ListMultiRegionAccessPoints":           service.OnAny("s3:ListMultiRegionAccessPoints"),
		"GetMultiRegionAccessPointPolicy":       onMulti(s, "s3:GetMultiRegionAccessPointPolicy", func(in *control.GetMultiRegionAccessPointPolicyInput) string { return in.Name }),
		"GetMultiRegionAccessPointPolicyStatus": onMulti(s, "s3:GetMultiRegionAccessPointPolicyStatus", func(in *control.GetMultiRegionAccessPointPolicyStatusInput) string { return in.Name }),
		"PutMultiRegionAccessPointPolicy":       onMulti(s, "s3:PutMultiRegionAccessPointPolicy", func(in *control.PutMultiRegionAccessPointPolicyInput) string { return deref(in.Details).Name }),
		"GetMultiRegionAccessPointRoutes":       onMulti(s, "s3:GetMultiRegionAccessPointRoutes", func(in *control.GetMultiRegionAccessPointRoutesInput) string { return in.Mrap }),
		"SubmitMultiRegionAccessPointRoutes":    onMulti(s, "s3:SubmitMultiRegionAccessPointRoutes", func(in *control.SubmitMultiRegionAccessPointRoutesInput) string { return in.Mrap }),
	}
}

// onMulti is the rule of an operation on a multi-region access point, which is named by its name, its alias or its ARN.
func onMulti[In any](s *Service, action string, name func(in In) string) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		p := pointName{Account: service.RequestFrom(ctx).Account, Name: name(in)}
		if alias, ok := multiAlias(p.Name); ok {
			p.Name = alias
		} else if m, err := s.multiPoint(ctx, p.Account, p.Name); err == nil {
			p.Name = m.Alias
		} else if service.Unless(err, "NoSuchMultiRegionAccessPoint") != nil {
			return nil, err
		}
		return []service.Target{{ARN: p.arn(), Owner: p.Account}}, nil
	})
}

func (s *Service) multiPoint(ctx context.Context, account, name string) (m multiPoint, err error) {
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		m, err = findMultiPoint(r, account, name)
		return err
	})
	return m, fromStore(wrap("read multi-region access point", err))
}

// multiRequest is an asynchronous request: kind is a word of its ARN.
type multiRequest struct {
	account, operation, kind, token string
	details                         any
}

// requested does what an asynchronous request asks for, once for each client token, and returns the ARN by which it is asked about.
func (s *Service) multiRequested(ctx context.Context, q multiRequest, do func(tx store.Txn) (*multiPoint, error)) (*string, error) {
	if err := checkAccount(ctx, q.account); err != nil {
		return nil, err
	}
	parameters, err := json.Marshal(q.details)
	if err != nil {
		return nil, err
	}
	op := multiOperation{Operation: q.operation, Created: s.now().Truncate(time.Second), Parameters: parameters}
	op.ARN = "arn:aws:s3:" + multiRegion + ":" + q.account + ":async-request/mrap/" + q.kind + "/" + uuid.Of(q.account, q.kind, q.token)
	rows := multiOperationsKey(q.account)
	err = s.store.Update(ctx, func(tx store.Txn) error {
		if done, ok, err := record.Get[multiOperation](tx, rows.Str(op.ARN)); err != nil || ok {
			if err == nil && string(done.Parameters) != string(op.Parameters) {
				err = invalidRequest("The ClientToken %s was used for a request that asks for something else. Use another one for each request.", q.token)
			}
			return err
		}
		m, err := do(tx)
		if err != nil {
			return err
		}
		op.Regions = op.Regions[:0]
		for _, r := range m.Regions {
			op.Regions = append(op.Regions, r.Region)
		}
		for old, err := range record.Range[multiOperation](tx, rows.Span()) {
			if err != nil {
				return err
			}
			if op.Created.Sub(old.Value.Created) > multiRequestAge {
				tx.Delete(rows.Str(old.Value.ARN))
			}
		}
		return record.Set(tx, rows.Str(op.ARN), op)
	})
	return &op.ARN, fromStore(wrap("change multi-region access point", err))
}

func (s *Service) createMultiPoint(ctx context.Context, in *control.CreateMultiRegionAccessPointInput) (*control.CreateMultiRegionAccessPointOutput, error) {
	d := in.Details
	switch {
	case d == nil:
		return nil, malformedXML()
	case !validPointName(d.Name):
		return nil, fail("InvalidMultiRegionAccessPointName", http.StatusBadRequest, "The multi-region access point name %q is not valid: it has 3 to 50 lower-case letters, digits and hyphens, and begins and ends with a letter or digit.", d.Name)
	case len(d.Regions) == 0:
		return nil, invalidRequest("A multi-region access point has at least one bucket.")
	case len(d.Regions) > maxMultiRegions:
		return nil, fail("TooManyMultiRegionAccessPointregionsError", http.StatusBadRequest, "A multi-region access point has at most %d buckets.", maxMultiRegions)
	}
	m := multiPoint{Account: in.AccountId, Name: d.Name, Alias: "m" + s.newID()[:12] + multiSuffix, Created: s.now().Truncate(time.Second), Block: publicAccessBlock{true, true, true, true}}
	if c := d.PublicAccessBlock; c != nil {
		m.Block = publicAccessBlock{deref(c.BlockPublicAcls), deref(c.IgnorePublicAcls), deref(c.BlockPublicPolicy), deref(c.RestrictPublicBuckets)}
	}
	arn, err := s.multiRequested(ctx, multiRequest{in.AccountId, control.AsyncOperationNameCreateMultiRegionAccessPoint, "create", in.ClientToken, d}, func(tx store.Txn) (*multiPoint, error) {
		return &m, putMultiPoint(tx, &m, d.Regions)
	})
	return answerOf(&control.CreateMultiRegionAccessPointOutput{RequestTokenARN: arn}, err)
}

// putMultiPoint writes a new point of buckets.
func putMultiPoint(tx store.Txn, m *multiPoint, buckets []control.Region) error {
	all, err := record.List[multiPoint](tx, multiPointsKey(m.Account).Span())
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(all, func(o multiPoint) bool { return o.Name == m.Name }):
		return fail("MultiRegionAccessPointAlreadyOwnedByYou", http.StatusConflict, "You already have a multi-region access point with the name %s.", m.Name)
	case len(all) >= maxMultiPoints:
		return fail("TooManyMultiRegionAccessPoints", http.StatusBadRequest, "You have as many multi-region access points as an account has at most, %d.", maxMultiPoints)
	}
	m.Regions = nil
	for _, of := range buckets {
		b, err := findBucket(tx, of.Bucket, of.BucketAccountId)
		switch {
		case err != nil:
			return err
		case b.Account != m.Account && of.BucketAccountId == nil:
			return accessDenied("The bucket %s belongs to another account; name it with BucketAccountId.", b.Name)
		case slices.ContainsFunc(m.Regions, func(r multiRoute) bool { return r.Region == b.Region }):
			return fail("MultiRegionAccessPointSameBucketRegion", http.StatusBadRequest, "The buckets of a multi-region access point are in different regions, and two of these are in %s.", b.Region)
		}
		m.Regions = append(m.Regions, multiRoute{b.Region, b.Name, b.Account, b.ID, 100})
		tx.Set(b.pointKey(m.at()), nil)
	}
	if err := record.Set(tx, aliasKey(m.Alias), pointName{Account: m.Account, Name: m.Name}); err != nil {
		return err
	}
	return record.Set(tx, m.key(), *m)
}

func (s *Service) deleteMultiPoint(ctx context.Context, in *control.DeleteMultiRegionAccessPointInput) (*control.DeleteMultiRegionAccessPointOutput, error) {
	if in.Details == nil {
		return nil, malformedXML()
	}
	arn, err := s.multiRequested(ctx, multiRequest{in.AccountId, control.AsyncOperationNameDeleteMultiRegionAccessPoint, "delete", in.ClientToken, in.Details}, func(tx store.Txn) (*multiPoint, error) {
		m, err := findMultiPoint(tx, in.AccountId, in.Details.Name)
		if err != nil {
			return nil, err
		}
		for _, r := range m.Regions {
			tx.Delete((&bucket{ID: r.BucketID, Account: r.BucketAccount, Region: r.Region}).pointKey(m.at()))
		}
		tx.Delete(aliasKey(m.Alias))
		tx.Delete(m.key())
		return &m, nil
	})
	return answerOf(&control.DeleteMultiRegionAccessPointOutput{RequestTokenARN: arn}, err)
}

func (s *Service) putMultiPointPolicy(ctx context.Context, in *control.PutMultiRegionAccessPointPolicyInput) (*control.PutMultiRegionAccessPointPolicyOutput, error) {
	d := in.Details
	if d == nil {
		return nil, malformedXML()
	}
	arn, err := s.multiRequested(ctx, multiRequest{in.AccountId, control.AsyncOperationNamePutMultiRegionAccessPointPolicy, "put-policy", in.ClientToken, d}, func(tx store.Txn) (*multiPoint, error) {
		m, err := findMultiPoint(tx, in.AccountId, d.Name)
		if err != nil {
			return nil, err
		}
		statements, err := parsePolicy(d.Policy, m.at().arn())
		if err != nil {
			return nil, err
		}
		block, err := readAccountBlock(tx, m.Account)
		if err != nil {
			return nil, err
		}
		m.Policy = bucketPolicy{Document: d.Policy, Public: slices.ContainsFunc(statements, func(st statement) bool { return st.public() })}
		if m.Policy.Public && block.or(m.Block).BlockPublicPolicy {
			return nil, accessDenied("The policy would make the multi-region access point %s public, and its public access block or that of the account has BlockPublicPolicy.", m.Name)
		}
		return &m, record.Set(tx, m.key(), m)
	})
	return answerOf(&control.PutMultiRegionAccessPointPolicyOutput{RequestTokenARN: arn}, err)
}

func (s *Service) describeMultiOperation(ctx context.Context, in *control.DescribeMultiRegionAccessPointOperationInput) (*control.DescribeMultiRegionAccessPointOperationOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	var op multiOperation
	err := s.store.View(ctx, func(r store.Reader) error {
		var ok bool
		var err error
		if op, ok, err = record.Get[multiOperation](r, multiOperationsKey(in.AccountId).Str(in.RequestTokenARN)); err == nil && !ok {
			err = fail("NoSuchAsyncRequest", http.StatusNotFound, "The specified async request does not exist")
		}
		return err
	})
	if err != nil {
		return nil, fromStore(wrap("read request", err))
	}
	parameters := &control.AsyncRequestParameters{}
	into := map[string]any{
		control.AsyncOperationNameCreateMultiRegionAccessPoint:    &parameters.CreateMultiRegionAccessPointRequest,
		control.AsyncOperationNameDeleteMultiRegionAccessPoint:    &parameters.DeleteMultiRegionAccessPointRequest,
		control.AsyncOperationNamePutMultiRegionAccessPointPolicy: &parameters.PutMultiRegionAccessPointPolicyRequest,
	}[op.Operation]
	if err := json.Unmarshal(op.Parameters, into); err != nil {
		return nil, err
	}
	details := &control.MultiRegionAccessPointsAsyncResponse{}
	for _, name := range op.Regions {
		details.Regions = append(details.Regions, control.MultiRegionAccessPointRegionalResponse{Name: &name, RequestStatus: ptr("SUCCEEDED")})
	}
	return &control.DescribeMultiRegionAccessPointOperationOutput{AsyncOperation: &control.AsyncOperation{
		CreationTime: &op.Created, Operation: op.Operation, RequestTokenARN: &op.ARN, RequestParameters: parameters, RequestStatus: ptr("SUCCEEDED"),
		ResponseDetails: &control.AsyncResponseDetails{MultiRegionAccessPointDetails: details},
	}}, nil
}

// report shows a point.
func (m *multiPoint) report() *control.MultiRegionAccessPointReport {
	b := m.Block
	out := &control.MultiRegionAccessPointReport{
		Name: &m.Name, Alias: &m.Alias, CreatedAt: &m.Created, Status: control.MultiRegionAccessPointStatusReady,
		PublicAccessBlock: &control.PublicAccessBlockConfiguration{BlockPublicAcls: &b.BlockPublicACLs, IgnorePublicAcls: &b.IgnorePublicACLs, BlockPublicPolicy: &b.BlockPublicPolicy, RestrictPublicBuckets: &b.RestrictPublicBuckets},
	}
	for _, r := range m.Regions {
		out.Regions = append(out.Regions, control.RegionReport{Bucket: &r.Bucket, Region: &r.Region, BucketAccountId: &r.BucketAccount})
	}
	return out
}

func (s *Service) getMultiPoint(ctx context.Context, in *control.GetMultiRegionAccessPointInput) (*control.GetMultiRegionAccessPointOutput, error) {
	m, err := s.ownMultiPoint(ctx, in.AccountId, in.Name)
	return answerOf(&control.GetMultiRegionAccessPointOutput{AccessPoint: m.report()}, err)
}

func (s *Service) ownMultiPoint(ctx context.Context, account, name string) (multiPoint, error) {
	if err := checkAccount(ctx, account); err != nil {
		return multiPoint{}, err
	}
	return s.multiPoint(ctx, account, name)
}

func (s *Service) listMultiPoints(ctx context.Context, in *control.ListMultiRegionAccessPointsInput) (*control.ListMultiRegionAccessPointsOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	limit := maxPoints
	if in.MaxResults != nil && *in.MaxResults > 0 {
		limit = int(*in.MaxResults)
	}
	out := &control.ListMultiRegionAccessPointsOutput{AccessPoints: []control.MultiRegionAccessPointReport{}}
	next, err := record.Page(ctx, s.store, multiPointsKey(in.AccountId), record.Paging{Token: in.NextToken, Limit: limit}, func(_ string, m multiPoint) bool {
		out.AccessPoints = append(out.AccessPoints, *m.report())
		return true
	})
	if errors.Is(err, record.ErrToken) {
		return nil, invalidArgument("The continuation token provided is incorrect")
	}
	out.NextToken = next
	return answerOf(out, fromStore(wrap("list multi-region access points", err)))
}

// getMultiPointPolicy shows the policy, which is both proposed and established, because requests are done at once.
func (s *Service) getMultiPointPolicy(ctx context.Context, in *control.GetMultiRegionAccessPointPolicyInput) (*control.GetMultiRegionAccessPointPolicyOutput, error) {
	m, err := s.ownMultiPoint(ctx, in.AccountId, in.Name)
	out := &control.GetMultiRegionAccessPointPolicyOutput{Policy: &control.MultiRegionAccessPointPolicyDocument{}}
	if document := m.Policy.Document; document != "" {
		out.Policy.Established = &control.EstablishedMultiRegionAccessPointPolicy{Policy: &document}
		out.Policy.Proposed = &control.ProposedMultiRegionAccessPointPolicy{Policy: &document}
	}
	return answerOf(out, err)
}

func (s *Service) getMultiPointPolicyStatus(ctx context.Context, in *control.GetMultiRegionAccessPointPolicyStatusInput) (*control.GetMultiRegionAccessPointPolicyStatusOutput, error) {
	m, err := s.ownMultiPoint(ctx, in.AccountId, in.Name)
	return answerOf(&control.GetMultiRegionAccessPointPolicyStatusOutput{Established: &control.PolicyStatus{IsPublic: &m.Policy.Public}}, err)
}

// routed finds the own point that a request about routes names by its alias or ARN.
func routed(r store.Reader, account, name string) (*multiPoint, error) {
	alias, ok := multiAlias(name)
	if !ok {
		return nil, invalidRequest("%q is neither the ARN nor the alias of a multi-region access point.", name)
	}
	m, err := findMultiAlias(r, alias)
	if err == nil && (m == nil || m.Account != account) {
		err = noSuchMultiPoint()
	}
	return m, err
}

func (s *Service) getMultiPointRoutes(ctx context.Context, in *control.GetMultiRegionAccessPointRoutesInput) (*control.GetMultiRegionAccessPointRoutesOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	out := &control.GetMultiRegionAccessPointRoutesOutput{Mrap: &in.Mrap}
	err := s.store.View(ctx, func(r store.Reader) error {
		m, err := routed(r, in.AccountId, in.Mrap)
		if err != nil {
			return err
		}
		for _, r := range m.Regions {
			out.Routes = append(out.Routes, control.MultiRegionAccessPointRoute{Bucket: &r.Bucket, Region: &r.Region, TrafficDialPercentage: r.Dial})
		}
		return nil
	})
	return answerOf(out, fromStore(wrap("read routes", err)))
}

func (s *Service) submitMultiPointRoutes(ctx context.Context, in *control.SubmitMultiRegionAccessPointRoutesInput) (*control.SubmitMultiRegionAccessPointRoutesOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		m, err := routed(tx, in.AccountId, in.Mrap)
		if err != nil {
			return err
		}
		for _, u := range in.RouteUpdates {
			i := slices.IndexFunc(m.Regions, func(r multiRoute) bool {
				return (u.Region == nil || *u.Region == r.Region) && (u.Bucket == nil || *u.Bucket == r.Bucket)
			})
			switch {
			case i < 0 || u.Region == nil && u.Bucket == nil:
				return invalidRequest("The multi-region access point has no route to the bucket %q in %q.", deref(u.Bucket), deref(u.Region))
			case u.TrafficDialPercentage != 0 && u.TrafficDialPercentage != 100:
				return invalidRequest("TrafficDialPercentage is 0 or 100, and not %d.", u.TrafficDialPercentage)
			}
			m.Regions[i].Dial = u.TrafficDialPercentage
		}
		if m.route("") == nil {
			return invalidRequest("At least one route of a multi-region access point is active: set another's TrafficDialPercentage to 100.")
		}
		return record.Set(tx, m.key(), *m)
	})
	return answerOf(&control.SubmitMultiRegionAccessPointRoutesOutput{}, fromStore(wrap("change routes", err)))
}
