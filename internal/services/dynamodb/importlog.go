package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/service"
)

// Errors of imports are told in a log group of the account, one stream for each import
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Requesting.html#S3DataImport.Requesting.ErrorHandling). The principal that imports needs
// permission for that; without it errors are only counted.
const importLogGroup = "/aws-dynamodb/imports"

// maxLoggedErrors is how many errors of an import are told.
const maxLoggedErrors = 10_000

// importError is an error of an import as its log tells it.
type importError struct {
	Import string   `json:"importArn"`
	Item   pointer  `json:"itemS3Pointer"`
	Errors []string `json:"errorMessages"`
}

// pointer is where an item is.
type pointer struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Index  int64  `json:"itemIndex"`
}

// logErrors tells what is wrong with lines. What was told before a crash may be told again.
func (s *Service) logErrors(ctx context.Context, p place, im *importRecord, lines []importLine) error {
	now := s.clock.Now().UnixMilli()
	told := im.Errors
	var events []logs.InputLogEvent
	for _, l := range lines {
		if l.problem == "" || told >= maxLoggedErrors {
			continue
		}
		told++
		b, err := json.Marshal(importError{imports().arn(p, im.Table, im.ID), pointer{im.Source.S3Bucket, im.Object, l.index}, []string{l.problem}})
		if err != nil {
			return fmt.Errorf("write an error of an import: %w", err)
		}
		events = append(events, logs.InputLogEvent{Timestamp: now, Message: string(b)})
	}
	if len(events) == 0 || im.Unlogged {
		return nil
	}
	err := s.putLogEvents(ctx, im, events)
	var refused *service.Error
	if errors.As(err, &refused) {
		im.Unlogged = true
		return nil
	}
	return err
}

// putLogEvents writes events to the stream of an import, which it makes for the first ones.
func (s *Service) putLogEvents(ctx context.Context, im *importRecord, events []logs.InputLogEvent) error {
	if !im.Logged {
		_, group := s.door.Call(ctx, logs.API.Name, "CreateLogGroup", &logs.CreateLogGroupInput{LogGroupName: importLogGroup})
		_, stream := s.door.Call(ctx, logs.API.Name, "CreateLogStream", &logs.CreateLogStreamInput{LogGroupName: importLogGroup, LogStreamName: im.ID})
		for _, err := range []error{group, stream} {
			if err != nil && service.Code(err) != "ResourceAlreadyExistsException" {
				return err
			}
		}
		im.Logged = true
	}
	_, err := s.door.Call(ctx, logs.API.Name, "PutLogEvents", &logs.PutLogEventsInput{LogGroupName: importLogGroup, LogStreamName: im.ID, LogEvents: events})
	return err
}
