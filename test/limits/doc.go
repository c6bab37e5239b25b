// Package limits holds what AWS refuses of calls to queues, topics, buses, schedules, pipes and streams, line by line: every limit of size, count, name, batch, attribute,
// delay, pattern and cron that has an error of its own.
//
// A file of testdata is one service. Its calls are made in order, through boto3 without its own checks, against a Lambent of the file's own:
//
//	CreateQueue {"QueueName": "q"}                      must be taken
//	events.PutRule {…}                                  a call of another service
//	CreateQueue {"QueueName": "<<repeat "a" 81>>"}      must be refused:
//	! InvalidParameterValue Can only include            with this code, and this within its message
//
// In inputs, <<repeat TEXT N>> is a text again and again, and <<list N TEXT>> a list of N times TEXT, in which %d counts from zero.
//
// The codes, and the texts that are given, are those of AWS: of recordings in LocalStack's tests (Apache-2.0), of the API models, and of the pages of AWS's API references.
// Where a text is not known from one of them, the code alone is asked for.
package limits
