package attr

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func decodeMap(t testing.TB, src string) Map {
	t.Helper()
	var m Map
	n, err := m.DecodeJSON([]byte(src))
	if err != nil {
		t.Fatalf("decode %s: %v", src, err)
	}
	if n != len(src) {
		t.Fatalf("decode %s took %d bytes of %d", src, n, len(src))
	}
	return m
}

func decodeValue(t testing.TB, src string) Value {
	t.Helper()
	var v Value
	if _, err := v.DecodeJSON([]byte(src)); err != nil {
		t.Fatalf("decode %s: %v", src, err)
	}
	if err := v.Err(); err != nil {
		t.Fatalf("decode %s: %v", src, err)
	}
	return v
}

func encode(t testing.TB, v interface {
	AppendJSON([]byte) ([]byte, error)
},
) string {
	t.Helper()
	b, err := v.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestJSONRoundTripIsCanonical(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{`{}`, ``},
		{`{"b":{"S":"x"},"a":{"N":"1"}}`, `{"a":{"N":"1"},"b":{"S":"x"}}`},
		{` { "a" : { "S" : "q\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é" } } `, `{"a":{"S":"q\"\\/\u0008\u000c\n\r\té😀é"}}`},
		{`{"a":{"SS":["b","a",""]},"b":{"NS":["10","2","-1.50"]},"c":{"BS":["Yg==","YQ=="]}}`, `{"a":{"SS":["","a","b"]},"b":{"NS":["-1.5","2","10"]},"c":{"BS":["YQ==","Yg=="]}}`},
		{`{"l":{"L":[{"M":{"z":{"NULL":true},"y":{"BOOL":false}}},{"L":[]},{"BOOL":true}]},"m":{"M":{}}}`, `{"l":{"L":[{"M":{"y":{"BOOL":false},"z":{"NULL":true}}},{"L":[]},{"BOOL":true}]},"m":{"M":{}}}`},
		{`{"a":{"S":"x","N":null}}`, `{"a":{"S":"x"}}`},
		{`{"a":{"S":"x","Other":{"deep":[1,2,{"x":null}]}}}`, `{"a":{"S":"x"}}`},
		{`{"b":{"B":""},"s":{"S":""}}`, ``},
	} {
		want := c.out
		if want == "" {
			want = c.in
		}
		src := strings.TrimRight(c.in, " ")
		m := decodeMap(t, src)
		if err := m.Err(); err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := encode(t, m); got != want {
			t.Errorf("%s\n got %s\nwant %s", c.in, got, want)
		}
	}
}

func TestManyAttributesAreSorted(t *testing.T) {
	var b strings.Builder
	b.WriteString("{")
	for i := range 200 {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(`"` + strings.Repeat(string(rune('a'+(i*7)%26)), i%150+1) + string(rune('A'+i%26)) + intNumber(int64(i)).String() + `":{"N":"` + intNumber(int64(i)).String() + `"}`)
	}
	m := decodeMap(t, b.String()+"}")
	var names []string
	for name := range m.All() {
		names = append(names, string(name))
	}
	if len(names) != 200 || !slices.IsSorted(names) {
		t.Errorf("%d names, sorted %v", len(names), slices.IsSorted(names))
	}
	for name, v := range m.All() {
		if !Equal(m.Get(string(name)), v) {
			t.Errorf("Get(%s) differs", name)
		}
	}
}

