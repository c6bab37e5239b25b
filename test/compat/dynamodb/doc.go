// Package dynamodb runs public suites for DynamoDB against Lambent. They are not part of this repository: `make test-dynamodb` fetches both at pinned
// commits and runs them.
//
// nubo-db/dynamodb-conformance (MIT; later paritysuite/dynamodb-conformance, Apache-2.0) holds tests in TypeScript with the AWS SDK for JavaScript, whose
// expectations were recorded from AWS. failures.txt lists those that are expected to fail. There are none.
//
// mhart/dynalite (Apache-2.0) has tests that speak HTTP themselves, so they see what an SDK hides: headers, checksums, the errors of malformed requests. They
// are of 2020, and AWS answers many cases with other words today; stale.txt lists them, with the reasons. The suite runs unchanged: shim.cjs puts Lambent
// in the place of the server that it starts.
//
// A test that fails and is not listed fails the run, and so does a listed one that passes, so that the lists only get shorter.
package dynamodb
