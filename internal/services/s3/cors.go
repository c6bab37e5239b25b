package s3

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// corsMethods are the methods that a CORS rule may allow (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html).
func corsMethods() []string { return []string{"GET", "PUT", "POST", "DELETE", "HEAD"} }

func noSuchCORS() error {
	return fail("NoSuchCORSConfiguration", http.StatusNotFound, "The CORS configuration does not exist")
}

func (s *Service) putBucketCors(ctx context.Context, in *api.PutBucketCorsInput) (*api.PutBucketCorsOutput, error) {
	if in.CORSConfiguration == nil || len(in.CORSConfiguration.CORSRules) == 0 {
		return nil, malformedXML()
	}
	rules := in.CORSConfiguration.CORSRules
	if len(rules) > 100 {
		return nil, invalidRequest("The number of CORS rules should not exceed allowed limit of 100 rules.")
	}
	for _, r := range rules {
		if err := checkCORS(r); err != nil {
			return nil, err
		}
	}
	return answerOf(&api.PutBucketCorsOutput{}, setConf(ctx, s, in.Bucket, in.ExpectedBucketOwner, corsConf, rules))
}

func checkCORS(r api.CORSRule) error {
	if len(r.AllowedMethods) == 0 || len(r.AllowedOrigins) == 0 {
		return malformedXML()
	}
	for _, m := range r.AllowedMethods {
		if !slices.Contains(corsMethods(), m) {
			return invalidRequest("Found unsupported HTTP method in CORS config. Unsupported method is %s", m)
		}
	}
	for _, o := range r.AllowedOrigins {
		if strings.Count(o, "*") > 1 {
			return invalidRequest("AllowedOrigin %q can not have more than one wildcard.", o)
		}
	}
	for _, h := range r.AllowedHeaders {
		if strings.Count(h, "*") > 1 {
			return invalidRequest("AllowedHeader %q can not have more than one wildcard.", h)
		}
	}
	for i, h := range slices.Concat(r.AllowedHeaders, r.ExposeHeaders) {
		name := "AllowedHeader"
		if i >= len(r.AllowedHeaders) {
			name = "ExposeHeader"
		}
		if !token(h) {
			return invalidRequest("%s %q contains invalid character.", name, h)
		}
	}
	for _, h := range r.ExposeHeaders {
		if strings.Contains(h, "*") {
			return invalidRequest("ExposeHeader %q contains wildcard. We currently do not support wildcard for ExposeHeader.", h)
		}
	}
	return nil
}

func (s *Service) getBucketCors(ctx context.Context, in *api.GetBucketCorsInput) (*api.GetBucketCorsOutput, error) {
	out := &api.GetBucketCorsOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		rules, ok, err := record.Get[[]api.CORSRule](r, b.confKey(corsConf))
		if err == nil && !ok {
			return noSuchCORS()
		}
		out.CORSRules = rules
		return err
	})
	return answerOf(out, err)
}

func (s *Service) deleteBucketCors(ctx context.Context, in *api.DeleteBucketCorsInput) (*api.DeleteBucketCorsOutput, error) {
	return answerOf(&api.DeleteBucketCorsOutput{}, s.deleteConf(ctx, in.Bucket, in.ExpectedBucketOwner, corsConf))
}

// CORS is the hook before authentication: it adds the fields of the CORS protocol (Fetch Standard, section 3.3) to the answer of
// a request from a web page, and answers preflights. target is the raw path with the bucket as its first element.
func (s *Service) CORS(w http.ResponseWriter, r *http.Request, target string) (answered bool) {
	preflight := r.Method == http.MethodOptions
	origin := r.Header.Get("Origin")
	if origin == "" && !preflight {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(target, "/"), "/")
	name, _, _ = strings.Cut(name, "?")
	if !preflight && !validBucketName(name) {
		return false
	}
	method := r.Method
	var headers []string
	if preflight {
		method = r.Header.Get("Access-Control-Request-Method")
		headers = splitList(r.Header.Get("Access-Control-Request-Headers"))
		if reason := badPreflight(origin, method, headers); reason != "" {
			s.refusePreflight(w, http.StatusBadRequest, "BadRequest", reason)
			return true
		}
	}
	var rules []api.CORSRule
	err := s.store.View(r.Context(), func(rd store.Reader) error {
		b, err := s.find(r.Context(), rd, name, nil)
		if err != nil {
			return err
		}
		rules, _, err = record.Get[[]api.CORSRule](rd, b.confKey(corsConf))
		return err
	})
	if e, known := asError(err); known && preflight {
		s.refusePreflight(w, e.Status, e.Code, e.Message)
		return true
	}
	if err != nil {
		rules = nil // the operation itself tells the client more
	}
	for _, rule := range rules {
		if allowed, anyOrigin := matchCORS(rule, origin, method, headers); allowed {
			grantCORS(w.Header(), rule, origin, headers, anyOrigin)
			if preflight {
				w.WriteHeader(http.StatusOK)
			}
			return preflight
		}
	}
	if !preflight {
		if len(rules) > 0 {
			w.Header().Add("Vary", corsVary)
		}
		return false
	}
	if len(rules) == 0 {
		s.refusePreflight(w, http.StatusForbidden, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
	} else {
		s.refusePreflight(w, http.StatusForbidden, "AccessForbidden", "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.")
	}
	return true
}

// badPreflight returns what is wrong with the head of a preflight, or "".
func badPreflight(origin, method string, headers []string) string {
	switch {
	case origin == "":
		return "Insufficient information. Origin request header needed."
	case !slices.Contains(corsMethods(), method):
		return "Invalid Access-Control-Request-Method: " + cmp.Or(method, "null")
	}
	for _, h := range headers {
		if !token(h) {
			return fmt.Sprintf("Access-Control-Request-Headers %q contains invalid character.", h)
		}
	}
	return ""
}

// token tells whether s is a token: RFC 9110, section 5.6.2.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

const corsVary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

func (s *Service) refusePreflight(w http.ResponseWriter, status int, code, message string) {
	writeXMLError(w, status, code, message)
}

// matchCORS tells whether a rule allows a request; anyOrigin tells that it allows all of them.
func matchCORS(r api.CORSRule, origin, method string, headers []string) (allowed, anyOrigin bool) {
	i := slices.IndexFunc(r.AllowedOrigins, func(p string) bool { return wildcard(p, origin) })
	if i < 0 || !slices.Contains(r.AllowedMethods, method) {
		return false, false
	}
	for _, h := range headers {
		ok := slices.ContainsFunc(r.AllowedHeaders, func(p string) bool {
			return wildcard(strings.ToLower(p), strings.ToLower(h))
		})
		if !ok {
			return false, false
		}
	}
	return true, r.AllowedOrigins[i] == "*"
}

// wildcard matches a pattern with at most one "*".
func wildcard(pattern, s string) bool {
	before, after, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == s
	}
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}

func grantCORS(h http.Header, r api.CORSRule, origin string, headers []string, anyOrigin bool) {
	if anyOrigin {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(r.AllowedMethods, ", "))
	if len(headers) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.ToLower(strings.Join(headers, ", ")))
	}
	if len(r.ExposeHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(r.ExposeHeaders, ", "))
	}
	if r.MaxAgeSeconds != nil {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(*r.MaxAgeSeconds)))
	}
	h.Add("Vary", corsVary)
}

func splitList(s string) []string {
	var out []string
	for v := range strings.SplitSeq(s, ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}
