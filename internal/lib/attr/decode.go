package attr

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
)

// MaxDepth is how deep lists and maps may be nested in an attribute
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).
const MaxDepth = 32

const maxName = 65535 // bytes

// DecodeJSON reads one JSON object of attribute values from the front of src and returns how many bytes it took. JSON null leaves
// the map absent. The map keeps no reference to src; memory that it already has is used again.
func (m *Map) DecodeJSON(src []byte) (int, error) {
	d := decoder{scanner: scanner{src: src}, dst: room((*m)[:0], src)}
	d.space()
	if d.null() {
		*m = nil
		return d.pos, nil
	}
	if err := d.mapBody(0, msgNotMap); err != nil {
		*m = nil
		return 0, err
	}
	if d.invalid != "" {
		d.dst = appendInvalid(d.dst[:0], d.invalidKey, d.invalid)
	}
	*m = d.dst
	return d.pos, nil
}

// DecodeJSON reads one JSON attribute value, such as {"S":"text"}, from the front of src and returns how many bytes it took. JSON null
// leaves the value absent. The value keeps no reference to src; memory that it already has is used again.
func (v *Value) DecodeJSON(src []byte) (int, error) {
	d := decoder{scanner: scanner{src: src}, dst: room((*v)[:0], src)}
	d.space()
	if d.null() {
		*v = nil
		return d.pos, nil
	}
	if err := d.value(0); err != nil {
		*v = nil
		return 0, err
	}
	if d.invalid != "" {
		d.dst = appendInvalid(d.dst[:0], "", d.invalid)
	}
	*v = d.dst
	return d.pos, nil
}

// room makes a buffer that most values fit in, without trusting that src holds nothing but this value.
func room(dst, src []byte) []byte {
	if want := min(len(src), 2048); cap(dst) < want {
		return make([]byte, 0, want)
	}
	return dst
}

// decoder turns JSON into the stored form.
type decoder struct {
	scanner
	dst []byte
	// invalid is the message of the first rule that the input breaks; decoding goes on after it, for the syntax.
	invalid, invalidKey string
	topKey              [2]int // where the name of the outermost entry lies in dst
}

// refuse keeps the first message.
func (d *decoder) refuse(message string) {
	if d.invalid != "" {
		return
	}
	d.invalid = message
	if d.topKey[1] > 0 {
		d.invalidKey = string(d.dst[d.topKey[0]:d.topKey[1]])
	}
}

// entrySpan says where an entry of a map lies in the output.
type entrySpan struct{ start, name, value int }

// mapBody reads an object and appends a map.
func (d *decoder) mapBody(depth int, notObject string) error {
	if err := d.open('{', notObject); err != nil {
		return err
	}
	start := len(d.dst)
	d.dst = append(d.dst, emptyCount...)
	var few [24]entrySpan
	entries, sorted := few[:0], true
	for first := true; ; first = false {
		done, err := d.next('}', first)
		if err != nil {
			return err
		}
		if done {
			break
		}
		e := entrySpan{start: len(d.dst)}
		if e.name, err = d.chunk(); err != nil {
			return err
		}
		e.value = len(d.dst)
		if e.value-e.name > maxName {
			d.refuse(msgLongName)
		}
		if depth == 0 {
			d.topKey = [2]int{e.name, e.value}
		}
		if err := d.colon(); err != nil {
			return err
		}
		if err := d.value(depth); err != nil {
			return err
		}
		if n := len(entries); n > 0 && sorted {
			p := entries[n-1]
			sorted = bytes.Compare(d.dst[p.name:p.value], d.dst[e.name:e.value]) < 0
		}
		entries = append(entries, e)
	}
	binary.BigEndian.PutUint32(d.dst[start:], uint32(len(entries)))
	if sorted {
		return nil
	}
	return d.sortEntries(entries)
}

// sortEntries puts the entries, which lie at the end of the output, in the order of their names.
func (d *decoder) sortEntries(entries []entrySpan) error {
	start, end := entries[0].start, len(d.dst)
	ends := func(e entrySpan) int { return e.value + span(d.dst[e.value:end]) }
	slices.SortFunc(entries, func(a, b entrySpan) int {
		return bytes.Compare(d.dst[a.name:a.value], d.dst[b.name:b.value])
	})
	for i, e := range entries {
		if i > 0 {
			p := entries[i-1]
			if bytes.Equal(d.dst[p.name:p.value], d.dst[e.name:e.value]) {
				return &SyntaxError{"Duplicate attribute name in the payload: " + string(d.dst[e.name:e.value])}
			}
		}
		d.dst = append(d.dst, d.dst[e.start:ends(e)]...)
	}
	copy(d.dst[start:end], d.dst[end:])
	d.dst = d.dst[:end]
	return nil
}

