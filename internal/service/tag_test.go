package service_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/service"
)

func TestTagsOfAResourceWinOverThoseOfItsStack(t *testing.T) {
	c := service.ResourceCall{Tags: map[string]string{"a": "stack", "b": "stack", "aws:cloudformation:stack-name": "s"}}
	own := []service.TagProperty{{Key: "a", Value: "own"}}
	if got := c.AllTags(own); !maps.Equal(got, map[string]string{"a": "own", "b": "stack", "aws:cloudformation:stack-name": "s"}) {
		t.Errorf("all tags: %v", got)
	}
	if got := c.UserTags(own); !maps.Equal(got, map[string]string{"a": "own", "b": "stack"}) {
		t.Errorf("user tags: %v", got)
	}
	if got := (service.ResourceCall{}).AllTags(nil); got == nil || len(got) != 0 {
		t.Errorf("no tags: %v", got)
	}
}

func TestRetagCallsOnlyWhatIsNeeded(t *testing.T) {
	for _, tc := range []struct {
		old, tags map[string]string
		want      string
	}{
		{map[string]string{"a": "1"}, map[string]string{"a": "1"}, ""},
		{map[string]string{"b": "1", "a": "1"}, nil, "-a,b"},
		{map[string]string{"a": "1"}, map[string]string{"c": "2"}, "-a +1"},
		{nil, map[string]string{"c": "2"}, "+1"},
	} {
		var did []string
		err := service.Retag(tc.old, tc.tags, func(keys []string) error {
			did = append(did, "-"+strings.Join(keys, ","))
			return nil
		}, func(tags map[string]string) error {
			did = append(did, "+"+string(rune('0'+len(tags))))
			return nil
		})
		if got := strings.Join(did, " "); err != nil || got != tc.want {
			t.Errorf("%v to %v: %q, %v; want %q", tc.old, tc.tags, got, err, tc.want)
		}
	}
	refusal := errors.New("no")
	if err := service.Retag(map[string]string{"a": "1"}, nil, func([]string) error { return refusal }, nil); !errors.Is(err, refusal) {
		t.Errorf("refused: %v", err)
	}
}
