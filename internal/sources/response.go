package sources

import (
	"encoding/json"
	"slices"
)

// reported reads a function's report of the records that it failed on
// (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting). An answer without a report is a success.
// ok is false for a report that cannot be right: then the whole batch has failed.
func reported(payload []byte) (ids []string, ok bool) {
	var answer any
	if len(payload) == 0 {
		return nil, true
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return nil, false
	}
	switch v := answer.(type) {
	case nil:
		return nil, true
	case string:
		return nil, v == ""
	case []any:
		return nil, len(v) == 0
	case map[string]any:
		return failures(v["batchItemFailures"])
	}
	return nil, false
}

func failures(list any) (ids []string, ok bool) {
	if list == nil {
		return nil, true
	}
	items, ok := list.([]any)
	if !ok {
		return nil, false
	}
	for _, item := range items {
		entry, ok := item.(map[string]any)
		if !ok {
			return nil, false
		}
		id, ok := entry["itemIdentifier"].(string)
		if !ok || id == "" {
			return nil, false
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, true
}