// value reads an object with one type key and appends a value.
func (d *decoder) value(depth int) error {
	if err := d.open('{', msgNotValue); err != nil {
		return err
	}
	start := len(d.dst)
	var seen [M + 1]bool
	types := 0
	for first := true; ; first = false {
		done, err := d.next('}', first)
		if err != nil {
			return err
		}
		if done {
			break
		}
		t, err := d.typeKey()
		if err != nil {
			return err
		}
		if t == Absent {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		if d.null() {
			continue
		}
		if seen[t] {
			return &SyntaxError{"Duplicate key in the payload: " + t.String()}
		}
		seen[t] = true
		types++
		d.dst = d.dst[:start] // of several types the last one stands; the value is refused
		if err := d.payload(t, depth); err != nil {
			return err
		}
	}
	switch {
	case types == 0:
		d.refuse(msgEmptyValue)
		d.dst = append(d.dst, tagNull)
	case types > 1:
		d.refuse(msgManyTypes)
	}
	return nil
}

// typeKey reads the key of a value and its colon. It returns Absent for keys that DynamoDB does not know, and ignores.
func (d *decoder) typeKey() (Type, error) {
	raw, escaped, err := d.str()
	if err != nil {
		return Absent, err
	}
	if err := d.colon(); err != nil {
		return Absent, err
	}
	d.space()
	if escaped {
		raw = unescape(nil, raw)
	}
	switch len(raw) {
	case 1:
		switch raw[0] {
		case 'S':
			return S, nil
		case 'N':
			return N, nil
		case 'B':
			return B, nil
		case 'M':
			return M, nil
		case 'L':
			return L, nil
		}
	case 2, 4:
		t, _ := ParseType(string(raw))
		return t, nil
	}
	return Absent, nil
}

// payload reads what follows a type key, which is not null, and appends the value.
func (d *decoder) payload(t Type, depth int) error {
	switch t {
	case S:
		return d.text()
	case N:
		return d.number()
	case B:
		return d.binary()
	case Null, Bool:
		return d.boolean(t)
	case SS, NS, BS:
		return d.set(t)
	}
	return d.container(t, depth)
}

// chunk reads a string and appends it with its length; it returns where its bytes begin.
func (d *decoder) chunk() (at int, err error) {
	raw, escaped, err := d.str()
	if err != nil {
		return 0, err
	}
	if escaped {
		at = len(d.dst)
		d.dst = unescape(d.dst, raw)
		return d.prefixLength(at), nil
	}
	d.dst = binary.AppendUvarint(d.dst, uint64(len(raw)))
	at = len(d.dst)
	d.dst = append(d.dst, raw...)
	return at, nil
}

// prefixLength inserts the length of what lies from at to the end, and returns where that lies now.
func (d *decoder) prefixLength(at int) int {
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(d.dst)-at))
	d.dst = slices.Insert(d.dst, at, head[:n]...)
	return at + n
}

func (d *decoder) text() error {
	if err := d.wantString("String"); err != nil {
		return err
	}
	d.dst = append(d.dst, tagS)
	_, err := d.chunk()
	return err
}

func (d *decoder) number() error {
	if err := d.wantString("String"); err != nil {
		return err
	}
	d.dst = append(d.dst, tagN)
	return d.numberChunk()
}

// numberChunk reads a string with a number and appends its encoding with its length.
func (d *decoder) numberChunk() error {
	raw, escaped, err := d.str()
	if err != nil {
		return err
	}
	if escaped {
		raw = unescape(nil, raw)
	}
	var n decimal
	if msg := scanNumber(raw, &n); msg != "" {
		d.refuse(msg)
		n = decimal{}
	}
	at := len(d.dst)
	d.dst = n.append(append(d.dst, 0))
	d.dst[at] = byte(len(d.dst) - at - 1)
	return nil
}

func (d *decoder) binary() error {
	if err := d.wantString("Blob"); err != nil {
		return err
	}
	d.dst = append(d.dst, tagB)
	return d.binaryChunk()
}

