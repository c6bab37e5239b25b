package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

func TestManualMatchesSettings(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(path, []byte(Manual()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Manual(), string(got)); diff != "" {
		t.Errorf("docs/configuration.md is out of date; run make generate (-want +got):\n%s", diff)
	}
}

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings() {
		if got := s.Value(&c); got != s.Default {
			t.Errorf("default of %s is %q, the manual says %q", s.Name, got, s.Default)
		}
		if s.Doc == "" || !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("setting %s has no whole sentence of documentation", s.Name)
		}
	}
}

func TestConcurrencyFollowsTheMemory(t *testing.T) {
	for _, tc := range []struct {
		setting string
		memory  int64
		want    int
	}{{"auto", 24 << 30, 1500}, {"auto", 4 << 30, 200}, {"auto", 0, 100}, {"1000", 24 << 30, 1000}, {"0", 0, 0}, {"many", 0, 0}} {
		c := Default()
		c.Concurrency = tc.setting
		n, err := c.ConcurrencyLimit(tc.memory)
		if n != tc.want || (err != nil) != (tc.want == 0) {
			t.Errorf("%s on %d bytes: %d, %v; want %d", tc.setting, tc.memory, n, err, tc.want)
		}
	}
}

func TestInvocationRateFollowsTheConcurrency(t *testing.T) {
	for _, tc := range []struct {
		setting           string
		concurrency, want int
		fails             bool
	}{{"auto", 1500, 15_000, false}, {"auto", 100, 10_000, false}, {"20", 100, 20, false}, {"unlimited", 100, 0, false}, {"0", 100, 0, true}, {"fast", 100, 0, true}} {
		c := Default()
		c.InvocationRate = tc.setting
		if n, err := c.InvocationsASecond(tc.concurrency); n != tc.want || (err != nil) != tc.fails {
			t.Errorf("%s with a concurrency of %d: %d, %v; want %d", tc.setting, tc.concurrency, n, err, tc.want)
		}
	}
}

