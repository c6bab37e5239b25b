package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Config is the settings of one Lambent. Make one with [Default] or [Load]; the meaning of each field is
// that of the setting of its name in [Settings].
type Config struct {
	DataDir          string
	Ephemeral        bool
	Bodies           string
	BodiesEndpoint   string
	BodiesRegion     string
	BodiesPathStyle  bool
	BodiesKeys       string
	Listen           string
	PublicURL        string
	TLSCert, TLSKey  string
	LocalCredentials bool
	Account, Region  string
	Sandbox          string
	Egress           bool
	ParkedMemory     string
	SnapshotMemory   string
	IdleFunctions    string
	Concurrency      string
	InvocationRate   string
	RecordedEvents   string
	StrictRuntimes   bool
	Debuggers        string
	Isolation        string
	Registries       string
	RegistryConfig   string
	Backends         string
	APIRate          string
	MailServer       string
	MailFrom         string
	MailPassword     string
	LogLevel         string
	LogFormat        string
	AccessLog        string
	TestClock        bool

	// Keys is what the setting bodies-keys names. [Load] reads it; it is no setting of its own, so that it is never shown.
	Keys Keys
}

// Keys is an access key. Token may be empty.
type Keys struct{ AccessKeyID, Secret, Token string }

// The values of the setting "sandbox".
const (
	SandboxAuto    = "auto"
	SandboxRequire = "require"
	SandboxOff     = "off"
)

// The values of the setting "isolation". There is a name for virtual machines, and nothing behind it.
const (
	IsolationNamespace = "namespace"
	IsolationGVisor    = "gvisor"
	IsolationMicroVM   = "microvm"
)

// The values of the setting "idle-functions".
const (
	IdleRunning = "running"
	IdleFrozen  = "frozen"
)

// The values of the setting "backends".
const (
	BackendsAuto   = "auto"
	BackendsAny    = "any"
	BackendsPublic = "public"
)

// The values of the setting "access-log" that are not a file.
const (
	AccessLogOff    = "off"
	AccessLogStderr = "stderr"
)

// Default returns the settings of a Lambent that nobody configured.
func Default() Config {
	var c Config
	for _, s := range Settings() {
		// The defaults are constants of this package, held valid by a test.
		_ = s.set(&c, s.Default)
	}
	return c
}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
)

// Validate tells everything that is wrong with the settings, each error naming the setting and what to do.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(setting, format string, args ...any) {
		errs = append(errs, fmt.Errorf("setting %s: "+format, append([]any{setting}, args...)...))
	}
	if c.DataDir == "" && !c.Ephemeral {
		refuse("data-dir", "is empty; name a folder, or set ephemeral to keep everything in memory")
	}
	if !accountPattern.MatchString(c.Account) {
		refuse("account", "%q is not a 12-digit account id", c.Account)
	}
	if !regionPattern.MatchString(c.Region) {
		refuse("region", "%q is not a region name such as us-east-1", c.Region)
	}
	oneOf := func(setting, value string, values ...string) {
		if !slices.Contains(values, value) {
			refuse(setting, "%q is not one of %v", value, values)
		}
	}
	if c.AccessLog == "" {
		refuse("access-log", "is empty; set off, stderr or a file")
	}
	oneOf("idle-functions", c.IdleFunctions, IdleRunning, IdleFrozen)
	oneOf("sandbox", c.Sandbox, SandboxAuto, SandboxRequire, SandboxOff)
	if c.Isolation == IsolationMicroVM {
		refuse("isolation", "microvm is not supported by this version; set gvisor, or run a Lambent in each virtual machine")
	} else {
		oneOf("isolation", c.Isolation, IsolationNamespace, IsolationGVisor)
	}
	if c.Isolation == IsolationGVisor && c.Sandbox == SandboxOff {
		refuse("isolation", "gvisor and sandbox off contradict each other; leave one out")
	}
	if _, err := PercentOfMemory(c.ParkedMemory); err != nil {
		refuse("parked-memory", "%v", err)
	}
	if _, err := PercentOfMemory(c.SnapshotMemory); err != nil {
		refuse("snapshot-memory", "%v", err)
	}
	if _, err := c.ConcurrencyLimit(0); err != nil {
		refuse("concurrency", "%v", err)
	}
	if _, err := c.InvocationsASecond(0); err != nil {
		refuse("invocation-rate", "%v", err)
	}
	if _, err := c.RecordedEventBytes(); err != nil {
		refuse("recorded-events", "%v", err)
	}
	oneOf("backends", c.Backends, BackendsAuto, BackendsAny, BackendsPublic)
	if _, err := c.APIRequests(); err != nil {
		refuse("api-rate", "%v", err)
	}
	oneOf("log-level", c.LogLevel, "debug", "info", "warn", "error")
	oneOf("log-format", c.LogFormat, "text", "json")
	if (c.TLSCert == "") != (c.TLSKey == "") {
		refuse("tls-cert", "needs tls-key, and tls-key needs tls-cert; set both or none")
	}
	c.validateBodies(refuse)
	c.validateMail(refuse)
	if c.TestClock && !c.Loopback() {
		refuse("test-clock", "is for tests on loopback alone")
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") {
			refuse("public-url", "%q is not of the form https://host:port", c.PublicURL)
		}
	}
	errs = append(errs, c.validateListen()...)
	return errors.Join(errs...)
}

