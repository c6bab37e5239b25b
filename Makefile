# The commands of the project. `make test` is what must pass; `.ci/run` calls exactly that.
GO      ?= go
PYTHON  ?= python3
NPM     ?= npm
VENV    := .venv
BOTO3   := boto3==1.43.11 botocore==1.43.11 awscrt==0.32.2 cloudevents==2.2.0
AWSCLI  := awscli==1.45.11
WEBSOCKETS := websockets==15.0.1
RIC     := awslambdaric==4.2.2
DEBUGPY := debugpy==1.8.22
DELVE   := github.com/go-delve/delve/cmd/dlv@v1.27.2
DURABLE := aws-durable-execution-sdk-python==3.0.0 boto3==1.44.8
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
SUM     := gotest.tools/gotestsum@v1.13.0
MODELS  := .tools/models

.PHONY: build check clients debian fuzz fuzz-long generate generated java-client lint race test
.PHONY: attacks crash gvisor scenarios test-dynamodb
.PHONY: bench bench-deploy bench-edge bench-events bench-functions bench-s3
.PHONY: test-clients-deploy test-clients-dynamodb test-clients-events test-clients-functions test-clients-s3
.PHONY: compat-apigateway compat-bodies compat-cfn-lint compat-events compat-h2 compat-kcl compat-lambda compat-language-extensions compat-recorded-cloudformation compat-recorded-events
.PHONY: compat-s3 compat-sam compat-samples compat-tools

build: ## the product, as it is released
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/lambent ./cmd/lambent

test: clients ## everything that must pass
	$(GO) build ./...
	$(GO) run ./tools/coverage -check
	cd examples/photoboard && $(GO) vet ./... && $(GO) test ./...
	$(GO) run $(SUM) --format pkgname --rerun-fails=1 --rerun-fails-max-failures 5 --packages ./... -- -timeout 20m

check: generated lint race test ## what a change needs before it is proposed

lint:
	$(GO) vet ./...
	$(GO) run $(LINT) run ./...

race:
	$(GO) test -race -tags invariants $$($(GO) list ./... | grep -v /test/)

generate: $(MODELS)
	$(GO) run ./tools/modelgen -models $(MODELS)/botocore/data
	$(GO) run ./tools/coverage
	$(GO) test ./internal/config -run TestManualMatchesSettings -update

generated: $(MODELS) ## fails when generated files are out of date
	$(GO) run ./tools/modelgen -models $(MODELS)/botocore/data -check
	$(GO) run ./tools/coverage -check

$(MODELS):
	$(PYTHON) -m pip download --quiet --no-deps -d .tools botocore==1.43.11
	$(PYTHON) -m zipfile -e .tools/botocore-1.43.11-py3-none-any.whl $(MODELS)

crash: ## long: simulated power loss at every sync point, and kill -9 in a loop
	$(GO) test -count=1 -timeout 30m -run 'Crash|Power|Kill' ./internal/store/... ./internal/blob/... ./internal/events/... ./internal/services/...
	$(GO) test -count=1 -timeout 30m -v ./test/crash -args -long

scenarios: clients ## long: the scripts of test/scenario with boto3, the AWS CLI and the AWS SDK for JavaScript
	$(GO) test -count=1 -timeout 30m ./test/scenario -args -sdk boto3,cli,js

attacks: ## long: every attack of test/hostile in every language, with and without the rights of root (needs root)
	$(GO) test -count=1 -timeout 20m -v -run Attacks ./test/hostile -args -long

fuzz: ## every fuzz target for a minute
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 60s -fuzzminimizetime 1s $$p || exit 1; \
	  done; done

