// Package recorded replays calls whose answers were recorded from AWS, and compares what Lambent answers.
//
// The calls and the recorded answers are facts taken from the public tests of LocalStack (https://github.com/localstack/localstack, Apache-2.0), which
// record them from AWS. A file holds many cases as a txtar archive. A case is a list of calls, each on a line of its own,
//
//	1250 sqs.ReceiveMessage {"QueueUrl": "…", "MaxNumberOfMessages": 10}
//
// with the time in milliseconds since the case began, followed by what is known of the answer:
//
//	= /Messages/0 {"Body": "hello"}     the part of the answer at a path
//	~ /Status "DONE"                    the call is repeated until the value at a path is this one, for work that goes on after an answer
//	! {"Code": "…", "Message": "…"}     the error, with its "Status" and other members as "Detail" where they are known
//
// An API other than in us-east-1 is written with its region: s3@eu-west-1.CreateBucket. In inputs, {{now+60}} is the time in a minute, and {{3.Messages.0.ReceiptHandle}} is a part of the answer of the third call. In answers, "<name:1>" stands for a text that is not known but is the
// same wherever the case has it; "timestamp", "date" and "datetime" stand for any time, the name of a member in kebab case and "owner-id" for any value, and the account and region are 111111111111 and <region>. A line "ignore A B" names
// members that the recording does not vouch for.
//
// Cases that do not pass are listed with a reason in a file beside, one a line: "name: reason". One that passes although it is listed fails the test.
package recorded
