package s3

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

// maxWebsite is the greatest size of a website configuration, in bytes.
const maxWebsite = 128 << 10

// MessageLimit is the detail of a document that is too large.
type MessageLimit struct{ MaxMessageLengthBytes string }

func noSuchWebsite() *service.Error {
	return fail("NoSuchWebsiteConfiguration", http.StatusNotFound, "The specified bucket does not have a website configuration")
}

func (s *Service) putBucketWebsite(ctx context.Context, in *api.PutBucketWebsiteInput) (*api.PutBucketWebsiteOutput, error) {
	if in.WebsiteConfiguration == nil {
		return nil, malformedXML()
	}
	if err := checkWebsite(in.WebsiteConfiguration); err != nil {
		return nil, err
	}
	if r := service.RequestFrom(ctx).HTTP; r != nil {
		if n, ok := parseSize(r.Header("Content-Length")); ok && n > maxWebsite {
			return nil, fail("MaxMessageLengthExceeded", http.StatusBadRequest, "Your request was too big.").WithDetail(&MessageLimit{itoa(maxWebsite)})
		}
	}
	return answerOf(&api.PutBucketWebsiteOutput{}, setConf(ctx, s, in.Bucket, in.ExpectedBucketOwner, websiteConf, *in.WebsiteConfiguration))
}

// checkWebsite applies the rules of https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html.
func checkWebsite(c *api.WebsiteConfiguration) error {
	if all := c.RedirectAllRequestsTo; all != nil {
		if c.IndexDocument != nil || c.ErrorDocument != nil || len(c.RoutingRules) > 0 {
			return invalidValue("RedirectAllRequestsTo", "not null", "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")
		}
		if all.HostName == "" {
			return malformedXML()
		}
		return checkProtocol(all.Protocol)
	}
	if c.IndexDocument == nil {
		return invalidValue("IndexDocument", "null", "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty")
	}
	if c.IndexDocument.Suffix == "" || strings.Contains(c.IndexDocument.Suffix, "/") {
		return invalidValue("IndexDocument", c.IndexDocument.Suffix, "The IndexDocument Suffix is not well formed")
	}
	if c.ErrorDocument != nil && c.ErrorDocument.Key == "" {
		return invalidArgument("The ErrorDocument Key is not well formed")
	}
	if c.RoutingRules != nil && len(c.RoutingRules) == 0 {
		return malformedXML()
	}
	if len(c.RoutingRules) > 50 {
		return invalidRequest("%d routing rules provided, the number of routing rules in a website configuration is limited to 50.", len(c.RoutingRules))
	}
	for _, r := range c.RoutingRules {
		if err := checkRoutingRule(r); err != nil {
			return err
		}
	}
	return nil
}

// websiteErrors are the statuses that a routing rule may be about: those of RFC 9110 that a server of websites could answer.
var websiteErrors = []int{
	400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 500, 501, 502, 503, 504, 505,
}

func checkRoutingRule(r api.RoutingRule) error {
	switch {
	case r.Redirect == nil || *r.Redirect == (api.Redirect{}):
		return malformedXML()
	case checkProtocol(r.Redirect.Protocol) != nil:
		return checkProtocol(r.Redirect.Protocol)
	case r.Redirect.ReplaceKeyWith != nil && r.Redirect.ReplaceKeyPrefixWith != nil:
		return invalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
	case r.Condition != nil && r.Condition.KeyPrefixEquals == nil && r.Condition.HttpErrorCodeReturnedEquals == nil:
		return invalidRequest("Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.")
	}
	if c := r.Redirect.HttpRedirectCode; c != nil {
		if _, err := strconv.Atoi(*c); err != nil {
			return malformedXML()
		}
	}
	if c := r.Redirect.HttpRedirectCode; c != nil && !slices.Contains([]string{"301", "302", "303", "304", "305", "307", "308"}, *c) {
		return invalidRequest("The provided HTTP redirect code (%s) is not valid. Valid codes are 3XX except 300.", *c)
	}
	if r.Condition != nil && r.Condition.HttpErrorCodeReturnedEquals != nil {
		c, err := strconv.Atoi(*r.Condition.HttpErrorCodeReturnedEquals)
		if err != nil {
			return malformedXML()
		}
		if !slices.Contains(websiteErrors, c) {
			return invalidRequest("The provided HTTP error code (%s) is not valid. Valid codes are 4XX or 5XX.", *r.Condition.HttpErrorCodeReturnedEquals)
		}
	}
	return nil
}

func checkProtocol(p string) error {
	if p == "" || p == "http" || p == "https" {
		return nil
	}
	return invalidRequest("Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.")
}

func (s *Service) getBucketWebsite(ctx context.Context, in *api.GetBucketWebsiteInput) (*api.GetBucketWebsiteOutput, error) {
	c, err := getConf[api.WebsiteConfiguration](ctx, s, in.Bucket, in.ExpectedBucketOwner, websiteConf, noSuchWebsite())
	return answerOf(&api.GetBucketWebsiteOutput{
		IndexDocument: c.IndexDocument, ErrorDocument: c.ErrorDocument, RedirectAllRequestsTo: c.RedirectAllRequestsTo, RoutingRules: c.RoutingRules,
	}, err)
}

func (s *Service) deleteBucketWebsite(ctx context.Context, in *api.DeleteBucketWebsiteInput) (*api.DeleteBucketWebsiteOutput, error) {
	return answerOf(&api.DeleteBucketWebsiteOutput{}, s.deleteConf(ctx, in.Bucket, in.ExpectedBucketOwner, websiteConf))
}

// websiteURL returns the URL of a bucket's website that works without any DNS.
func (s *Service) websiteURL(name string) string { return s.baseURL + "/_aws/s3-website/" + name + "/" }