func TestInvalidValuesCarryTheMessage(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":{}}`:                               msgEmptyValue,
		`{"a":{"X":"1"}}`:                        msgEmptyValue,
		`{"a":{"S":"1","N":"1"}}`:                msgManyTypes,
		`{"a":{"NULL":false}}`:                   msgNullFalse,
		`{"a":{"SS":[]}}`:                        msgEmptySS,
		`{"a":{"M":{"b":{"NS":[]}}}}`:            msgEmptyNS,
		`{"a":{"L":[{"BS":[]}]}}`:                msgEmptyBS,
		`{"a":{"SS":["a","a"]}}`:                 "One or more parameter values were invalid: Input collection [a, a] contains duplicates.",
		`{"a":{"NS":["1","1.0"]}}`:               msgDuplicateN,
		`{"a":{"BS":["Yg==","WQ==","WQ=="]}}`:    "One or more parameter values were invalid: Input collection [Yg==, WQ==, WQ==]of type BS contains duplicates.",
		`{"a":{"N":""}}`:                         msgNotNumber,
		`{"a":{"N":"b"}}`:                        msgNotNumber + ": b",
		`{"a":{"N":"1E126"}}`:                    msgOverflow,
		`{"a":{"N":"-1E-131"}}`:                  msgUnderflow,
		`{"a":{"N":"` + digits39 + `"}}`:         msgDigits,
		`{"a":` + nest(33, `{"S":"x"}`) + `}`:    msgNesting,
		`{"a":{"S":"ok"},"b":{"N":"x"}}`:         msgNotNumber + ": x",
		`{"a":{"N":"1e"}}`:                       msgNotNumber + ": 1e",
		`{"a":{"N":" 1"}}`:                       msgNotNumber + ":  1",
		`{"a":{"N":"."}}`:                        msgNotNumber + ": .",
		`{"a":{"N":"99999999999999999999E110"}}`: msgOverflow,
	} {
		err := decodeMap(t, in).Err()
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Message != want {
			t.Errorf("%s\n got %v\nwant %s", in, err, want)
		}
		if _, err := decodeMap(t, in).AppendJSON(nil); err == nil {
			t.Errorf("%s: an invalid map was encoded", in)
		}
	}
	err := decodeMap(t, `{":a":{"S":"ok"},":b":{"M":{"x":{"N":"y"}}}}`).Err()
	if want := (&InvalidError{Key: ":b", Message: msgNotNumber + ": y"}); !cmp.Equal(err, error(want)) {
		t.Errorf("got %#v, want %#v", err, want)
	}
	if err := decodeMap(t, `{"a":`+nest(32, `{"S":"x"}`)+`}`).Err(); err != nil {
		t.Errorf("32 levels are refused: %v", err)
	}
}

const digits39 = "123456789012345678901234567890123456789"

func nest(n int, inner string) string {
	return strings.Repeat(`{"L":[`, n) + inner + strings.Repeat(`]}`, n)
}

func TestMalformedJSONIsRefused(t *testing.T) {
	for in, want := range map[string]string{
		``:                              "",
		`{`:                             "",
		`{"a"`:                          "",
		`{"a":{"S":"x"}`:                "",
		`{"a":{"S":"x"},}`:              "",
		`{"a":{"S":"x",}}`:              "",
		`{"a":{"S":"x"} "b":{"S":"x"}}`: "",
		`{"a":{"S":"\x"}}`:              "",
		`{"a":{"S":"\ud800"}}`:          "",
		`{"a":{"S":"\udc00\ud800"}}`:    "",
		"{\"a\":{\"S\":\"\xff\"}}":      "Invalid UTF-8 in the JSON document",
		"{\"a\":{\"S\":\"\n\"}}":        "",
		`{"a":{"S":"x"},"a":{"S":"y"}}`: "Duplicate attribute name in the payload: a",
		`{"a":{"S":"x","S":"y"}}`:       "Duplicate key in the payload: S",
		`[]`:                            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
		`{"a":"x"}`:                     msgNotValue,
		`{"a":{"S":5}}`:                 "NUMBER_VALUE cannot be converted to String",
		`{"a":{"N":1.5}}`:               "DECIMAL_VALUE cannot be converted to String",
		`{"a":{"S":true}}`:              "TRUE_VALUE cannot be converted to String",
		`{"a":{"S":{}}}`:                msgStructure,
		`{"a":{"S":[]}}`:                "Unrecognized collection type class java.lang.String",
		`{"a":{"B":5}}`:                 "only base-64-encoded strings are convertible to bytes",
		`{"a":{"B":"abc"}}`:             "Base64 encoded length is expected a multiple of 4 bytes but found: 3",
		`{"a":{"B":"YR=="}}`:            msgBase64,
		`{"a":{"B":"===="}}`:            msgBase64,
		`{"a":{"SS":"x"}}`:              msgNotList,
		`{"a":{"BOOL":"x"}}`:            msgToken,
		`{"a":{"BOOL":1}}`:              "NUMBER_VALUE cannot be converted to Boolean",
		`{"a":{"X":01}}`:                "",
	} {
		var m Map
		_, err := m.DecodeJSON([]byte(in))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || want != "" && syntax.Message != want {
			t.Errorf("%s\n got %v\nwant %s", in, err, want)
		}
		if m != nil {
			t.Errorf("%s left a value", in)
		}
	}
}

