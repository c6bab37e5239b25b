package glob_test

import (
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/lib/glob"
)

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything", true},
		{"a*", "a", true},
		{"a*c", "abbbc", true},
		{"a*c", "abbbcd", false},
		{"*ab*cd*", "xxabyycdzz", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"a?c", "a\u00e9c", true},
		{"?", "\u00e9", true},
		{"??", "\u00e9", false},
		{"a**b", "ab", true},
		{"*a", "aaaaab", false},
		{"s3:Get*", "s3:GetObject", true},
		{"s3:Get*", "s3:getobject", false},
	} {
		p := glob.Compile(tc.pattern)
		if got := p.Match(tc.text); got != tc.want {
			t.Errorf("Compile(%q).Match(%q) = %v, want %v", tc.pattern, tc.text, got, tc.want)
		}
	}
}

func TestLiteralPartsHaveNoWildcards(t *testing.T) {
	var b glob.Builder
	b.Pattern("home/*/")
	b.Literal("a*b?")
	p := b.Build()
	if !p.Match("home/x/a*b?") || p.Match("home/x/aXbY") {
		t.Error("a literal star matched as a wildcard")
	}
}

func TestManyStarsStayCheap(t *testing.T) {
	p := glob.Compile(strings.Repeat("*a", 64) + "*b")
	text := strings.Repeat("a", 4096)
	done := make(chan bool, 1)
	go func() { done <- p.Match(text) }()
	select {
	case got := <-done:
		if got {
			t.Error("matched")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("matching takes exponential time")
	}
}

// FuzzMatch compares with a slow matcher that follows the definition.
func FuzzMatch(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("**?", "")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 24 {
			return
		}
		for i := range len(text) {
			if text[i] >= 0x80 {
				return
			}
		}
		p := glob.Compile(pattern)
		if got, want := p.Match(text), slow(pattern, text); got != want {
			t.Errorf("Compile(%q).Match(%q) = %v, want %v", pattern, text, got, want)
		}
	})
}

func slow(p, s string) bool {
	if p == "" {
		return s == ""
	}
	if p[0] == '*' {
		return slow(p[1:], s) || s != "" && slow(p, s[1:])
	}
	return s != "" && (p[0] == '?' || p[0] == s[0]) && slow(p[1:], s[1:])
}