// BodiesBucket is the setting bodies as a bucket and a prefix, which is empty or ends with a slash.
func (c *Config) BodiesBucket() (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(c.Bodies, "s3://")
	bucket, prefix, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" || strings.ContainsAny(rest, "?# ") {
		return "", "", fmt.Errorf("%q is not of the form s3://BUCKET/PREFIX", c.Bodies)
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return bucket, prefix, nil
}

func (c *Config) validateBodies(refuse func(setting, format string, args ...any)) {
	if c.Bodies == "" {
		if c.BodiesEndpoint != "" {
			refuse("bodies-endpoint", "is set and bodies is not; set bodies to s3://BUCKET/PREFIX")
		}
		return
	}
	if _, _, err := c.BodiesBucket(); err != nil {
		refuse("bodies", "%v", err)
	}
	if c.Ephemeral {
		refuse("bodies", "cannot be used with ephemeral, which keeps everything in memory; unset one of the two")
	}
	if u, err := url.Parse(c.BodiesEndpoint); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		refuse("bodies-endpoint", "%q is not of the form https://host:port", c.BodiesEndpoint)
	}
	if c.BodiesRegion == "" {
		refuse("bodies-region", "is empty; us-east-1 suits most object stores")
	}
}

// validateMail looks for settings that are of no use alone. Their form is checked by who uses them.
func (c *Config) validateMail(refuse func(setting, format string, args ...any)) {
	switch {
	case c.MailServer == "" && (c.MailFrom != "" || c.MailPassword != ""):
		refuse("mail-server", "is not set, and mail-from or mail-password is; set it to smtp://user@host:587, or unset them")
	case c.MailServer != "" && c.MailFrom == "":
		refuse("mail-from", "is not set, and mail-server is; set it to the address of the sender, such as orders@example.com")
	}
}

// PercentOfMemory is a setting such as parked-memory as a number.
func PercentOfMemory(value string) (int, error) {
	text, ok := strings.CutSuffix(value, "%")
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 0 || n > 50 {
		return 0, fmt.Errorf("%q is not a part of the memory from 0%% to 50%%", value)
	}
	return n, nil
}

// What the setting concurrency stands for when it is auto: an environment for each part of the memory, in bytes, in steps.
const (
	// ConcurrencyAuto is the value of the setting "concurrency" that leaves it to the machine's memory.
	ConcurrencyAuto = "auto"
	// InvocationRateAuto is the value of the setting "invocation-rate" that leaves it to the concurrency.
	InvocationRateAuto = "auto"
	environmentSize    = 16 << 20
	concurrencyStep    = 100
)

