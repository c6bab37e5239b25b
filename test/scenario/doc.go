// Package scenario runs scripts through unmodified AWS clients against the real binary.
//
// A script is a testscript file in testdata whose first comment line is the promise that it holds, in a user's words. Each runs once per client, with
// a Lambent of its own in an empty folder. Besides testscript's own commands it has:
//
//	call SERVICE Operation JSON   make a call; ${VAR} is expanded inside of the JSON, which may be quoted with '
//	! call …                      the call must fail, and the next line says how:
//	error CODE [TEXT]             the code of the failure, and a part of its message
//	want PATH VALUE               a value of the last answer, such as Item.id.S or Contents.0.Key
//	want PATH absent              the last answer has no such value
//	match PATH REGEXP             a value of the last answer matches
//	until [-match] PATH VALUE SERVICE Operation JSON   repeat a call until the value of its answer is this one (or absent), or matches a regular expression, for work that goes on after the answer
//	set VAR PATH                  keep a value of the last answer
//	http METHOD URL [BODY [HEADER: VALUE]…]   an unsigned request; the answer has status and body
//	presign VAR METHOD SERVICE Operation JSON SECONDS   a presigned URL, made by boto3 whatever the client
//	lambent ARG…                  run the command line; ! lambent expects it to fail; stdout and stderr check the output
//	eventually REGEXP ARG…        run the command line until its output matches, for at most 30 s
//	advance DURATION              move the platform's clock, such as 90s or 24h; the time of day by which clients sign stays
//	now VAR [DURATION]            the platform's time, or that much later, in seconds since 1970
//	crash                         kill -9 the platform and start it again on the same data
//
// The clients live as resident processes (package driver), because starting one for each call costs a hundred times more. They do not retry, so that a
// failure looks like what it is. They are boto3 and the AWS SDK for JavaScript, and with -args -sdk boto3,cli,js (make scenarios) the AWS CLI.
package scenario