fuzz-long: ## what DynamoDB reads from the network, an hour each
	@for t in internal/services/dynamodb/expr:FuzzExpressions internal/services/dynamodb/partiql:FuzzParse internal/lib/attr:FuzzNumber internal/lib/attr:FuzzMapRoundTrip \
	  internal/services/dynamodb:FuzzKeysFitTheStore internal/services/dynamodb:FuzzStreamRow internal/wire:FuzzDecodeJSON; do \
	  echo "$$t"; $(GO) test -run '^$$' -fuzz "^$${t#*:}$$" -fuzztime 1h ./$${t%%:*} || exit 1; \
	done

java-client: ## the classes of the java runtime client, with the compiler of openjdk-17-jdk-headless
	rm -rf internal/runtimes/clients/java
	javac --release 11 -g:none -d internal/runtimes/clients/java $$(find internal/runtimes/java/client -name '*.java')
	javac --release 11 -g:none -cp internal/runtimes/clients/java -d internal/runtimes/clients/java/warm $$(find internal/runtimes/java/warm -name '*.java')

# The module of gVisor is built for its program; it is no dependency of the product.
GVISOR := v0.0.0-20260905035102-160fafc42237

gvisor: .tools/gvisor/runsc ## long: builds gVisor's runsc and runs the tests of the setting isolation=gvisor with it (needs root)
	PATH="$(abspath .tools/gvisor):$$PATH" $(GO) test -count=1 -run GVisor ./internal/sandbox ./internal/runtimes

.tools/gvisor/runsc:
	mkdir -p .tools/gvisor
	cd .tools/gvisor && { test -f go.mod || $(GO) mod init runsc.local; } && $(GO) get gvisor.dev/gvisor/runsc@$(GVISOR) && CGO_ENABLED=0 $(GO) build -o runsc gvisor.dev/gvisor/runsc

bench: ## the tables of bench/README.md (needs nginx, from the Debian package nginx-light)
	$(GO) run ./bench/platform
	$(GO) run ./bench/store
	$(GO) run ./bench/dynamodb
	$(GO) run ./bench/dynamodb -durable
	$(GO) test -run '^$$' -bench . -benchmem ./internal/...

bench-events: ## the rows of bench/README.md about queues, topics and data streams
	$(GO) run ./bench/events

bench-edge: ## the rows of bench/README.md about API Gateway
	$(GO) run ./bench/edge

SAM_PEER := .tools/sam-peer

$(SAM_PEER)/.done:
	rm -rf $(@D) && $(PYTHON) -m venv $(@D) && $(@D)/bin/pip install --quiet --disable-pip-version-check aws-sam-translator==1.110.0 PyYAML==6.0.3
	touch $@

bench-deploy: .tools/sam/.done $(SAM_PEER)/.done ## the rows of bench/README.md about deploys
	$(GO) run ./bench/deploy -corpus .tools/sam/tests/translator/input -python $(SAM_PEER)/bin/python

bench-functions: ## the rows of bench/README.md about functions
	$(GO) run ./bench/functions

bench-s3: ## the object store's numbers; VERSITYGW=path/to/versitygw and MINIO=path/to/minio add these comparisons
	$(GO) run ./bench/s3 $(if $(VERSITYGW),-versitygw "$(abspath $(VERSITYGW))") $(if $(MINIO),-minio "$(abspath $(MINIO))")

# The public suites of DynamoDB: from where, and which commit. Their own lock files name tarballs that are gone.
CONFORMANCE      ?= https://github.com/nubo-db/dynamodb-conformance
CONFORMANCE_HASH := 0ba4393668860db921afa5728feffe68b55e3e93
DYNALITE         ?= https://github.com/mhart/dynalite
DYNALITE_HASH    := 58d0955a5441ed294a92ce7bb109d7b2d88da1a1

# suite FROM HASH fetches a suite into the folder of the target.
define suite
	rm -rf $(@D) && git clone --quiet $(1) $(@D) && git -C $(@D) checkout --quiet --detach $(2)
	cd $(@D) && $(NPM) install --silent --ignore-scripts --no-package-lock
	touch $@
endef

.tools/dynamodb-conformance/.done:
	$(call suite,$(CONFORMANCE),$(CONFORMANCE_HASH))

