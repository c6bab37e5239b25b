package s3

import "strings"

// parseRange reads a Range header for a body of size bytes: RFC 9110, section 14.1. partial is false for what S3 answers with
// the whole body: several ranges, other units, bad syntax. ok is false when the range cannot be satisfied.
func parseRange(header string, size int64) (at span, partial, ok bool) {
	whole := span{0, size}
	spec, found := strings.CutPrefix(header, "bytes=")
	if !found || strings.Contains(spec, ",") {
		return whole, false, true
	}
	from, to, found := strings.Cut(spec, "-")
	if !found {
		return whole, false, true
	}
	if from == "" {
		return suffixRange(to, size)
	}
	first, valid := parseSize(from)
	if !valid {
		return whole, false, true
	}
	last := size - 1
	if to != "" {
		if last, valid = parseSize(to); !valid || last < first {
			return whole, false, true
		}
	}
	if first >= size {
		return span{}, false, false
	}
	last = min(last, size-1)
	return span{first, last - first + 1}, true, true
}

func suffixRange(length string, size int64) (span, bool, bool) {
	n, valid := parseSize(length)
	switch {
	case !valid:
		return span{0, size}, false, true
	case n == 0:
		return span{}, false, false
	case size == 0:
		return span{}, false, true // RFC 9110: a suffix of some length is always satisfiable, and that of nothing is nothing
	}
	n = min(n, size)
	return span{size - n, n}, true, true
}