func TestNumbersPrintPlainly(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "00042": "42", "1.0": "1", "3.1400": "3.14", "1.5E2": "150", "+7": "7", ".5": "0.5", "5.": "5",
		"-12.34": "-12.34", "100": "100", "1E3": "1000", "1e-3": "0.001", "0.0012e1": "0.012", "123456789012345678901234567890.12345678": "123456789012345678901234567890.12345678",
		"1E125": "1" + strings.Repeat("0", 125), "1E-130": "0." + strings.Repeat("0", 129) + "1", "100e-2": "1", "10": "10", "-10.01": "-10.01",
	} {
		n, err := ParseNumber(in)
		if err != nil || n.String() != want {
			t.Errorf("ParseNumber(%q) = %v, %v, want %s", in, n, err, want)
		}
	}
}

func TestNumbersSortLikeNumbers(t *testing.T) {
	sorted := []string{
		"-9.9999999999999999999999999999999999999E+125", "-1201", "-120", "-12.5", "-12", "-2", "-1.1", "-1", "-0.5", "-0.05", "-1E-130",
		"0", "1E-130", "0.05", "0.5", "1", "1.01", "1.1", "2", "9", "10", "11", "12", "12.5", "120", "1201", "1E125", "9.9999999999999999999999999999999999999E+125",
	}
	for i := range sorted[1:] {
		a, _ := ParseNumber(sorted[i])
		b, _ := ParseNumber(sorted[i+1])
		if bytes.Compare(a, b) >= 0 {
			t.Errorf("%s (% x) is not before %s (% x)", sorted[i], a, sorted[i+1], b)
		}
	}
}

func TestAddAndSub(t *testing.T) {
	for _, c := range [][4]string{
		{"1", "2", "3", "-1"},
		{"0.1", "0.2", "0.3", "-0.1"},
		{"999999999999999999", "1", "1000000000000000000", "999999999999999998"},
		{"5", "5", "10", "0"},
		{"1E30", "1", "1000000000000000000000000000001", "999999999999999999999999999999"},
		{"-7", "0", "-7", "-7"},
	} {
		a, _ := ParseNumber(c[0])
		b, _ := ParseNumber(c[1])
		sum, err := Add(a, b)
		diff, err2 := Sub(a, b)
		if err != nil || err2 != nil || sum.String() != c[2] || diff.String() != c[3] {
			t.Errorf("%s and %s: sum %s %v, difference %s %v", c[0], c[1], sum, err, diff, err2)
		}
	}
	big, _ := ParseNumber("1E125")
	one, _ := ParseNumber("1")
	if _, err := Add(big, one); err == nil || err.Error() != msgDigits {
		t.Errorf("1E125+1: %v", err)
	}
	nines, _ := ParseNumber("9.9999999999999999999999999999999999999E+125")
	if _, err := Add(nines, nines); err == nil || err.Error() != msgOverflow {
		t.Errorf("overflow: %v", err)
	}
}

// The sizes are those of the rules on AWS's page about item sizes, and for numbers what was measured with them.
func TestSizes(t *testing.T) {
	for in, want := range map[string]int{
		`{"S":"abc"}`: 3, `{"S":"é"}`: 2, `{"B":"YWJj"}`: 3, `{"NULL":true}`: 1, `{"BOOL":true}`: 1,
		`{"N":"0"}`: 1, `{"N":"1"}`: 2, `{"N":"12"}`: 2, `{"N":"1.2"}`: 3, `{"N":"123"}`: 3, `{"N":"-1"}`: 3, `{"N":"100"}`: 2,
		`{"SS":["ab","c"]}`: 3, `{"NS":["1","22"]}`: 4, `{"L":[]}`: 3, `{"L":[{"S":"ab"}]}`: 6, `{"M":{}}`: 3, `{"M":{"k":{"S":"ab"}}}`: 7,
	} {
		if got := decodeValue(t, in).Size(); got != want {
			t.Errorf("size of %s = %d, want %d", in, got, want)
		}
	}
	if got := decodeMap(t, `{"pk":{"S":"abc"},"n":{"N":"12"}}`).Size(); got != 8 {
		t.Errorf("size of the item = %d, want 8", got)
	}
}

