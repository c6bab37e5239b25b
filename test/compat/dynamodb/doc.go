// Package dynamodb runs a public conformance suite for DynamoDB against Lambent.
//
// The suite is nubo-db/dynamodb-conformance (MIT; later paritysuite/dynamodb-conformance, Apache-2.0): tests in TypeScript with the AWS SDK for
// JavaScript, whose expectations were recorded from AWS. It is not part of this repository: fetch it, run `npm ci` in its folder, then
//
//	make compat-dynamodb DIR=path/to/dynamodb-conformance
//
// failures.txt lists the tests that are expected to fail, each with its reason. A test that fails and is not listed fails the run, and so does a listed one that
// passes, so that the list only gets shorter.
package dynamodb
