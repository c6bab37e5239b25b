package s3

import (
	"cmp"
	"context"
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
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
	origin := r.Header.Get("Origin")
	// S3 looks at the fields of a preflight in other requests too.
	method := r.Header.Get("Access-Control-Request-Method")
	headers := splitList(r.Header.Get("Access-Control-Request-Headers"))
	if r.Method == http.MethodOptions {
		s.preflight(w, r, target, origin, method, headers)
		return true
	}
	name, _ := corsTarget(target)
	if origin == "" || !validBucketName(name) {
		return false
	}
	rules, err := s.corsRules(r.Context(), name)
	if err != nil || len(rules) == 0 {
		return false // the operation itself tells the client more
	}
	if rule, anyOrigin := matchingCORS(rules, origin, cmp.Or(method, r.Method), headers); rule != nil {
		grantCORS(w.Header(), rule, origin, headers, anyOrigin)
	} else {
		w.Header().Add("Vary", corsVary)
	}
	return false
}

// corsTarget returns the bucket of a raw path, and whether an object is named.
func corsTarget(target string) (bucket string, object bool) {
	path, _, _ := strings.Cut(strings.TrimPrefix(target, "/"), "?")
	bucket, key, _ := strings.Cut(path, "/")
	return bucket, key != ""
}

func (s *Service) corsRules(ctx context.Context, bucket string) (rules []api.CORSRule, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		b, err := s.find(ctx, r, bucket, nil)
		if err != nil {
			return err
		}
		rules, _, err = record.Get[[]api.CORSRule](r, b.confKey(corsConf))
		return err
	})
	return rules, err
}

// preflight answers a preflight, whose fields are those of the Fetch Standard, section 3.3.2. method is empty when none was named.
func (s *Service) preflight(w http.ResponseWriter, r *http.Request, target, origin, method string, headers []string) {
	name, object := corsTarget(target)
	if reason := badPreflight(origin, method, r.Header.Get("Access-Control-Request-Headers")); reason != "" {
		refusePreflight(w, fail("BadRequest", http.StatusBadRequest, "%s", reason))
		return
	}
	rules, err := s.corsRules(r.Context(), name)
	e, known := asError(err)
	rule, anyOrigin := matchingCORS(rules, origin, method, headers)
	switch {
	case known && e.Code == "NoSuchBucket" && method == "":
		refusePreflight(w, corsForbidden(http.MethodOptions, "BUCKET", "Bucket not found"))
	case known:
		refusePreflight(w, e)
	case err != nil:
		s.log.ErrorContext(r.Context(), "preflight failed", slog.String("bucket", name), slog.Any("error", err))
		refusePreflight(w, fail("InternalError", http.StatusInternalServerError, "We encountered an internal error. Please try again."))
	case len(rules) == 0:
		refusePreflight(w, corsForbidden(cmp.Or(method, http.MethodOptions), "BUCKET", "CORS is not enabled for this bucket."))
	case method == "":
		refusePreflight(w, fail("BadRequest", http.StatusBadRequest, "Invalid Access-Control-Request-Method: null"))
	case rule != nil:
		grantCORS(w.Header(), rule, origin, headers, anyOrigin)
		w.WriteHeader(http.StatusOK)
	case object:
		refusePreflight(w, corsForbidden(method, "OBJECT", corsMismatch))
	default:
		refusePreflight(w, corsForbidden(method, "BUCKET", corsMismatch))
	}
}

const corsMismatch = "This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."

func corsForbidden(method, resource, reason string) *service.Error {
	return fail("AccessForbidden", http.StatusForbidden, "CORSResponse: %s", reason).WithDetail(&MethodOfResource{method, resource})
}

// badPreflight returns what is wrong with the head of a preflight, or "".
func badPreflight(origin, method, headers string) string {
	switch {
	case origin == "":
		return "Insufficient information. Origin request header needed."
	case method != "" && !slices.Contains(corsMethods(), method):
		return "Invalid Access-Control-Request-Method: " + method
	}
	for h := range strings.SplitSeq(headers, ",") {
		if name := strings.TrimSpace(h); name != "" && !token(name) {
			return `Access-Control-Request-Headers "` + h + `" contains invalid character.` // with its spaces, as it was sent
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

func refusePreflight(w http.ResponseWriter, e *service.Error) {
	var b strings.Builder
	b.WriteString(xml.Header + "<Error>")
	for _, element := range errorElements(e) {
		b.WriteString("<" + element[0] + ">")
		_ = xml.EscapeText(&b, []byte(element[1])) // a strings.Builder takes every write
		b.WriteString("</" + element[0] + ">")
	}
	b.WriteString("</Error>")
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.Status)
	_, _ = io.WriteString(w, b.String()) // a client that has gone needs no answer
}

// matchingCORS returns the first rule that allows a request, nil when none does.
func matchingCORS(rules []api.CORSRule, origin, method string, headers []string) (rule *api.CORSRule, anyOrigin bool) {
	for i := range rules {
		if allowed, anyOrigin := matchCORS(&rules[i], origin, method, headers); allowed {
			return &rules[i], anyOrigin
		}
	}
	return nil, false
}

// matchCORS tells whether a rule allows a request; anyOrigin tells that it allows all of them.
func matchCORS(r *api.CORSRule, origin, method string, headers []string) (allowed, anyOrigin bool) {
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

func grantCORS(h http.Header, r *api.CORSRule, origin string, headers []string, anyOrigin bool) {
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