func TestSortKeysKeepOrderAndAreNoPrefixes(t *testing.T) {
	values := []Value{
		String(""), String("\x00"), String("\x00\x00"), String("\x00a"), String("\x01"), String("a"), String("a\x00"), String("a\x00b"), String("a\x01"), String("ab"), String("b"), String("é"),
	}
	for i, a := range values {
		for j, b := range values {
			x, y := AppendSortKey(nil, a), AppendSortKey(nil, b)
			if got := bytes.Compare(x, y); got != compareInt(i, j) {
				t.Errorf("%q and %q compare %d", a.Text(), b.Text(), got)
			}
			if i != j && bytes.HasPrefix(x, y) {
				t.Errorf("%q is a prefix of %q", y, x)
			}
			if strings.HasPrefix(a.Text(), b.Text()) != bytes.HasPrefix(x, AppendSortPrefix(nil, b)) {
				t.Errorf("prefix of %q by %q is wrong", a.Text(), b.Text())
			}
		}
	}
}

func compareInt(a, b int) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}
	return 0
}

func TestApplyEdits(t *testing.T) {
	item := decodeMap(t, `{"a":{"S":"x"},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},"m":{"M":{"k":{"M":{"d":{"S":"deep"}}},"j":{"S":"y"}}}}`)
	at := func(steps ...any) Path {
		var p Path
		for _, s := range steps {
			if i, ok := s.(int); ok {
				p = append(p, Step{Index: i})
			} else {
				p = append(p, Step{Name: s.(string)})
			}
		}
		return p
	}
	for name, c := range map[string]struct {
		edits []Edit
		want  string
	}{
		"top level": {[]Edit{{at("b"), String("new")}, {at("a"), nil}, {at("l"), Int(1)}}, `{"b":{"S":"new"},"l":{"N":"1"},"m":{"M":{"j":{"S":"y"},"k":{"M":{"d":{"S":"deep"}}}}}}`},
		"list":      {[]Edit{{at("l", 0), nil}, {at("l", 1), String("one")}, {at("l", 9), String("b")}, {at("l", 5), String("a")}}, `{"a":{"S":"x"},"l":{"L":[{"S":"one"},{"N":"2"},{"S":"a"},{"S":"b"}]},"m":{"M":{"j":{"S":"y"},"k":{"M":{"d":{"S":"deep"}}}}}}`},
		"nested":    {[]Edit{{at("m", "k", "d"), nil}, {at("m", "k", "e"), Boolean(true)}, {at("m", "a"), NullValue()}, {at("m", "none"), nil}}, `{"a":{"S":"x"},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},"m":{"M":{"a":{"NULL":true},"j":{"S":"y"},"k":{"M":{"e":{"BOOL":true}}}}}}`},
	} {
		got, err := item.Apply(c.edits)
		if err != nil || encode(t, got) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, encode(t, got), c.want)
		}
	}
	for _, p := range []Path{at("none", "x"), at("a", "x"), at("a", 0), at("m", 0), at("l", "x"), at("m", "none", "x"), at("l", 7, "x")} {
		if _, err := item.Apply([]Edit{{p, Int(1)}}); !errors.Is(err, ErrPath) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if got := item.Lookup(at("m", "k", "d")).Text(); got != "deep" {
		t.Errorf("lookup found %q", got)
	}
	if got := encode(t, NewProjection([]Path{at("l", 2), at("l", 0), at("m", "k", "d"), at("none")}).Apply(item)); got != `{"l":{"L":[{"N":"0"},{"N":"2"}]},"m":{"M":{"k":{"M":{"d":{"S":"deep"}}}}}}` {
		t.Errorf("projection: %s", got)
	}
}

func TestSetsUniteAndDiffer(t *testing.T) {
	a, b := StringSet("b", "a"), StringSet("c", "b")
	if got := encode(t, Union(a, b)); got != `{"SS":["a","b","c"]}` {
		t.Error(got)
	}
	if got := encode(t, Difference(a, b)); got != `{"SS":["a"]}` {
		t.Error(got)
	}
	if Difference(a, a) != nil {
		t.Error("nothing left is not nil")
	}
	if !a.Contains(String("a")) || a.Contains(String("z")) || a.Contains(Int(1)) {
		t.Error("Contains is wrong")
	}
}