// binaryChunk reads a string in base64 and appends its bytes with their length.
func (d *decoder) binaryChunk() error {
	raw, escaped, err := d.str()
	if err != nil {
		return err
	}
	if escaped {
		raw = unescape(nil, raw)
	}
	if len(raw)%4 != 0 {
		return syntaxf("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(raw))
	}
	n := len(raw) / 4 * 3
	for i := len(raw); i > 0 && raw[i-1] == '='; i-- {
		n--
	}
	if n < 0 || bytes.ContainsAny(raw, "\r\n") { // which package base64 would pass over
		return &SyntaxError{msgBase64}
	}
	d.dst = binary.AppendUvarint(d.dst, uint64(n))
	at := len(d.dst)
	d.dst = slices.Grow(d.dst, len(raw))
	got, err := base64.StdEncoding.Strict().Decode(d.dst[at:at+len(raw)], raw)
	if err != nil || got != n {
		return &SyntaxError{msgBase64}
	}
	d.dst = d.dst[:at+n]
	return nil
}

func (d *decoder) boolean(t Type) error {
	value, err := d.wantBool()
	if err != nil {
		return err
	}
	switch {
	case t == Bool && value:
		d.dst = append(d.dst, tagTrue)
	case t == Bool:
		d.dst = append(d.dst, tagFalse)
	default:
		if !value {
			d.refuse(msgNullFalse)
		}
		d.dst = append(d.dst, tagNull)
	}
	return nil
}

// container reads a list or a map.
func (d *decoder) container(t Type, depth int) error {
	if depth++; depth > MaxDepth {
		d.refuse(msgNesting)
		d.dst = append(d.dst, tagNull)
		return d.skip()
	}
	start := len(d.dst)
	d.dst = append(d.dst, tagN+byte(t-N), 0, 0, 0, 0)
	var err error
	if t == M {
		err = d.mapBody(depth, msgNotMap)
	} else {
		err = d.list(depth)
	}
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(d.dst[start+1:], uint32(len(d.dst)-start-1-countSize))
	return nil
}

// list reads an array of values and appends count and values.
func (d *decoder) list(depth int) error {
	if err := d.open('[', msgNotList); err != nil {
		return err
	}
	start, count := len(d.dst), uint32(0)
	d.dst = append(d.dst, emptyCount...)
	for {
		done, err := d.next(']', count == 0)
		if err != nil {
			return err
		}
		if done {
			break
		}
		if err := d.value(depth); err != nil {
			return err
		}
		count++
	}
	binary.BigEndian.PutUint32(d.dst[start:], count)
	return nil
}

// set reads an array of strings and appends a set.
func (d *decoder) set(t Type) error {
	if err := d.open('[', msgNotList); err != nil {
		return err
	}
	start := len(d.dst)
	d.dst = append(d.dst, tagN+byte(t-N))
	d.dst = append(append(d.dst, emptyCount...), emptyCount...)
	count := 0
	for {
		done, err := d.next(']', count == 0)
		if err != nil {
			return err
		}
		if done {
			break
		}
		if err := d.element(t); err != nil {
			return err
		}
		count++
	}
	if count == 0 {
		d.refuse(map[Type]string{SS: msgEmptySS, NS: msgEmptyNS, BS: msgEmptyBS}[t])
	}
	d.closeSet(t, start, count)
	return nil
}

// element reads one element of a set.
func (d *decoder) element(t Type) error {
	switch t {
	case NS:
		if err := d.wantString("String"); err != nil {
			return err
		}
		return d.numberChunk()
	case BS:
		if err := d.wantString("Blob"); err != nil {
			return err
		}
		return d.binaryChunk()
	}
	if err := d.wantString("String"); err != nil {
		return err
	}
	_, err := d.chunk()
	return err
}

// closeSet sorts the elements, looks for duplicates, and writes length and count.
func (d *decoder) closeSet(t Type, start, count int) {
	body := d.dst[start+headSize:]
	var few [16][]byte
	elems := few[:0]
	for rest := body; len(rest) > 0; {
		e, n := chunk(rest)
		elems = append(elems, e)
		rest = rest[n:]
	}
	if !slices.IsSortedFunc(elems, bytes.Compare) || hasDuplicate(elems) {
		sorted := slices.SortedFunc(slices.Values(elems), bytes.Compare)
		if hasDuplicate(sorted) {
			d.refuse(duplicateMessage(t, elems))
		}
		out := make([]byte, 0, len(body))
		for _, e := range sorted {
			out = append(binary.AppendUvarint(out, uint64(len(e))), e...)
		}
		copy(body, out)
	}
	binary.BigEndian.PutUint32(d.dst[start+1:], uint32(len(body)+countSize))
	binary.BigEndian.PutUint32(d.dst[start+1+countSize:], uint32(count))
}

// hasDuplicate tells whether two neighbours are equal.
func hasDuplicate(elems [][]byte) bool {
	for i := 1; i < len(elems); i++ {
		if bytes.Equal(elems[i-1], elems[i]) {
			return true
		}
	}
	return false
}

// duplicateMessage returns DynamoDB's message about a set with duplicates, which lists the elements in the order of the request.
func duplicateMessage(t Type, elems [][]byte) string {
	if t == NS {
		return msgDuplicateN
	}
	texts := make([]string, len(elems))
	for i, e := range elems {
		texts[i] = string(e)
		if t == BS {
			texts[i] = base64.StdEncoding.EncodeToString(e)
		}
	}
	list := "One or more parameter values were invalid: Input collection [" + strings.Join(texts, ", ") + "]"
	if t == BS {
		return list + "of type BS contains duplicates."
	}
	return list + " contains duplicates."
}

// UnmarshalJSON implements [encoding/json.Unmarshaler] by DecodeJSON.
func (m *Map) UnmarshalJSON(src []byte) error {
	_, err := m.DecodeJSON(src)
	return err
}

// UnmarshalJSON implements [encoding/json.Unmarshaler] by DecodeJSON.
func (v *Value) UnmarshalJSON(src []byte) error {
	_, err := v.DecodeJSON(src)
	return err
}
