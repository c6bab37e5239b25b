// Package s3 holds Lambent's object store against what was recorded on AWS, and runs a public conformance suite for S3 against it.
//
// # Recorded answers
//
// testdata/recorded.txtar states what the recordings of LocalStack's public tests of S3 state (Apache-2.0; see package recorded), as calls of boto3, and
// testdata/recorded_expected.txt lists the cases that are not met, with reasons. Events are read from a queue that is their destination, or that of a topic or a rule.
// Not in it are cases that send raw HTTP requests (those about CORS and websites are among the requests below), that need functions or bodies of megabytes, and those that compare nothing. The members that a case ignores are the default encryption of AWS's buckets, ETags of
// encrypted objects, and bodies that the recording did not keep.
//
// # Requests
//
// testdata/requests holds requests byte by byte, most of them bad ones, with what AWS answers: the code, the status and the text. A file is an archive of cases for one platform.
// A case is a list of requests, each a line with method and target, headers, the body in lines after "|", fields of a form after "+", and after "@" how it is sent:
//
//	@header at=-16m secret=wrong   signed in the header (the default), by another time, key, secret, region, service or token
//	@query expires=60s, @v2, @none presigned, by Signature Version 2, or by nobody
//	@payload VALUE                 the x-amz-content-sha256
//	@chunk DATA                    a chunk of a signed, chunked body
//	@edit OLD => NEW               a change of the head after it was signed
//	@length N, @half, @bare        another Content-Length; nothing after the body; no Content-MD5 for a document
//
// Behind "=" stand the status, code and text of the answer, behind "~" and "!" what it has and has not, and "> NAME ELEMENT" keeps an element for later lines as
// {{.NAME}}. Lines are templates of text/template; see expand for the functions. The answers are those that LocalStack recorded, that the issues of versitygw quote, that
// AWS documents, or what is known of S3 otherwise.
//
// # The suite
//
// The suite is the test command of versitygw (Apache-2.0), about 900 tests through the AWS SDK for Go. It is a program of its own and not part of
// this repository: install it with `go install github.com/versity/versitygw/cmd/versitygw@v1.8.0`, then
//
//	make compat-s3 TOOL=path/to/versitygw
//
// S3_SUITE_RUN, a regular expression, picks some of the tests by name.
//
// Each test runs in a process of its own, because some of them end the process when a server answers something else than they expect.
//
// failures.txt lists the tests that are expected to fail, and excluded.txt those that are not run because they test versitygw
// itself, each under its reason. A test that fails and is not listed fails the run, and so does a listed one that passes, so that the list only gets shorter.
package s3
