package cloudwatch

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"math/bits"
	"slices"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/store"
)

// The kinds of encoded points: with a spread, and without one.
const (
	spreadPoint = 1
	opaquePoint = 2
)

var errDamaged = errors.New("a point of a metric is damaged")

// readPoint reads the samples at a key; the empty ones where there are none.
func readPoint(r store.Reader, k []byte) (meter.Samples, error) {
	b, err := r.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return meter.Samples{}, nil
	}
	if err != nil {
		return meter.Samples{}, err
	}
	return decode(b)
}

// encode returns a point as it is stored: its kind, the four statistics, and the buckets in their order, each as its distance from the one before it and its count.
func encode(s *meter.Samples) []byte {
	b := make([]byte, 0, 24+4*len(s.Spread))
	kind := byte(spreadPoint)
	if s.Opaque {
		kind = opaquePoint
	}
	b = append(b, kind)
	for _, v := range []float64{s.Count, s.Sum, s.Min, s.Max} {
		b = appendNumber(b, v)
	}
	last := int64(0)
	for _, n := range slices.Sorted(maps.Keys(s.Spread)) {
		b = binary.AppendVarint(b, int64(n)-last)
		b = appendNumber(b, s.Spread[n])
		last = int64(n)
	}
	return b
}

// decode reads what encode wrote.
func decode(b []byte) (s meter.Samples, err error) {
	if len(b) == 0 || b[0] != spreadPoint && b[0] != opaquePoint {
		return s, errDamaged
	}
	s.Opaque = b[0] == opaquePoint
	b = b[1:]
	for _, v := range []*float64{&s.Count, &s.Sum, &s.Min, &s.Max} {
		if *v, b, err = number(b); err != nil {
			return s, err
		}
	}
	if !s.Opaque {
		s.Spread = map[int32]float64{}
	}
	last := int64(0)
	for len(b) > 0 {
		step, n := binary.Varint(b)
		if n <= 0 || s.Opaque {
			return s, errDamaged
		}
		last += step
		if last < math.MinInt32 || last > math.MaxInt32 {
			return s, errDamaged
		}
		if s.Spread[int32(last)], b, err = number(b[n:]); err != nil {
			return s, err
		}
	}
	return s, nil
}

// appendNumber appends a number so that small whole ones are short.
func appendNumber(b []byte, v float64) []byte {
	return binary.AppendUvarint(b, bits.ReverseBytes64(math.Float64bits(v)))
}

// number reads what appendNumber wrote.
func number(b []byte) (float64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errDamaged
	}
	return math.Float64frombits(bits.ReverseBytes64(v)), b[n:], nil
}
