package front

import (
	"net/http"
	"testing"

	"lambent.dev/lambent/internal/service"
)

func TestRoutesByHostThenPath(t *testing.T) {
	h := http.NotFoundHandler()
	table, err := NewTable([]service.Route{
		{Host: "{bucket+}.s3.*", API: "s3"},
		{Host: "{bucket+}.s3.{region}.*", API: "s3"},
		{Host: "{bucket+}.s3-website.{region}.*", Handler: h},
		{Host: "{api}.execute-api.{region}.*", Handler: h},
		{Path: "/_aws/execute-api/{api}", Handler: h},
		{Path: "/_aws/s3-website/{bucket}", Handler: h},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ host, target, pattern, vars, rest string }{
		{"abc.execute-api.us-east-1.amazonaws.com", "/x?y", "{api}.execute-api.{region}.*", "abc us-east-1", "/x"},
		{"ABC.execute-api.us-east-1.localhost:4566", "/", "{api}.execute-api.{region}.*", "abc us-east-1", "/"},
		{"my.pictures.s3.localhost", "/a//b/%2F", "{bucket+}.s3.*", "my.pictures", "/my.pictures/a//b/%2F"},
		{"pics.s3.eu-west-1.amazonaws.com", "/k?acl", "{bucket+}.s3.{region}.*", "pics eu-west-1", "/pics/k"},
		{"127.0.0.1:4566", "/_aws/execute-api/abc/prod/x/", "/_aws/execute-api/{api}", "abc", "/prod/x/"},
		{"127.0.0.1:4566", "/_aws/s3-website/pics", "/_aws/s3-website/{bucket}", "pics", ""},
		{"127.0.0.1:4566", "/_aws/s3-website//x", "", "", "/_aws/s3-website//x"},
		{"localhost:4566", "/bucket/_aws/execute-api/abc", "", "", "/bucket/_aws/execute-api/abc"},
		{"[::1]:4566", "/", "", "", "/"},
		{"execute-api.us-east-1.amazonaws.com", "/", "", "", "/"},
	} {
		m := table.Find(t.Context(), c.host, c.target)
		pattern, vars := "", ""
		if m.Route != nil {
			pattern = m.Route.Host + m.Route.Path
			for _, name := range []string{"bucket", "api", "region"} {
				if v := m.Var(name); v != "" {
					if vars != "" {
						vars += " "
					}
					vars += v
				}
			}
		}
		if pattern != c.pattern || vars != c.vars || m.Rest != c.rest {
			t.Errorf("Find(%q, %q) = %q [%s] rest %q, want %q [%s] rest %q", c.host, c.target, pattern, vars, m.Rest, c.pattern, c.vars, c.rest)
		}
	}
}

func FuzzFindNeverPanics(f *testing.F) {
	table, err := NewTable([]service.Route{{Host: "{bucket+}.s3.*", API: "s3"}, {Path: "/_aws/x/{id}", API: "s3"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a.s3.b", "/_aws/x/y?z")
	f.Add("....s3..", "/_")
	f.Fuzz(func(t *testing.T, host, target string) {
		if m := table.Find(t.Context(), host, target); m.Route == nil && m.Var("id") != "" {
			t.Errorf("Find(%q, %q) has variables and no route", host, target)
		}
	})
}