func TestLaterPlacesWin(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, FileName), "region: eu-west-1\naccount: 111111111111\nlog-level: warn\n")
	c, err := Load(Source{
		Dir:     dir,
		Environ: []string{"LAMBENT_ACCOUNT=222222222222", "LAMBENT_LOG_LEVEL=error", "LAMBENT_ENDPOINT=http://x", "PATH=/bin"},
		Flags:   map[string]string{"log-level": "debug"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Region, want.Account, want.LogLevel = "eu-west-1", "222222222222", "debug"
	want.DataDir = filepath.Join(dir, ".lambent")
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestBadSettingsAreRefusedByName(t *testing.T) {
	for _, tc := range []struct {
		name, file, want string
		env              []string
		flags            map[string]string
	}{
		{name: "unknown key in the file", file: "region: us-east-1\negres: false\n", want: `lambent.yaml:2: there is no setting "egres" (did you mean egress?)`},
		{name: "key twice", file: "region: us-east-1\nregion: us-east-2\n", want: "lambent.yaml:2: setting region appears twice"},
		{name: "list as value", file: "region: [a]\n", want: "lambent.yaml:1: setting region: the value is not"},
		{name: "no mapping", file: "- a\n", want: "lambent.yaml:1: settings are lines"},
		{name: "unknown variable", env: []string{"LAMBENT_EFEMERAL=1"}, want: "environment variable LAMBENT_EFEMERAL: there is no such setting (did you mean ephemeral?)"},
		{name: "unknown flag", flags: map[string]string{"x": "1"}, want: "flag --x"},
		{name: "not a boolean", env: []string{"LAMBENT_EGRESS=ja"}, want: `setting egress: "ja" is neither true nor false`},
		{name: "account", flags: map[string]string{"account": "12"}, want: "setting account"},
		{name: "region", flags: map[string]string{"region": "here"}, want: "setting region"},
		{name: "sandbox", flags: map[string]string{"sandbox": "on"}, want: "setting sandbox"},
		{name: "port", flags: map[string]string{"listen": "127.0.0.1:http"}, want: "setting listen"},
		{name: "ephemeral port", flags: map[string]string{"listen": "127.0.0.1:40000"}, want: "choose a lower one"},
		{name: "open to the network", flags: map[string]string{"listen": "0.0.0.0:4566"}, want: "needs TLS"},
		{name: "all interfaces", flags: map[string]string{"listen": ":4566", "local-credentials": "false"}, want: "needs TLS"},
		{name: "test/test for the network", flags: map[string]string{"listen": "10.0.0.1:4566", "tls-cert": "c", "tls-key": "k"}, want: "local-credentials"},
		{name: "half of TLS", flags: map[string]string{"tls-cert": "c"}, want: "setting tls-cert"},
		{name: "public URL with a path", flags: map[string]string{"public-url": "https://a/b"}, want: "setting public-url"},
		{name: "bodies without an endpoint", flags: map[string]string{"bodies": "s3://b/p"}, want: "setting bodies-endpoint"},
		{name: "bodies elsewhere", flags: map[string]string{"bodies": "http://b", "bodies-endpoint": "http://h"}, want: "s3://BUCKET/PREFIX"},
		{name: "bodies in memory", flags: map[string]string{"bodies": "s3://b", "bodies-endpoint": "http://h", "ephemeral": "true"}, want: "cannot be used with ephemeral"},
		{name: "endpoint without bodies", flags: map[string]string{"bodies-endpoint": "http://h"}, want: "bodies is not"},
		{name: "bodies without keys", flags: map[string]string{"bodies": "s3://b", "bodies-endpoint": "http://h"}, want: "the environment has no aws_access_key_id"},
		{name: "no data folder", flags: map[string]string{"data-dir": ""}, want: "setting data-dir"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if tc.file != "" {
				write(t, filepath.Join(dir, FileName), tc.file)
			}
			_, err := Load(Source{Dir: dir, Environ: tc.env, Flags: tc.flags})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Load() = %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestNetworkListenerNeedsTLSAndRealCredentials(t *testing.T) {
	c := Default()
	c.Listen, c.TLSCert, c.TLSKey, c.LocalCredentials = "0.0.0.0:443", "cert.pem", "key.pem", false
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.Loopback() {
		t.Error("0.0.0.0 is taken for loopback")
	}
}

func TestNamedFileMustExist(t *testing.T) {
	if _, err := Load(Source{Dir: t.TempDir(), File: filepath.Join(t.TempDir(), "x.yaml")}); err == nil {
		t.Error("a missing settings file that was named is accepted")
	}
}

func FuzzSettingsFile(f *testing.F) {
	f.Add("region: eu-west-1\n")
	f.Add("a: {b: [c]}\n")
	f.Add("&a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, FileName), text)
		_, _ = Load(Source{Dir: dir})
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAccessLogLiesInTheDataFolder(t *testing.T) {
	dir := t.TempDir()
	for value, want := range map[string]string{
		"off": "off", "stderr": "stderr", "access.log": filepath.Join(dir, ".lambent", "access.log"), "/var/log/access.log": "/var/log/access.log",
	} {
		c, err := Load(Source{Dir: dir, Flags: map[string]string{"access-log": value}})
		if err != nil || c.AccessLog != want {
			t.Errorf("access-log %s is %s, want %s (%v)", value, c.AccessLog, want, err)
		}
	}
	if _, err := Load(Source{Dir: dir, Flags: map[string]string{"access-log": ""}}); err == nil {
		t.Error("an empty access-log was accepted")
	}
	if _, err := Load(Source{Dir: dir, Flags: map[string]string{"test-clock": "true", "listen": "0.0.0.0:4566"}}); err == nil || !strings.Contains(err.Error(), "test-clock") {
		t.Errorf("a movable clock for the network: %v", err)
	}
}

func TestKeysOfBodiesComeFromEnvironmentOrFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "keys"), "[other]\naws_access_key_id = no\n[default]\naws_access_key_id = AKIA\naws_secret_access_key=s=\n")
	flags := map[string]string{"bodies": "s3://b/p/q", "bodies-endpoint": "http://h:1"}
	c, err := Load(Source{Dir: dir, Flags: flags, Environ: []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_SESSION_TOKEN=c"}})
	if err != nil || c.Keys != (Keys{"a", "b", "c"}) {
		t.Errorf("from the environment: %v, %v", c.Keys, err)
	}
	flags["bodies-keys"] = "keys"
	c, err = Load(Source{Dir: dir, Flags: flags})
	if err != nil || c.Keys != (Keys{AccessKeyID: "AKIA", Secret: "s="}) {
		t.Errorf("from a file: %v, %v", c.Keys, err)
	}
	if bucket, prefix, err := c.BodiesBucket(); bucket != "b" || prefix != "p/q/" || err != nil {
		t.Errorf("bodies are in %q under %q (%v)", bucket, prefix, err)
	}
}
