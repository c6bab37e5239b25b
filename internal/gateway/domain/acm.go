package domain

import (
	"regexp"
)

// certificateARN is the form of the ARNs of ACM's certificates, with the region.
var certificateARN = regexp.MustCompile(`^arn:aws:acm:([a-z0-9-]+):\d{12}:certificate/[A-Za-z0-9-]+$`)

// edgeRegion is where the certificates of edge-optimized names have to be
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-edge-optimized-custom-domain-name.html).
const edgeRegion = "us-east-1"

// CheckCertificate refuses what is no certificate of ACM in the region where an endpoint takes it from. There is no ACM here to ask whether it is there.
func CheckCertificate(s Scope, endpoint, arn string) error {
	region := s.Region
	if endpoint == Edge {
		region = edgeRegion
	}
	switch found := certificateARN.FindStringSubmatch(arn); {
	case found == nil:
		return badRequest("Invalid certificate ARN: %s. Certificate must be in ACM.", arn)
	case found[1] != region:
		return badRequest("Invalid certificate ARN: %s. Certificate must be in '%s'.", arn, region)
	}
	return nil
}
