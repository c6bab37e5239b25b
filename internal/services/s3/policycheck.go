package s3

import (
	"slices"
	"strings"
)

// conditionKeys are the condition keys of S3 that a policy may name, in lower case; those that end with a slash are followed by the key of a tag.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
var conditionKeys = []string{
	"s3:accessgrantsinstancearn", "s3:accesspointnetworkorigin", "s3:accesspointtag/", "s3:authtype", "s3:buckettag/", "s3:dataaccesspointaccount",
	"s3:dataaccesspointarn", "s3:delimiter", "s3:destinationregion", "s3:existingjoboperation", "s3:existingjobpriority", "s3:existingobjecttag/", "s3:if-match",
	"s3:if-none-match", "s3:inventoryaccessibleoptionalfields", "s3:isreplicationpauserequest", "s3:jobsuspendedcause", "s3:locationconstraint", "s3:max-keys",
	"s3:object-lock-legal-hold", "s3:object-lock-mode", "s3:object-lock-remaining-retention-days", "s3:object-lock-retain-until-date",
	"s3:objectcreationoperation", "s3:prefix", "s3:requestjoboperation", "s3:requestjobpriority", "s3:requestobjecttag/", "s3:requestobjecttagkeys",
	"s3:resourceaccount", "s3:signatureage", "s3:signatureversion", "s3:tlsversion", "s3:versionid", "s3:x-amz-acl", "s3:x-amz-content-sha256",
	"s3:x-amz-copy-source", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write",
	"s3:x-amz-grant-write-acp", "s3:x-amz-metadata-directive", "s3:x-amz-object-ownership", "s3:x-amz-server-side-encryption",
	"s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-customer-algorithm", "s3:x-amz-storage-class",
	"s3:x-amz-website-redirect-location",
}

// checkConditions refuses condition keys of S3 that there are not: a misspelt one would never hold, and a Deny with it protect nothing.
func (st *statement) checkConditions() error {
	for _, tests := range st.Condition {
		for key := range tests {
			name := strings.ToLower(key)
			if !strings.HasPrefix(name, "s3:") {
				continue
			}
			if i := strings.IndexByte(name, '/'); i >= 0 {
				name = name[:i+1]
			}
			if !slices.Contains(conditionKeys, name) {
				return malformedPolicy("Policy has an invalid condition key")
			}
		}
	}
	return nil
}

// checkReach refuses actions that none of the resources can be meant by: those of objects where only the bucket is named, and the other way round.
func (st *statement) checkReach(arn string) error {
	if len(st.Resource) == 0 {
		return nil
	}
	onBucket := slices.ContainsFunc(st.Resource, func(r string) bool { return r == arn || r == arn+"*" })
	onObjects := slices.ContainsFunc(st.Resource, func(r string) bool { return r != arn })
	for _, a := range st.Action {
		if strings.ContainsAny(a, "*?") {
			continue
		}
		if of := objectAction(a); of && !onObjects || !of && !onBucket {
			return malformedPolicy("Action does not apply to any resource(s) in statement")
		}
	}
	return nil
}

// objectAction tells whether an action is about objects, and not about their bucket.
func objectAction(action string) bool {
	name := strings.TrimPrefix(strings.ToLower(action), "s3:")
	switch name {
	case "abortmultipartupload", "listmultipartuploadparts", "bypassgovernanceretention", "replicatedelete", "replicatetags":
		return true
	}
	return strings.Contains(name, "object") && !strings.Contains(name, "bucket") || name == "objectowneroverridetobucketowner"
}
