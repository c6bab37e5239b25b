package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Setting describes one setting.
type Setting struct {
	// Name is the key in lambent.yaml; the flag and the environment variable follow from it.
	Name string
	// Default is the value that nobody set, as text.
	Default string
	// Doc is the reference manual: what the setting does, its values, and units.
	Doc string

	bool   bool
	hidden bool
	set    func(c *Config, value string) error
	get    func(c *Config) string
}

// Flag returns the setting's flag, with its dashes.
func (s *Setting) Flag() string { return "--" + s.Name }

// Env returns the setting's environment variable.
func (s *Setting) Env() string {
	return "LAMBENT_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// IsBool tells whether the setting is true or false, so that its flag needs no value.
func (s *Setting) IsBool() bool { return s.bool }

// Hidden tells whether the setting is for the project's own tests, and so not in the manual.
func (s *Setting) Hidden() bool { return s.hidden }

// Set gives the setting of c a value from text.
func (s *Setting) Set(c *Config, value string) error { return s.set(c, value) }

// Value returns the setting's value in c, as text.
func (s *Setting) Value(c *Config) string { return s.get(c) }

// Settings returns every setting, in the order of the manual.
func Settings() []Setting {
	return []Setting{
		text("data-dir", ".lambent",
			"The folder that holds everything: tables, objects, functions, users and keys. A relative path starts at the project's folder. "+
				"One Lambent at a time can use it. To move or copy a Lambent, stop it and copy the folder.",
			func(c *Config) *string { return &c.DataDir }),
		boolean("ephemeral", "false",
			"Keep everything in memory and forget it at the end. Meant for tests; nothing is written to data-dir.",
			func(c *Config) *bool { return &c.Ephemeral }),
		text("bodies", "",
			"Where large bodies (objects of more than 32 KiB, and code) are kept: s3://BUCKET/PREFIX of any object store that speaks S3. Empty means in data-dir. "+
				"Names, versions, policies and events stay in data-dir either way, and encryption stays Lambent's. Bodies that were in data-dir before are read from there. "+
				"The bucket must exist, and nobody else may use the prefix. See docs/bodies.md.",
			func(c *Config) *string { return &c.Bodies }),
		text("bodies-endpoint", "",
			"The URL of the object store of bodies, such as https://s3.example.com:9000. Needed when bodies is set.",
			func(c *Config) *string { return &c.BodiesEndpoint }),
		text("bodies-region", "us-east-1",
			"The region that requests to the object store of bodies are signed for.",
			func(c *Config) *string { return &c.BodiesRegion }),
		boolean("bodies-path-style", "true",
			"Put the bucket of bodies in the path of requests; false puts it in the host name.",
			func(c *Config) *bool { return &c.BodiesPathStyle }),
		text("bodies-keys", "env",
			"The access key for the object store of bodies: env takes AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN from the environment; "+
				"anything else is a file in the form of AWS's credentials file, of which the profile default counts.",
			func(c *Config) *string { return &c.BodiesKeys }),
		text("listen", "127.0.0.1:4566",
			"The address of the one port, as host:port. Port 0 takes any free one. An address that other machines can reach is refused "+
				"unless tls-cert and tls-key are set, local-credentials is false, and the keys of the data folder exist (run once on loopback).",
			func(c *Config) *string { return &c.Listen }),
		text("public-url", "",
			"The URL by which clients reach this Lambent, for the URLs that it hands out, such as https://lambent.example.com. "+
				"Empty means the listener's own address.",
			func(c *Config) *string { return &c.PublicURL }),
		text("tls-cert", "",
			"A file with the PEM certificate chain for TLS. Plain HTTP is then served to loopback alone. Needs tls-key.",
			func(c *Config) *string { return &c.TLSCert }),
		text("tls-key", "",
			"A file with the PEM private key of tls-cert.",
			func(c *Config) *string { return &c.TLSKey }),
		boolean("local-credentials", "true",
			"Accept the access key test with the secret test as the account's root on loopback, from callers that a web page cannot imitate. "+
				"Most tools and examples for local use are set up with this pair.",
			func(c *Config) *bool { return &c.LocalCredentials }),
		text("account", "000000000000",
			"The account id of root and of local-credentials: 12 digits.",
			func(c *Config) *string { return &c.Account }),
		text("region", "us-east-1",
			"The region of calls that name none, and of the CLI.",
			func(c *Config) *string { return &c.Region }),
		text("sandbox", SandboxAuto,
			"How functions are isolated. auto: as well as this machine allows; `lambent doctor` tells how well that is. "+
				"require: refuse to start unless namespaces, seccomp and resource limits all work. off: plain processes.",
			func(c *Config) *string { return &c.Sandbox }),
		boolean("egress", "true",
			"Let functions reach the internet. They reach this Lambent in any case, and never the machine's own services or the link-local network.",
			func(c *Config) *bool { return &c.Egress }),
		text("parked-memory", "3%",
			"How much memory sandboxes may take that are kept ready for functions to come, as a part of the machine's memory such as 3%. A function "+
				"that starts in one of them starts in a millisecond or two. They are made after functions have been started, for the languages of those; 0% makes none.",
			func(c *Config) *string { return &c.ParkedMemory }),
		text("idle-functions", IdleRunning,
			"What becomes of a function between two invocations. running: what it has left for later goes on. "+
				"frozen: its processes are stopped until the next invocation, as on AWS, which then takes 0.2 ms longer; the machine needs cgroups for it.",
			func(c *Config) *string { return &c.IdleFunctions }),
		text("snapshot-memory", "5%",
			"How much memory the snapshots of functions with SnapStart may take, as a part of the machine's memory such as 5%: sandboxes in which such a function "+
				"has been initialised and waits for its invocation; and those of container images that are initialised ahead of need. Those that were not used for longest give way; a function without one is initialised when it is invoked.",
			func(c *Config) *string { return &c.SnapshotMemory }),
		text("concurrency", ConcurrencyAuto,
			"How many invocations run at a time: the limit of each account and region, as AWS's quota of concurrent executions, and the most sandboxes that "+
				"this machine holds. auto: one for each 16 MiB of memory, in steps of 100, and at least 100. Set 1000 for what a new AWS account has.",
			func(c *Config) *string { return &c.Concurrency }),
		text("invocation-rate", InvocationRateAuto,
			"How many invocations a second an account takes in a region of callers who wait for the answer, as AWS's quota of invocation requests. auto: 10 for each unit of concurrency, and at "+
				"least 10000. unlimited: any number. Functions with reserved concurrency take 10 for each unit of it, as on AWS. Queued events and event sources do not count.",
			func(c *Config) *string { return &c.InvocationRate }),
		text("recorded-events", "32MiB",
			"How much memory the events of past invocations may take, which `lambent replay` sends again. The last 4,096 at most are kept, until Lambent stops; "+
				"only the root user can read them. 0MiB keeps none.",
			func(c *Config) *string { return &c.RecordedEvents }),
		text("isolation", IsolationNamespace,
			"What separates functions. namespace: namespaces, cgroups, seccomp and Landlock, on the machine's kernel. gvisor: a kernel of their own, the program runsc of "+
				"gVisor, which must be in PATH and needs root; functions start about a hundred times slower and no sandboxes are kept ready. See isolation.md.",
			func(c *Config) *string { return &c.Isolation }),
		boolean("strict-runtimes", "false",
			"Refuse functions whose language version is not installed, instead of running them with the nearest one and a warning.",
			func(c *Config) *bool { return &c.StrictRuntimes }),
		text("debuggers", "",
			"A folder with debuggers of functions, for those that neither a function's package nor the machine has: the package debugpy for Python, as "+
				"`pip install --target FOLDER debugpy` puts it there, and Delve's program dlv for Go. See debugging.md.",
			func(c *Config) *string { return &c.Debuggers }),
		text("registries", "public.ecr.aws, docker.io, ghcr.io, quay.io, mcr.microsoft.com, localhost",
			"The registries that container images of functions may be pulled from, separated by commas; localhost stands for every port of this machine, * for "+
				"all registries. Everybody who may create functions makes Lambent connect to them. Images of files (s3://bucket/key) need none.",
			func(c *Config) *string { return &c.Registries }),
		text("registry-config", "",
			"A folder with Docker's config.json, whose credentials are used for registries, such as ~/.docker. Everybody who may create functions can then run "+
				"what these credentials can read. Empty: registries are asked without any.",
			func(c *Config) *string { return &c.RegistryConfig }),
		text("backends", BackendsAuto,
			"Which addresses integrations of APIs, issuers of their tokens, HTTP subscribers of topics, API destinations and HTTP endpoints of delivery streams may be at. any: this machine and private networks too. public: the internet, and private networks for integrations "+
				"with a VPC link. auto: any on a listener that only this machine can reach, else public. Link-local addresses and the metadata services of clouds are never reached, "+
				"and this Lambent itself only as a stranger, without local-credentials.",
			func(c *Config) *string { return &c.Backends }),
		text("api-rate", "10000",
			"How many requests a second the APIs of an account in a region take together, as AWS's account throttle; half as many may come at once. unlimited: as many as come.",
			func(c *Config) *string { return &c.APIRate }),
		text("mail-server", "",
			"The server that sends the mails of topics: smtp://user@host:587, or smtps://user@host:465 for TLS from the first byte; TLS is used in any case when the server offers it. "+
				"Empty sends none. Mails are kept in the outbox either way: `lambent outbox` shows them.",
			func(c *Config) *string { return &c.MailServer }),
		text("mail-from", "",
			"The sender of mails, such as Orders <orders@example.com>. Needed when mail-server is set.",
			func(c *Config) *string { return &c.MailFrom }),
		text("mail-password", "",
			"A file with the password of the user in mail-server. It is sent over TLS only, save to this machine.",
			func(c *Config) *string { return &c.MailPassword }),
		text("log-level", "info",
			"The least important log lines to write: debug, info, warn or error.",
			func(c *Config) *string { return &c.LogLevel }),
		text("log-format", "text",
			"text for people, json for machines. The log goes to standard error.",
			func(c *Config) *string { return &c.LogFormat }),
		text("access-log", AccessLogOff,
			"Where to write one line of JSON for every request: off, stderr, or a file, whose relative path starts at data-dir. A line has "+
				"the time, request_id, source_ip, principal, service, operation, region, method, host, path, status, error_code, duration_ms, bytes and "+
				"user_agent; never a query, a header or a body. Lines that a slow disk cannot take are dropped and counted in the log. "+
				"After rotating the file, send SIGHUP.",
			func(c *Config) *string { return &c.AccessLog }),
		hidden(boolean("test-clock", "false",
			"Let the root user move the clock, for tests of what expires: POST /_lambent/clock?advance=24h.",
			func(c *Config) *bool { return &c.TestClock })),
	}
}

func hidden(s Setting) Setting {
	s.hidden = true
	return s
}

func text(name, value, doc string, field func(*Config) *string) Setting {
	return Setting{
		Name: name, Default: value, Doc: doc,
		set: func(c *Config, v string) error { *field(c) = v; return nil },
		get: func(c *Config) string { return *field(c) },
	}
}

func boolean(name, value, doc string, field func(*Config) *bool) Setting {
	return Setting{
		Name: name, Default: value, Doc: doc, bool: true,
		set: func(c *Config, v string) error {
			b, err := strconv.ParseBool(v)
			if err != nil {
				return fmt.Errorf("setting %s: %q is neither true nor false", name, v)
			}
			*field(c) = b
			return nil
		},
		get: func(c *Config) string { return strconv.FormatBool(*field(c)) },
	}
}