func FuzzMapRoundTrip(f *testing.F) {
	f.Add([]byte(`{"a":{"S":"x"},"b":{"N":"1.5"},"c":{"B":"YQ=="},"d":{"SS":["a"]},"e":{"L":[{"M":{}}]},"f":{"NULL":true}}`))
	f.Add([]byte(`{"l":{"NS":["1","2e5"]},"k":{"BS":["YQ=="]},"b":{"BOOL":false}}`))
	f.Add([]byte(`{"a":{"S":"\ud83d\ude00\u0000"}}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		var m Map
		n, err := m.DecodeJSON(src)
		if err != nil || m == nil {
			return
		}
		if !json.Valid(src[:n]) {
			t.Fatalf("took %q, which is no JSON", src[:n])
		}
		if m.Err() != nil {
			return
		}
		out, err := m.AppendJSON(nil)
		if err != nil || !json.Valid(out) {
			t.Fatalf("wrote %q, %v", out, err)
		}
		var again Map
		if _, err := again.DecodeJSON(out); err != nil || !bytes.Equal(again, m) {
			t.Fatalf("%q decodes to something else: %v", out, err)
		}
		m.Size()
		if !bytes.Equal(m.With(), m) {
			t.Fatal("With without fields changes the map")
		}
	})
}

func FuzzNumber(f *testing.F) {
	f.Add("1", "-2.5e3")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := ParseNumber(a)
		if err != nil {
			return
		}
		again, err := ParseNumber(x.String())
		if err != nil || !bytes.Equal(x, again) {
			t.Fatalf("%s prints as %s", a, x)
		}
		y, err := ParseNumber(b)
		if err != nil {
			return
		}
		p, _ := x.unscaledFor(y)
		q, _ := y.unscaledFor(x)
		if want := p.Cmp(q); bytes.Compare(x, y) != want {
			t.Fatalf("%s and %s compare %d, want %d", x, y, bytes.Compare(x, y), want)
		}
	})
}

// item1K is the item of the benchmarks: ten attributes, one kilobyte.
var item1K = `{"pk":{"S":"user#1234567890"},"sk":{"S":"order#2026-11-25T12:00:00Z"},"total":{"N":"129.95"},"count":{"N":"3"},"status":{"S":"SHIPPED"},` +
	`"paid":{"BOOL":true},"tags":{"SS":["red","green","blue"]},"address":{"M":{"street":{"S":"1 Long Street"},"city":{"S":"Springfield"},"zip":{"S":"12345"}}},` +
	`"lines":{"L":[{"M":{"sku":{"S":"A-1"},"qty":{"N":"1"}}},{"M":{"sku":{"S":"B-2"},"qty":{"N":"2"}}}]},"note":{"S":"` + strings.Repeat("lorem ipsum ", 48) + `"}}`

func BenchmarkDecode(b *testing.B) {
	src := []byte(item1K)
	b.SetBytes(int64(len(src)))
	b.Run("attr", func(b *testing.B) {
		b.ReportAllocs()
		var m Map
		for b.Loop() {
			if _, err := m.DecodeJSON(src); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m map[string]jsonValue
			if err := json.Unmarshal(src, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	m := decodeMap(b, item1K)
	var tree map[string]jsonValue
	if err := json.Unmarshal([]byte(item1K), &tree); err != nil {
		b.Fatal(err)
	}
	b.Run("attr", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf, _ = m.AppendJSON(buf[:0])
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(tree); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type jsonValue struct {
	S    *string              `json:",omitempty"`
	N    *string              `json:",omitempty"`
	B    []byte               `json:",omitempty"`
	SS   []string             `json:",omitempty"`
	NS   []string             `json:",omitempty"`
	BS   [][]byte             `json:",omitempty"`
	BOOL *bool                `json:",omitempty"`
	NULL *bool                `json:",omitempty"`
	L    []jsonValue          `json:",omitempty"`
	M    map[string]jsonValue `json:",omitempty"`
}
