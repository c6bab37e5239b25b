package sigv4

import (
	"slices"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// unreserved reports whether SigV4 leaves b as it is (RFC 3986, section 2.3).
func unreserved(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' ||
		b == '-' || b == '.' || b == '_' || b == '~'
}

func unhex(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}

// appendByte adds b, percent-encoded unless it is unreserved.
func appendByte(dst []byte, b byte) []byte {
	if unreserved(b) {
		return append(dst, b)
	}
	return append(dst, '%', upperHex[b>>4], upperHex[b&15])
}

// appendEncoded adds s with everything but unreserved characters percent-encoded.
func appendEncoded(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = appendByte(dst, s[i])
	}
	return dst
}

// appendReencoded adds s, decoded once and encoded again, so that every spelling of a text has
// one canonical form. A "%" without two hex digits stands for itself. plusIsSpace is for queries.
func appendReencoded(dst []byte, s string, plusIsSpace bool) []byte {
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case b == '%' && i+2 < len(s):
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				b, i = hi<<4|lo, i+2
			}
		case b == '+' && plusIsSpace:
			b = ' '
		}
		dst = appendByte(dst, b)
	}
	return dst
}

// decode undoes percent-encoding, and "+" where plusIsSpace.
func decode(s string, plusIsSpace bool) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case b == '%' && i+2 < len(s):
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				b, i = hi<<4|lo, i+2
			}
		case b == '+' && plusIsSpace:
			b = ' '
		}
		out = append(out, b)
	}
	return string(out)
}

// appendPath adds the canonical path. S3 signs the path as sent, encoded once and never
// normalised; every other service removes dot segments and empty segments and encodes what is
// sent once more.
func appendPath(dst []byte, path string, s3 bool) []byte {
	if path == "" {
		return append(dst, '/')
	}
	if s3 {
		for seg := range strings.SplitSeq(path, "/") {
			dst = appendReencoded(dst, seg, false)
			dst = append(dst, '/')
		}
		return dst[:len(dst)-1]
	}
	if strings.Contains(path, "//") || strings.Contains(path, "/.") {
		path = normalize(path)
	}
	for i := range len(path) {
		if path[i] == '/' {
			dst = append(dst, '/')
		} else {
			dst = appendByte(dst, path[i])
		}
	}
	return dst
}

// slashes returns a path with each encoded slash as a slash.
func slashes(path string) string { return strings.NewReplacer("%2F", "/", "%2f", "/").Replace(path) }

// normalize removes "." and ".." segments and repeated slashes (RFC 3986, section 5.2.4). A
// trailing slash stays.
func normalize(path string) string {
	var segs []string
	for seg := range strings.SplitSeq(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			if len(segs) > 0 {
				segs = segs[:len(segs)-1]
			}
		default:
			segs = append(segs, seg)
		}
	}
	out := "/" + strings.Join(segs, "/")
	last := path[strings.LastIndexByte(path, '/')+1:]
	if len(segs) > 0 && (last == "" || last == "." || last == "..") {
		out += "/"
	}
	return out
}

// param is one query parameter: canonical spellings for signing, as byte ranges of one buffer.
type param struct {
	key, value string
}

// maxParams bounds the parameters of a query.
const maxParams = 1024

// params cuts a raw query into parameters with canonically encoded names and values. Empty
// parts are left out. ok is false when there are too many.
func params(query string) (list []param, ok bool) {
	if query == "" {
		return nil, true
	}
	n := strings.Count(query, "&") + 1
	if n > maxParams {
		return nil, false
	}
	list = make([]param, 0, n)
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		list = append(list, param{reencode(k), reencode(v)})
	}
	return list, true
}

// reencode returns s itself when it already is canonical.
func reencode(s string) string {
	clean := true
	for i := range len(s) {
		if !unreserved(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return string(appendReencoded(make([]byte, 0, len(s)+16), s, true))
}

// appendQuery adds the canonical query: sorted by name and value, without the parameters that
// skip reports.
func appendQuery(dst []byte, list []param, skip func(name string) bool) []byte {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b param) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	first := true
	for _, p := range sorted {
		if skip(p.key) {
			continue
		}
		if !first {
			dst = append(dst, '&')
		}
		first = false
		dst = append(dst, p.key...)
		dst = append(dst, '=')
		dst = append(dst, p.value...)
	}
	return dst
}

// appendHeaders adds one line per signed header: values trimmed, inner runs of white space made
// one space, repeated fields joined with commas. names are lower case and sorted.
func appendHeaders(dst []byte, r *Request, names []string) []byte {
	for _, name := range names {
		dst = append(dst, name...)
		dst = append(dst, ':')
		n := 0
		for i := range r.Fields {
			f := &r.Fields[i]
			if len(f.Name) != len(name) || !strings.EqualFold(f.Name, name) {
				continue
			}
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = appendTrimmed(dst, f.Value)
			n++
		}
		if n == 0 && isHost(name) {
			dst = appendTrimmed(dst, r.Host)
		}
		dst = append(dst, '\n')
	}
	return dst
}

// appendTrimmed adds v with white space at the ends removed and every inner run, also over the
// line break of a folded field, made one space.
func appendTrimmed(dst []byte, v string) []byte {
	start, gap := len(dst), false
	for i := range len(v) {
		switch b := v[i]; b {
		case ' ', '\t', '\r', '\n':
			gap = true
		default:
			if gap && len(dst) > start {
				dst = append(dst, ' ')
			}
			gap = false
			dst = append(dst, b)
		}
	}
	return dst
}

// form is in what canonical requests differ.
type form struct {
	// s3 is the form of S3, which takes the path as it is.
	s3 bool
	// noToken leaves the session token in the query out, as some services do.
	noToken bool
	// plainSlashes has slashes for those that are encoded.
	plainSlashes bool
}

// appendCanonical adds the canonical request.
func appendCanonical(dst []byte, r *Request, s *Signature, list []param, payload string, f form) []byte {
	path, _ := r.split()
	if f.plainSlashes {
		path = slashes(path)
	}
	dst = append(dst, r.Method...)
	dst = append(dst, '\n')
	dst = appendPath(dst, path, f.s3)
	dst = append(dst, '\n')
	dst = appendQuery(dst, list, func(name string) bool {
		return s.Query && (name == "X-Amz-Signature" || f.noToken && name == "X-Amz-Security-Token")
	})
	dst = append(dst, '\n')
	dst = appendHeaders(dst, r, s.SignedHeaders)
	dst = append(dst, '\n')
	for i, name := range s.SignedHeaders {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = append(dst, name...)
	}
	dst = append(dst, '\n')
	return append(dst, payload...)
}
