package ion

import (
	"testing"

	"lambent.dev/lambent/internal/lib/attr"
)

func decode(t *testing.T, src string) attr.Map {
	t.Helper()
	var m attr.Map
	if _, err := m.DecodeJSON([]byte(src)); err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return m
}

func TestItemsRoundTrip(t *testing.T) {
	item := decode(t, `{"pk":{"S":"all"},"n":{"N":"-12.50"},"big":{"N":"1e100"},"b":{"B":"AAH/"},"t":{"BOOL":true},"nil":{"NULL":true},"it's":{"S":"say \"hi\"\n\u0000é"},"true":{"S":""},`+
		`"ss":{"SS":["a","b"]},"ns":{"NS":["1","2.5"]},"bs":{"BS":["AA=="]},"l":{"L":[{"N":"1"},{"M":{"x":{"S":"é"}}},{"L":[]}]},"m":{"M":{}}}`)
	text := append(Append([]byte("$ion_1_0 {Item:"), item), '}')
	got, err := Item(text)
	if err != nil || string(got) != string(item) {
		t.Errorf("%s: %v", text, err)
	}
}

func TestOtherWaysToWriteItems(t *testing.T) {
	want := decode(t, `{"a":{"S":"xy\t"},"b":{"N":"1500"},"c":{"NULL":true},"d":{"L":[{"S":"sym"},{"N":"0.25"}]},"e":{"B":"AAE="}}`)
	for _, text := range []string{
		`{Item: {a: '''x''' '''y\t''', b: 1.5d3, c: null.string, d: [sym, 2.5e-1,], e: {{ AA E= }} /* done */ }} // end`,
		`$ion_1_0 $ion_1_0 {"Item":{'a':"\x78\u0079	", 'b':1_500, "c":null, d:['sym', 0.25], 'e':{{AAE=}},}}`,
	} {
		if got, err := Item([]byte(text)); err != nil || string(got) != string(want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhatIsNoItemIsRefused(t *testing.T) {
	for _, text := range []string{
		``, `{`, `{Item:1}`, `{Item:{}} x`, `{Item:{},Other:{}}`, `{Item:{a:1,a:2}}`, `{Item:{a:2020-01-01T}}`, `{Item:{a:0x10}}`, `{Item:{a:nan}}`, `{Item:{a:+inf}}`, `{Item:{a:other::1}}`,
		`{Item:{a:$dynamodb_NS::["x"]}}`, `{Item:{a:$dynamodb_SS::["x","x"]}}`, `{Item:{a:"x}}`, `{Item:{a:"\q"}}`, `{Item:{a:{{"clob"}}}}`, `{Item:{a:(1 2)}}`, `{Item:{a:1e200}}`, "{Item:{a:\"\xff\"}}", `{Item:{a 1}}`, `{Item:{a:[1 2]}}`,
	} {
		if got, err := Item([]byte(text)); err == nil {
			t.Errorf("%s is taken for %x", text, []byte(got))
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`$ion_1_0 {Item:{a:'''x''',b:1.5d3,c:null.string,d:[sym,{{AA==}}],s:$dynamodb_SS::["a"]}}`, `{a:"\u00e9\x0a"} // c`, `{'it\'s':true /* */}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(Append(nil, m))
		if err != nil || string(again) != string(m) {
			t.Errorf("%q became %q: %v", text, Append(nil, m), err)
		}
	})
}