.tools/dynalite/.done:
	$(call suite,$(DYNALITE),$(DYNALITE_HASH))

FUNCTION_CLIENTS := .tools/function-clients
COPY             := mvn -q -B dependency:copy -DoutputDirectory=$(abspath $(FUNCTION_CLIENTS))/java -Dartifact=com.amazonaws

test-clients-functions: clients ## AWS's runtime clients for Java, Node.js (built with autoconf, automake, libtool, cmake and node's headers), Rust and Python, as packages and in images
	mkdir -p $(FUNCTION_CLIENTS)/java $(FUNCTION_CLIENTS)/node
	$(COPY):aws-lambda-java-runtime-interface-client:2.7.0
	$(COPY):aws-lambda-java-core:1.3.0
	$(COPY):aws-lambda-java-serialization:1.2.0
	javac --release 11 -d $(FUNCTION_CLIENTS)/java -cp '$(FUNCTION_CLIENTS)/java/*' internal/runtimes/testdata/javaclient/Hello.java
	cd $(FUNCTION_CLIENTS)/node && npm_config_nodedir=/usr $(NPM) install --silent --no-package-lock --prefix . aws-lambda-ric@3.3.0
	cargo build --quiet --release --manifest-path internal/runtimes/testdata/lambdarust/Cargo.toml --target-dir $(abspath $(FUNCTION_CLIENTS))/rust
	FUNCTION_CLIENTS="$(abspath $(FUNCTION_CLIENTS))" $(GO) test -count=1 -v -run AWSClientFor ./internal/runtimes

DEPLOY_TOOLS := .tools/deploy-tools

test-clients-deploy: clients ## the CDK CLI, the Serverless Framework (osls) and the SAM CLI deploy, change and delete projects
	mkdir -p $(DEPLOY_TOOLS)/js
	cd $(DEPLOY_TOOLS)/js && $(NPM) install --silent --no-package-lock --prefix . aws-cdk@2.1148.1 aws-cdk-lib@2.276.0 constructs@10.8.1 osls@4.3.1
	test -x $(DEPLOY_TOOLS)/sam/bin/sam || $(PYTHON) -m venv $(DEPLOY_TOOLS)/sam
	$(DEPLOY_TOOLS)/sam/bin/pip install --quiet --disable-pip-version-check aws-sam-cli==1.170.0
	DEPLOY_TOOLS="$(abspath $(DEPLOY_TOOLS))" $(GO) test -count=1 -timeout 30m -v ./test/clients/deploy

DYNAMODB_CLIENTS := .tools/dynamodb-clients

