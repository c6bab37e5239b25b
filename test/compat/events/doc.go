// Package events runs public suites for queues, topics, buses, schedules, pipes and data streams against Lambent, and the one for networks that comes with them. They are not part of this repository: `make
// compat-events` fetches them at pinned commits and runs them.
//
// MiniStack (ministackorg/ministack, MIT) and Floci (floci-io/floci, MIT) are emulators whose tests speak to a server through boto3. Neither checks permissions, so suite.py, a plugin of
// pytest, grants on behalf of the suites what AWS asks for: policies of queues, and roles. Tests that look inside of the emulator are skipped.
//
// LocalStack's tests (localstack/localstack, Apache-2.0) of SQS, SNS, EventBridge, Kinesis, Scheduler, Firehose and CloudWatch compare what is answered with what was recorded of AWS. `make
// compat-recorded-events` runs them as they run against AWS (see test/pytest/localstack). What the recordings say without the rest of a test is replayed by the tests of the services themselves.
//
// ministack.txt, floci.txt and those of folder localstack, one a service, list the tests that are expected to fail, each with its reason; a name may end with * for all tests of one reason. A test that fails and is not listed fails the run, and
// so does a listed one that passes, so that the lists only get shorter.
package events
