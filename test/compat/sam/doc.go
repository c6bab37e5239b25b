// Package sam runs the public test cases of AWS's own transform of serverless templates, aws/serverless-application-model (Apache-2.0), against Lambent's. They are
// not part of this repository: `make compat-sam` fetches them at a pinned commit.
//
// Each template of tests/translator/input is transformed for one region of three partitions; what comes out must equal the file in tests/translator/output, but
// for the order of lists, which AWS's test ignores too. The templates whose names begin with error_ must be refused with the same message. failures.txt lists the cases that
// are expected to differ, each under the reason: a case that differs and is not listed fails the run, and so does a listed one that does not, so that the list only gets
// shorter.
package sam
