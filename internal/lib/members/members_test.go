package members_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/lib/members"
)

type tls struct{ Name *string }

type tlsInput struct{ Name *string }

type record struct {
	Name    string
	Note    *string
	Count   *int32
	Tags    map[string]string
	List    []string
	TLS     *tls
	Private int64
}

type input struct {
	Name    *string
	Note    *string
	Count   *int32
	Tags    map[string]string
	List    []string
	TLS     *tlsInput
	Private string
	Other   *string
}

func p[T any](v T) *T { return &v }

func TestGivenMembersAreCopiedAndTheOthersStay(t *testing.T) {
	r := record{Name: "old", Note: p("note"), Count: p(int32(1)), Tags: map[string]string{"a": "b"}, List: []string{"x"}}
	members.Copy(&r, &input{Name: p("new"), List: []string{}, TLS: &tlsInput{Name: p("host")}, Private: "7", Other: p("lost")})
	want := record{Name: "new", Note: p("note"), Count: p(int32(1)), Tags: map[string]string{"a": "b"}, List: []string{}, TLS: &tls{Name: p("host")}}
	if d := cmp.Diff(want, r); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var out input
	members.Copy(&out, &record{Name: "n", Count: p(int32(0))})
	if d := cmp.Diff(input{Name: p("n"), Count: p(int32(0))}, out); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMissingNamesWhatHasNoPlace(t *testing.T) {
	got := members.Missing(&record{}, &input{})
	if d := cmp.Diff([]string{"Private (string is no int64)", "Other"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
