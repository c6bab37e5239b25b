package dynamodb

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/lib/uuid"
)

// destinationEvent is a record of a data stream as AWS writes it
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html).
type destinationEvent struct {
	Region   string            `json:"awsRegion"`
	ID       string            `json:"eventID"`
	Name     string            `json:"eventName"`
	Identity *eventIdentity    `json:"userIdentity"`
	Format   string            `json:"recordFormat"`
	Table    string            `json:"tableName"`
	Change   destinationChange `json:"dynamodb"`
	Source   string            `json:"eventSource"`
}

// eventIdentity says that DynamoDB itself deleted an item, as its time to live ended.
type eventIdentity struct {
	Type      string `json:"type"`
	Principal string `json:"principalId"`
}

type destinationChange struct {
	At        int64    `json:"ApproximateCreationDateTime"` // since 1970, in the precision
	Keys      attr.Map `json:"Keys"`
	New       attr.Map `json:"NewImage,omitempty"`
	Old       attr.Map `json:"OldImage,omitempty"`
	Size      int      `json:"SizeBytes"`
	Precision string   `json:"ApproximateCreationDateTimePrecision,omitempty"`
}

// destinationRecord returns the record of a write with some of its images, the old one first.
func (t *table) destinationRecord(d destination, old, item attr.Map, images [2]attr.Map, by origin) ([]byte, error) {
	kind, from := rowModify, item
	switch {
	case old == nil:
		kind = rowInsert
	case item == nil:
		kind, from = rowRemove, old
	}
	c := destinationChange{At: by.at.UnixMilli(), Keys: t.keyOf(from), New: images[1], Old: images[0], Precision: d.Precision}
	c.Size = c.Keys.Size() + images[0].Size() + images[1].Size()
	if d.Precision == ddb.ApproximateCreationDateTimePrecisionMicrosecond {
		c.At = by.at.UnixMicro()
	}
	e := destinationEvent{
		Region: t.place.region, Name: kind.event(), Format: "application/json", Table: t.Name, Change: c, Source: "aws:dynamodb",
		// The same for all of the runs of a transaction, and another for every write.
		ID: uuid.Of(t.ID, strconv.FormatInt(by.at.UnixNano(), 10), string(hashOf(old)), string(hashOf(item))),
	}
	if by.expired {
		e.Identity = &eventIdentity{"Service", "dynamodb.amazonaws.com"}
	}
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write a record for %s: %w", d.Stream, err)
	}
	return b, nil
}

// hashOf returns 16 bytes of a digest.
func hashOf(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:16]
}