test-clients-dynamodb: clients ## programs that use tables through PynamoDB, ElectroDB and the SDKs for JavaScript, Go and Java
	mkdir -p $(DYNAMODB_CLIENTS)/js $(DYNAMODB_CLIENTS)/java/classes
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(DYNAMODB_CLIENTS)/python pynamodb==6.1.0
	cp test/clients/dynamodb/js/package.json $(DYNAMODB_CLIENTS)/js && cd $(DYNAMODB_CLIENTS)/js && $(NPM) install --silent --no-package-lock
	cd test/clients/dynamodb/go && $(GO) build -o $(abspath $(DYNAMODB_CLIENTS))/go-client .
	mvn -q -B -f test/clients/dynamodb/java/pom.xml -DoutputDirectory=$(abspath $(DYNAMODB_CLIENTS))/java/lib dependency:copy-dependencies
	javac --release 17 -d $(DYNAMODB_CLIENTS)/java/classes -cp '$(DYNAMODB_CLIENTS)/java/lib/*' test/clients/dynamodb/java/src/main/java/lambent/*.java
	DYNAMODB_CLIENTS="$(abspath $(DYNAMODB_CLIENTS))" $(GO) test -count=1 -v ./test/clients/dynamodb

S3_CLIENTS := .tools/s3-clients

test-clients-s3: clients ## programs that use objects through the SDKs for JavaScript, Go and Java, s3cmd and rclone (Debian packages of these names), and the photo-board
	mkdir -p $(S3_CLIENTS)/js $(S3_CLIENTS)/java/classes
	cp test/clients/s3/js/package.json $(S3_CLIENTS)/js && cd $(S3_CLIENTS)/js && $(NPM) install --silent --no-package-lock
	cd test/clients/s3/go && $(GO) build -o $(abspath $(S3_CLIENTS))/go-client .
	mvn -q -B -f test/clients/s3/java/pom.xml -DoutputDirectory=$(abspath $(S3_CLIENTS))/java/lib dependency:copy-dependencies
	javac --release 17 -d $(S3_CLIENTS)/java/classes -cp '$(S3_CLIENTS)/java/lib/*' test/clients/s3/java/src/main/java/lambent/*.java
	S3_CLIENTS="$(abspath $(S3_CLIENTS))" $(GO) test -count=1 -timeout 20m -v ./test/clients/s3

EVENT_CLIENTS := .tools/event-clients

test-clients-events: clients ## programs that use queues, topics, buses and streams through Celery, sns-validator, sqs-consumer, Spring Cloud AWS and the SDKs for JavaScript, Go and Java
	mkdir -p $(EVENT_CLIENTS)/js $(EVENT_CLIENTS)/java/classes
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --upgrade --target $(EVENT_CLIENTS)/python 'celery[sqs]==5.7.0'
	cp test/clients/events/js/package.json $(EVENT_CLIENTS)/js && cd $(EVENT_CLIENTS)/js && $(NPM) install --silent --no-package-lock
	cd test/clients/events/go && $(GO) build -o $(abspath $(EVENT_CLIENTS))/go-client .
	mvn -q -B -f test/clients/events/java/pom.xml -DoutputDirectory=$(abspath $(EVENT_CLIENTS))/java/lib dependency:copy-dependencies
	javac --release 17 -d $(EVENT_CLIENTS)/java/classes -cp '$(EVENT_CLIENTS)/java/lib/*' test/clients/events/java/src/main/java/lambent/*.java
	EVENT_CLIENTS="$(abspath $(EVENT_CLIENTS))" $(GO) test -count=1 -v ./test/clients/events

test-dynamodb: .tools/dynamodb-conformance/.done .tools/dynalite/.done ## the public suites of DynamoDB, fetched at pinned commits, against Lambent
	DYNAMODB_SUITE="$(abspath .tools/dynamodb-conformance)" DYNALITE="$(abspath .tools/dynalite)" $(GO) test -count=1 -timeout 30m -v ./test/compat/dynamodb

compat-s3: ## the public S3 suite in the program TOOL (see test/compat/s3) against Lambent
	@test -n "$(TOOL)" || { echo "usage: make compat-s3 TOOL=path/to/versitygw"; exit 2; }
	S3_SUITE="$(abspath $(TOOL))" $(GO) test -count=1 -timeout 20m -v ./test/compat/s3

compat-bodies: ## the store of bodies on versitygw, whose program is TOOL
	@test -n "$(TOOL)" || { echo "usage: make compat-bodies TOOL=path/to/versitygw"; exit 2; }
	S3_TOOL="$(abspath $(TOOL))" $(GO) test -count=1 ./internal/blob/s3

# AWS's own transform of serverless templates, for its test cases.
SAM      ?= https://github.com/aws/serverless-application-model
SAM_HASH := 7000d0a3b0e5e0d9fca014ce135850718aad1290

.tools/sam/.done:
	rm -rf $(@D) && git clone --quiet --no-checkout $(SAM) $(@D) && git -C $(@D) checkout --quiet $(SAM_HASH) -- tests/translator
	touch $@

H2SPEC := github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible

compat-h2: ## h2spec, a public suite for HTTP/2, against the listener
	GOBIN=$(abspath .tools) CGO_ENABLED=0 $(GO) install $(H2SPEC)
	H2SPEC="$(abspath .tools)/h2spec" $(GO) test -count=1 -timeout 10m -v ./test/compat/h2spec

compat-sam: .tools/sam/.done ## the test cases of AWS's transform of serverless templates, fetched at a pinned commit, against Lambent's
	SAM_TRANSLATOR="$(abspath .tools/sam)" $(GO) test -count=1 -v ./test/compat/sam

# The public suites of queues, topics, buses, schedules, pipes and streams: from where, and which commit.
MINISTACK      ?= https://github.com/ministackorg/ministack
MINISTACK_HASH := f1bdbd8c2c3b9f10a45adf239a4c85d980fac085
FLOCI          ?= https://github.com/floci-io/floci
FLOCI_HASH     := a2389e7733249102c9736cfb3698cf409f41bc4b
EVENT_SUITES   := .tools/event-suites

compat-events: $(EVENT_SUITES)/.done ## the public suites of SQS, SNS, EventBridge, Scheduler, Pipes, Kinesis, Firehose and networks of EC2, fetched at pinned commits, against Lambent
	MINISTACK="$(abspath $(EVENT_SUITES))/ministack" FLOCI="$(abspath $(EVENT_SUITES))/floci" EVENTS_PYTHON="$(abspath $(EVENT_SUITES))/venv/bin/python" \
	  $(GO) test -count=1 -timeout 30m -v ./test/compat/events

$(EVENT_SUITES)/.done:
	rm -rf $(@D) && mkdir -p $(@D)
	git clone --quiet $(MINISTACK) $(@D)/ministack && git -C $(@D)/ministack checkout --quiet --detach $(MINISTACK_HASH)
	git clone --quiet $(FLOCI) $(@D)/floci && git -C $(@D)/floci checkout --quiet --detach $(FLOCI_HASH)
	$(PYTHON) -m venv $(@D)/venv
	$(@D)/venv/bin/pip install --quiet --disable-pip-version-check $(BOTO3) pytest==9.2.0 pytest-timeout==2.4.0 pytest-xdist cryptography requests cbor2
	touch $@

# LocalStack's tests, whose answers were recorded of AWS: from where, and which commit. What they have of a newer syntax of Python is written in the old one.
LOCALSTACK       ?= https://github.com/localstack/localstack
LOCALSTACK_HASH  := 8b9a79f05846835cf4dff63ab7eefdde9df83783
APIGATEWAY_SUITE := .tools/apigateway-suite
RECORDED         := LOCALSTACK_SUITE="$(abspath $(APIGATEWAY_SUITE))/tests" LOCALSTACK_PYTHON="$(abspath $(APIGATEWAY_SUITE))/venv/bin/python" $(GO) test -count=1 -v

compat-apigateway: $(APIGATEWAY_SUITE)/.plain ## LocalStack's tests of API Gateway, recorded of AWS and fetched at a pinned commit, against Lambent
	$(RECORDED) -timeout 40m ./test/compat/apigateway

compat-lambda: $(APIGATEWAY_SUITE)/.plain .tools/lambda-sdk/.done ## LocalStack's tests of Lambda, recorded of AWS and fetched at a pinned commit, against Lambent (needs root)
	LAMBDA_SDK="$(abspath .tools/lambda-sdk)" $(RECORDED) -timeout 60m -run LocalStack ./test/compat/lambda

compat-recorded-events: $(APIGATEWAY_SUITE)/.plain ## LocalStack's tests of SQS, SNS, EventBridge, Kinesis, Scheduler, Firehose and CloudWatch, recorded of AWS and fetched at a pinned commit, against Lambent
	$(RECORDED) -timeout 60m -run 'LocalStack/$(SERVICE)' ./test/compat/events

compat-recorded-cloudformation: $(APIGATEWAY_SUITE)/.plain ## LocalStack's tests of CloudFormation, most of them recorded of AWS, fetched at a pinned commit, against Lambent
	$(RECORDED) -timeout 60m -run LocalStack ./test/compat/cloudformation

$(APIGATEWAY_SUITE)/.plain: $(APIGATEWAY_SUITE)/.done
	cd $(@D)/tests/tests/aws/services && sed -i -E 's/^def ([a-z_0-9]+)\[T\]\((\*?[a-z]+):.*$$/def \1(\2):/' cloudformation/conftest.py lambda_/test_lambda.py
	touch $@

$(APIGATEWAY_SUITE)/.done:
	rm -rf $(@D) && mkdir -p $(@D)
	git clone --quiet --no-checkout $(LOCALSTACK) $(@D)/clone && git -C $(@D)/clone checkout --quiet $(LOCALSTACK_HASH) -- tests
	mkdir -p $(@D)/tests && mv $(@D)/clone/tests $(@D)/tests/tests && rm -rf $(@D)/clone
	$(PYTHON) -m venv $(@D)/venv
	$(@D)/venv/bin/pip install --quiet --disable-pip-version-check 'localstack-core[runtime,test]==4.12.0' 'cbor2<5.8' localstack-snapshot==0.3.5 pytest==9.2.0 pytest-timeout==2.4.0 requests
	touch $@

# cfn-lint, for its bad templates: from where, and which commit.
CFN_LINT      ?= https://github.com/aws-cloudformation/cfn-lint
CFN_LINT_HASH := 217397c819d2cebe4c1e836c9ab18fafd0e10135

.tools/cfn-lint/.done:
	rm -rf $(@D) && git clone --quiet --filter=blob:none --no-checkout $(CFN_LINT) $(@D) && git -C $(@D) checkout --quiet $(CFN_LINT_HASH) -- test/fixtures/templates/bad
	touch $@

compat-cfn-lint: .tools/cfn-lint/.done $(VENV)/.done ## the bad templates of cfn-lint, fetched at a pinned commit: each is refused when it is planned, or listed with its reason
	$(GO) build -o .tools/lambent ./cmd/lambent
	$(VENV)/bin/python test/compat/templates/cfnlint.py "$(abspath .tools/lambent)" "$(abspath .tools/cfn-lint)/test/fixtures/templates/bad"

# The SAM CLI, for its test cases of AWS::LanguageExtensions: from where, and which commit.
SAM_CLI       ?= https://github.com/aws/aws-sam-cli
SAM_CLI_HASH  := fe8f8dbb1160abce8ae13e0a4c5f8b456658afd3
EXTENSIONS    := tests/unit/lib/cfn_language_extensions/compatibility

.tools/sam-cli/.done:
	rm -rf $(@D) && git clone --quiet --filter=blob:none --no-checkout $(SAM_CLI) $(@D) && git -C $(@D) checkout --quiet $(SAM_CLI_HASH) -- $(EXTENSIONS)
	touch $@

compat-language-extensions: .tools/sam-cli/.done $(VENV)/.done ## the templates with which the SAM CLI tests AWS::LanguageExtensions, fetched at a pinned commit, against Lambent
	$(GO) build -o .tools/lambent ./cmd/lambent
	$(VENV)/bin/python test/compat/templates/extensions.py "$(abspath .tools/lambent)" "$(abspath .tools/sam-cli)/$(EXTENSIONS)"

# The SDK that AWS's runtimes of Python have.
.tools/lambda-sdk/.done:
	rm -rf $(@D) && $(GO) run ./cmd/lambent runtime sdk python --data-dir $(@D)
	touch $@

# checkout FROM HASH LIST puts the folders of a list into the folder of the target, without their pictures: no sample needs one.
PICTURES := $(foreach ending,png jpg jpeg gif drawio,':(exclude)*.$(ending)')
define checkout
	git clone --quiet --filter=blob:none --no-checkout $(1) $(@D)/clone && git -C $(@D)/clone checkout --quiet $(2) -- $$(grep -v '^#' $(3)) $(PICTURES)
	rm -rf $(@D)/clone/.git && cp -r $(@D)/clone/. $(@D) && rm -rf $(@D)/clone
endef

# Public sample projects: from where, and which commit.
SAMPLES      ?= https://github.com/aws-samples/serverless-patterns
SAMPLES_HASH := fb7b5d06c27d8abb1bd35e52ab7523acf4baab7b

.tools/samples/.done: test/compat/samples/samples.txt
	rm -rf $(@D) && mkdir -p $(@D)
	$(call checkout,$(SAMPLES),$(SAMPLES_HASH),test/compat/samples/samples.txt)
	touch $@

compat-samples: .tools/samples/.done $(VENV)/.done ## public sample projects, each created, left, changed, replaced, rolled back and deleted
	$(GO) build -o .tools/lambent ./cmd/lambent
	$(VENV)/bin/python test/compat/samples/samples.py "$(abspath .tools/lambent)" lambent "$(abspath .tools/samples)"

# Public projects of the CDK and of the Serverless Framework: from where, and which commit.
CDK_SAMPLES       ?= https://github.com/aws-samples/aws-cdk-examples
CDK_SAMPLES_HASH  := bccff1d2775e4b0bf777721c6b41c0107e122f73
OSLS_SAMPLES      ?= https://github.com/serverless/examples
OSLS_SAMPLES_HASH := 22865199326008b9f863cb1ad28bfdddae9a7473

.tools/deploy-samples/.done: test/compat/samples/cdk.txt test/compat/samples/osls.txt
	rm -rf $(@D) && mkdir -p $(@D)
	$(call checkout,$(CDK_SAMPLES),$(CDK_SAMPLES_HASH),test/compat/samples/cdk.txt)
	$(call checkout,$(OSLS_SAMPLES),$(OSLS_SAMPLES_HASH),test/compat/samples/osls.txt)
	cd $(@D) && $(NPM) init -y >/dev/null && $(NPM) install --silent aws-cdk@2.1148.1 aws-cdk-lib@2.276.0 constructs@10.8.1 osls@4.3.1 tsx@4.20.6 esbuild@0.25.12 @types/aws-lambda
	touch $@

compat-tools: .tools/deploy-samples/.done $(VENV)/.done ## public projects of the CDK and the Serverless Framework, deployed by these tools, changed, rolled back and removed
	$(GO) build -o .tools/lambent ./cmd/lambent
	for tool in cdk osls; do $(VENV)/bin/python test/compat/samples/samples.py "$(abspath .tools/lambent)" $$tool "$(abspath .tools/deploy-samples)" || exit 1; done

compat-kcl: ## the Kinesis Client Library against Lambent (needs Maven and a JDK 17)
	KCL=1 $(GO) test -count=1 -timeout 20m -v ./test/compat/kcl

clients: debian $(VENV)/.done test/js/node_modules/.done ## the AWS clients that tests use, in the project's own folders

$(VENV)/.done: Makefile
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check $(BOTO3) $(AWSCLI) $(WEBSOCKETS)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile --upgrade --target $(VENV)/durable $(DURABLE)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile --upgrade --target $(VENV)/ric $(RIC)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile --upgrade --target $(VENV)/debuggers $(DEBUGPY)
	GOBIN=$(abspath $(VENV))/debuggers $(GO) install $(DELVE)
	touch $@

test/js/node_modules/.done: test/js/package-lock.json
	cd test/js && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 $(NPM) ci --silent
	touch $@

# Language runtimes and a browser come from the system. Root installs them; anybody else is told how.
debian:
	@missing=""; \
	for pair in chromium:chromium node:nodejs npm:npm python3:python3 javac:default-jdk-headless ruby:ruby; do \
	  command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair##*:}"; \
	done; \
	test -n "$$missing" || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	else \
	  echo "The tests need:$$missing. Install with: sudo apt-get install$$missing"; exit 1; \
	fi
