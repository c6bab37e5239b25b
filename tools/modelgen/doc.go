// Command modelgen writes the packages internal/awsapi/<name> from the AWS API
// models that botocore carries.
//
//	go run ./tools/modelgen -models DIR          write the packages
//	go run ./tools/modelgen -models DIR -check   fail if they are not up to date
//
// DIR is botocore's data folder, botocoreVersion of which is pinned here; get it
// with `pip download botocore==VERSION` and unpack the wheel. Which APIs are
// taken, and in what they differ from their models, is in catalog.go.
//
// What is written depends on the models alone, so that a diff of the tree shows
// what AWS changed. The schemas are packed, since together they are 2.6 MB of the
// program otherwise; git shows their text with
//
//	git config diff.gzip.textconv "gzip --decompress --stdout"
//
// No documentation text of a model is carried over.
package main

// botocoreVersion is the release whose models are in the tree.
const botocoreVersion = "1.43.11"