// ConcurrencyLimit is the setting concurrency as a number, on a machine with that many bytes of memory; 0 means that it is not known.
func (c *Config) ConcurrencyLimit(memory int64) (int, error) {
	if c.Concurrency == ConcurrencyAuto {
		n := int(memory / environmentSize)
		return max(n-n%concurrencyStep, concurrencyStep), nil
	}
	n, err := strconv.Atoi(c.Concurrency)
	if err != nil || n < 1 || n > 100_000 {
		return 0, fmt.Errorf("%q is neither auto nor a number from 1 to 100000", c.Concurrency)
	}
	return n, nil
}

// Invocations of functions a second: for each unit of concurrency, and of an account in AWS that has its first quota of 1,000.
const (
	invocationsOfSlot  = 10
	invocationsAtLeast = 10_000
)

// InvocationsASecond is the setting invocation-rate as a number of invocations a second, 0 for any, on a machine with that concurrency.
func (c *Config) InvocationsASecond(concurrency int) (int, error) {
	switch c.InvocationRate {
	case InvocationRateAuto:
		return max(concurrency*invocationsOfSlot, invocationsAtLeast), nil
	case "unlimited":
		return 0, nil
	}
	n, err := strconv.Atoi(c.InvocationRate)
	if err != nil || n < 1 || n > unlimitedRate {
		return 0, fmt.Errorf("%q is neither auto, nor unlimited, nor a number from 1 to %d", c.InvocationRate, unlimitedRate)
	}
	return n, nil
}

// PrivateBackends tells whether integrations may be on this machine and in private networks.
func (c *Config) PrivateBackends() bool {
	return c.Backends == BackendsAny || c.Backends == BackendsAuto && c.Loopback()
}

// unlimitedRate is the number that stands for a rate without a limit, in requests a second: more than a machine can serve.
const unlimitedRate = 1_000_000_000

// APIRequests is the setting api-rate as a number of requests a second.
func (c *Config) APIRequests() (int, error) {
	if c.APIRate == "unlimited" {
		return unlimitedRate, nil
	}
	n, err := strconv.Atoi(c.APIRate)
	if err != nil || n < 2 || n > unlimitedRate {
		return 0, fmt.Errorf("%q is neither unlimited nor a number from 2 to %d", c.APIRate, unlimitedRate)
	}
	return n, nil
}

// RecordedEventBytes is the setting recorded-events as a number of bytes.
func (c *Config) RecordedEventBytes() (int, error) {
	text, ok := strings.CutSuffix(c.RecordedEvents, "MiB")
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 0 || n > 4096 {
		return 0, fmt.Errorf("%q is not a size from 0MiB to 4096MiB", c.RecordedEvents)
	}
	return n << 20, nil
}

// RegistryList is the setting registries as a list.
func (c *Config) RegistryList() []string {
	var out []string
	for _, name := range strings.Split(c.Registries, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// validateListen holds the rule that only loopback may be served without TLS and real credentials.
func (c *Config) validateListen() []error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return []error{fmt.Errorf("setting listen: %q is not host:port, such as 127.0.0.1:4566", c.Listen)}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return []error{fmt.Errorf("setting listen: port %q is not a number from 0 to 65535", port)}
	} else if n >= 32768 && n <= 60999 {
		return []error{fmt.Errorf("setting listen: port %d is in the range that the system hands out to outgoing connections (32768 to 60999); choose a lower one", n)}
	}
	if loopbackHost(host) {
		return nil
	}
	var errs []error
	if c.TLSCert == "" {
		errs = append(errs, fmt.Errorf("setting listen: %s can be reached from other machines, which needs TLS; set tls-cert and tls-key, or listen on 127.0.0.1", c.Listen))
	}
	if c.LocalCredentials {
		errs = append(errs, fmt.Errorf("setting listen: %s can be reached from other machines, so the pair test/test must not work; set local-credentials to false, or listen on 127.0.0.1", c.Listen))
	}
	return errs
}

// Loopback tells whether only this machine can reach the listener.
func (c *Config) Loopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	return err == nil && loopbackHost(host)
}

func loopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
