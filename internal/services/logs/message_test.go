package logs

import "testing"

// TestPatternsShareAMessage holds that a message is taken apart once: what the first pattern took apart is what the others look into.
func TestPatternsShareAMessage(t *testing.T) {
	for text, open := range map[string]func(m *message){
		`{"a": 1}`: func(m *message) {
			document, _ := m.decode()
			document.(map[string]any)["a"] = "changed" //nolint:forcetypeassert // the message is an object
		},
		"1 2": func(m *message) { m.split()[0] = "changed" },
	} {
		p, err := parsePattern(map[byte]string{'{': "{ $.a = changed }", '1': "[a = changed, b]"}[text[0]])
		if err != nil {
			t.Fatal(err)
		}
		m := newMessage(text + "\n")
		if p.met(m) {
			t.Errorf("%s meets the pattern", text)
		}
		if open(m); !p.met(m) {
			t.Errorf("%s was taken apart again", text)
		}
	}
}

func TestDecodeJSON(t *testing.T) {
	for text, want := range map[string]bool{`{"a": 1}`: true, `[1]`: true, `"a"`: true, ``: false, `{"a": 1} x`: false, `{"a": 1}{}`: false, `{"a`: false, "a": false} {
		m := newMessage(text)
		for range 2 {
			if _, ok := m.decode(); ok != want {
				t.Errorf("%q: %v", text, ok)
			}
		}
	}
}
