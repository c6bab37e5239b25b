package domain

import (
	"net/http"
	"strings"
	"testing"
)

// FuzzPathsFindTheirAPI holds that whatever path and header a client sends, what an API gets is a path, and with its base path in front the one that was sent.
func FuzzPathsFindTheirAPI(f *testing.F) {
	f.Add("/a/b/c", "v1")
	f.Add("/a", "")
	f.Add("//a%2Fb/../", "x*y")
	f.Add("/ab", "beta-1")
	hosts := []*host{
		{name: Name{RoutingMode: MappingOnly}, mappings: []Mapping{{Path: "a/b", API: "1"}, {Path: "a", API: "2"}, {API: "3"}}},
		{name: Name{RoutingMode: RuleFirst}, mappings: []Mapping{{Path: "a", API: "2"}}, rules: []Rule{
			{BasePaths: []string{"a/b", "b"}, API: "4", Strip: true}, {Headers: []Header{{Name: "X-A", Glob: "*eta*"}, {Name: "X-A", Glob: "v*"}}, BasePaths: []string{"a"}, API: "5"},
		}},
		{name: Name{RoutingMode: RuleOnly}, rules: []Rule{{Headers: []Header{{Name: "X-A", Glob: "*"}}, API: "6", Strip: true}}},
	}
	f.Fuzz(func(t *testing.T, path, header string) {
		path = "/" + path
		r := &http.Request{Header: http.Header{"X-A": {header}}}
		for i, h := range hosts {
			_, to, ok := h.route(r, path)
			if !ok {
				if i == 0 || i == 2 {
					t.Errorf("host %d: %q has no API", i, path)
				}
				continue
			}
			sent := to.Path
			if to.BasePath != "" {
				sent = "/" + to.BasePath + to.Path
			}
			if !strings.HasPrefix(to.Path, "/") || sent != path && sent != path+"/" {
				t.Errorf("host %d: %q is %q below %q", i, path, to.Path, to.BasePath)
			}
		}
	})
}
