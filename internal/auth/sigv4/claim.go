package sigv4

import "strings"

// Claim is the credential scope of a request, unproven: what a front needs to know which service
// and region a request is for before anything is verified.
type Claim struct {
	AccessKeyID, Region, Service string
}

// PeekScope returns the scope that r claims; ok is false for requests without a readable one.
// Nothing in it may be trusted before [Verifier.Verify].
func PeekScope(r *Request) (s Claim, ok bool) {
	var cred string
	if auth, n := r.lookup("Authorization"); n > 0 {
		_, rest, found := strings.Cut(auth, "Credential=")
		if !found {
			return s, false
		}
		cred, _, _ = strings.Cut(rest, ",")
		cred = strings.TrimSpace(cred)
	} else {
		_, query := r.split()
		if !strings.Contains(query, "X-Amz-Credential=") {
			if strings.Contains(query, "AWSAccessKeyId=") {
				return Claim{Service: "s3"}, true
			}
			return s, false
		}
		_, rest, _ := strings.Cut(query, "X-Amz-Credential=")
		cred, _, _ = strings.Cut(rest, "&")
		cred = decode(cred, true)
	}
	parts := strings.Split(cred, "/")
	switch len(parts) {
	case 5:
		return Claim{parts[0], parts[2], parts[3]}, true
	case 4:
		return Claim{parts[0], "", parts[2]}, true
	}
	return s, false
}
