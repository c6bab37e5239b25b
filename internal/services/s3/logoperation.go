package s3

import (
	"strings"

	"lambent.dev/lambent/internal/service"
)

// operationName names an exchange as access logs do: REST, the method, and what it was about.
func operationName(e *service.Exchange, onObject bool) string {
	r := e.Request
	switch r.Operation {
	case websiteOperation:
		return "WEBSITE." + methodOf(r) + ".OBJECT"
	case "CopyObject":
		return "REST.COPY.OBJECT"
	case "UploadPartCopy":
		return "REST.COPY.PART"
	case "":
		if methodOf(r) == "OPTIONS" {
			return "REST.OPTIONS.PREFLIGHT"
		}
	}
	return "REST." + methodOf(r) + "." + resourceOf(r.Operation, onObject)
}

func methodOf(r *service.Request) string {
	if r.HTTP == nil {
		return "GET"
	}
	return r.HTTP.Method
}

// resourceOf returns what an operation is about in the words of access logs. Of an operation that is not known only the path tells it.
func resourceOf(operation string, onObject bool) string {
	switch operation {
	case "ListObjectVersions":
		return "BUCKETVERSIONS"
	case "DeleteObjects":
		return "MULTI_OBJECT_DELETE"
	case "CreateMultipartUpload", "ListMultipartUploads":
		return "UPLOADS"
	case "UploadPart":
		return "PART"
	case "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts":
		return "UPLOAD"
	case "GetObjectAttributes":
		return "OBJECT_ATTRIBUTES"
	}
	for _, verb := range []string{"Get", "Put", "Delete", "List"} {
		if noun, ok := strings.CutPrefix(operation, verb); ok {
			noun = strings.TrimSuffix(strings.TrimSuffix(noun, "s"), "Configuration")
			if name := subresourceName(noun); name != "" {
				return name
			}
		}
	}
	if onObject {
		return "OBJECT"
	}
	return "BUCKET"
}

// subresourceName returns the name of a sub-resource from what its operations are called: BucketPolicy of GetBucketPolicy.
func subresourceName(noun string) string {
	switch noun {
	case "BucketAcl", "ObjectAcl":
		return "ACL"
	case "BucketLogging":
		return "LOGGING_STATUS"
	case "BucketPolicy":
		return "BUCKETPOLICY"
	case "BucketPolicyStatu":
		return "BUCKETPOLICYSTATUS"
	case "BucketTagging":
		return "TAGGING"
	case "BucketRequestPayment":
		return "REQUEST_PAYMENT"
	case "BucketIntelligentTiering":
		return "INTELLIGENT_TIERING"
	case "BucketCor":
		return "CORS"
	case "BucketOwnershipControl":
		return "OWNERSHIP_CONTROLS"
	case "PublicAccessBlock":
		return "PUBLIC_ACCESS_BLOCK"
	case "ObjectTagging":
		return "OBJECT_TAGGING"
	case "ObjectLock":
		return "OBJECT_LOCK"
	case "ObjectRetention":
		return "OBJECT_LOCK_RETENTION"
	case "ObjectLegalHold":
		return "OBJECT_LOCK_LEGALHOLD"
	case "BucketVersioning", "BucketLocation", "BucketWebsite", "BucketLifecycle", "BucketNotification", "BucketReplication", "BucketAccelerate",
		"BucketEncryption", "BucketInventory", "BucketAnalytics", "BucketMetrics", "BucketAbac":
		return strings.ToUpper(strings.TrimPrefix(noun, "Bucket"))
	}
	return ""
}
