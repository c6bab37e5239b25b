package meter

import (
	"maps"
	"math"
	"slices"
)

// maxBuckets bounds the buckets of a spread; values that are spread wider have none.
const maxBuckets = 2048

// mantissa is how many bits of a number's fraction tell its bucket.
const mantissa = 7

// Samples are the statistics of a set of values. The zero value is the empty set.
type Samples struct {
	Count, Sum, Min, Max float64
	// Spread has the number of values by [Bucket].
	Spread map[int32]float64
	// Opaque tells that values are missing from the spread: they came as statistics alone, or were spread too widely.
	Opaque bool
}

// Of returns the samples of a value that occurred count times.
func Of(value, count float64) Samples {
	return Samples{Count: count, Sum: value * count, Min: value, Max: value, Spread: map[int32]float64{Bucket(value): count}}
}

// Bucket is the number of the bucket that a value is in. Buckets are ordered as values are; 0 is that of zero.
func Bucket(v float64) int32 {
	if v == 0 {
		return 0
	}
	n := int32(math.Float64bits(math.Abs(v))>>(52-mantissa)) + 1
	if v < 0 {
		return -n
	}
	return n
}

// Value is the value of a bucket that is nearest to zero.
func Value(bucket int32) float64 {
	switch {
	case bucket > 0:
		return math.Float64frombits(uint64(bucket-1) << (52 - mantissa))
	case bucket < 0:
		return -Value(-bucket)
	}
	return 0
}

// Merge adds the values of other, and leaves other as it is.
func (s *Samples) Merge(other *Samples) {
	if other.Count == 0 {
		return
	}
	if s.Count == 0 {
		s.Min, s.Max = other.Min, other.Max
	}
	s.Min, s.Max = min(s.Min, other.Min), max(s.Max, other.Max)
	s.Count += other.Count
	s.Sum += other.Sum
	s.Opaque = s.Opaque || other.Opaque
	if s.Opaque {
		s.Spread = nil
		return
	}
	if s.Spread == nil {
		s.Spread = make(map[int32]float64, len(other.Spread))
	}
	for b, n := range other.Spread {
		s.Spread[b] += n
	}
	if len(s.Spread) > maxBuckets {
		s.Opaque, s.Spread = true, nil
	}
}

// Average is the mean value.
func (s *Samples) Average() float64 { return s.Sum / s.Count }

// Percentile returns the value that percent of the values do not exceed, or false when the spread is not known.
func (s *Samples) Percentile(percent float64) (float64, bool) {
	if s.Opaque || s.Count == 0 {
		return 0, false
	}
	rank, seen := percent/100*s.Count*(1-1e-12), 0.0 // 99.9 % of 1000 are 999, and not a bit more
	for _, b := range slices.Sorted(maps.Keys(s.Spread)) {
		if seen += s.Spread[b]; seen >= rank {
			return min(max(Value(b), s.Min), s.Max), true
		}
	}
	return s.Max, true
}
