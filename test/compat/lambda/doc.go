// Package lambda holds Lambda's control plane against answers that were recorded on AWS.
//
// testdata/recorded has one file for each group of cases. They state what the recordings of LocalStack's public tests state
// (tests/aws/services/lambda_/test_lambda_api.snapshot.json, Apache-2.0): the calls in their order, and what AWS answered. Names of groups and
// cases are those of the recordings. A case is
//
//	= NAME
//	> Operation {input}
//	< STATUS KEY {output}          the whole output, or
//	< STATUS KEY Code: message     the error, or
//	<                              any success, or
//	< !                            any error
//
// In an output <word> stands for a value that is not known beforehand; the same word is the same value everywhere in its case, and different
// numbers of one word are different values. An input refers to the output of the n-th call of its case with ${n.path}. "@zip x" is a zip file,
// "@text x" the bytes of a text, "@role" the ARN of a role that exists, "@repeat c n" the character c n times. The values of an enumeration in a
// message may stand in any order, and the product may know more of them: runtimes come and go. The group about retired runtimes is asked of a platform with
// strict-runtimes; others accept them.
//
// Not here are the recordings about event source mappings and container images; SnapStart of runtimes that are not run (dotnet); those that need buckets, networks or packages of many
// megabytes; those of updates while another one is going on, which takes no time here; and those that compare nothing.
//
// The lists of folder localstack name the tests that fail when LocalStack's tests of Lambda themselves run against a Lambent, with the reasons:
//
//	make compat-lambda
//
// What goes wrong for want of AWS's images, or of a version of a language that this machine does not have, is listed as well.
//
// unmet.txt lists the answers that are not met, each under its reason. One that is not met and not listed fails the test, and so does
// a listed one that is met, so that the list only gets shorter.
package lambda
