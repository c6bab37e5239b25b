package client

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"lambent.dev/lambent/internal/lib/attr"
)

// Table is a table as DescribeTable shows it, as far as the command line needs it.
type Table struct {
	TableName, TableStatus, TableArn string
	ItemCount, TableSizeBytes        int64
	KeySchema                        []KeyAttribute
	AttributeDefinitions             []struct{ AttributeName, AttributeType string }
	GlobalSecondaryIndexes           []TableIndex
	LocalSecondaryIndexes            []TableIndex
	StreamSpecification              *struct{ StreamViewType string }
	LatestStreamArn                  string
}

// TableIndex is a secondary index of a table.
type TableIndex struct {
	IndexName string
	KeySchema []KeyAttribute
	ItemCount int64
}

// KeyAttribute is an attribute of a key schema: its type is HASH or RANGE.
type KeyAttribute struct{ AttributeName, KeyType string }

// Type returns the type of a key attribute: S, N or B; empty for another attribute.
func (t *Table) Type(attribute string) string {
	for _, d := range t.AttributeDefinitions {
		if d.AttributeName == attribute {
			return d.AttributeType
		}
	}
	return ""
}

// Keys returns the key schema of the table, or of one of its indexes.
func (t *Table) Keys(index string) ([]KeyAttribute, error) {
	if index == "" {
		return t.KeySchema, nil
	}
	for _, list := range [][]TableIndex{t.GlobalSecondaryIndexes, t.LocalSecondaryIndexes} {
		for _, ix := range list {
			if ix.IndexName == index {
				return ix.KeySchema, nil
			}
		}
	}
	return nil, fmt.Errorf("the table %s has no index %s", t.TableName, index)
}

// dynamodb calls an operation of DynamoDB.
func (c *Client) dynamodb(ctx context.Context, operation string, in, out any) error {
	return c.json(ctx, "dynamodb", "DynamoDB_20120810."+operation, in, out)
}

// Tables returns the names of all tables.
func (c *Client) Tables(ctx context.Context) (names []string, err error) {
	in := map[string]any{}
	for {
		var out struct {
			TableNames             []string
			LastEvaluatedTableName *string
		}
		if err := c.dynamodb(ctx, "ListTables", in, &out); err != nil {
			return nil, err
		}
		if names = append(names, out.TableNames...); out.LastEvaluatedTableName == nil {
			return names, nil
		}
		in["ExclusiveStartTableName"] = *out.LastEvaluatedTableName
	}
}

// Table describes a table.
func (c *Client) Table(ctx context.Context, name string) (*Table, error) {
	var out struct{ Table Table }
	err := c.dynamodb(ctx, "DescribeTable", map[string]any{"TableName": name}, &out)
	return &out.Table, err
}

// Item returns an item by its key, or nil.
func (c *Client) Item(ctx context.Context, table string, key attr.Map) (attr.Map, error) {
	var out struct{ Item attr.Map }
	err := c.dynamodb(ctx, "GetItem", map[string]any{"TableName": table, "Key": key, "ConsistentRead": true}, &out)
	return out.Item, err
}

// PutItem writes an item.
func (c *Client) PutItem(ctx context.Context, table string, item attr.Map) error {
	return c.dynamodb(ctx, "PutItem", map[string]any{"TableName": table, "Item": item}, &struct{}{})
}

// DeleteItem removes an item, and tells whether there was one.
func (c *Client) DeleteItem(ctx context.Context, table string, key attr.Map) (bool, error) {
	var out struct{ Attributes attr.Map }
	err := c.dynamodb(ctx, "DeleteItem", map[string]any{"TableName": table, "Key": key, "ReturnValues": "ALL_OLD"}, &out)
	return out.Attributes != nil, err
}

// maxBatch is how many items BatchWriteItem takes.
const maxBatch = 25

// PutItems writes items.
func (c *Client) PutItems(ctx context.Context, table string, items []attr.Map) error {
	for len(items) > 0 {
		n := min(len(items), maxBatch)
		requests := make([]any, n)
		for i, item := range items[:n] {
			requests[i] = map[string]any{"PutRequest": map[string]any{"Item": item}}
		}
		var out struct{ UnprocessedItems map[string]any }
		if err := c.dynamodb(ctx, "BatchWriteItem", map[string]any{"RequestItems": map[string]any{table: requests}}, &out); err != nil {
			return err
		}
		if len(out.UnprocessedItems) > 0 {
			return fmt.Errorf("the table %s takes no more writes now: its throughput is used up", table)
		}
		items = items[n:]
	}
	return nil
}

// Read calls Query or Scan with in until there is nothing left or limit items were read (0 for all), and passes each item to each.
func (c *Client) Read(ctx context.Context, operation string, in map[string]any, limit int, each func(attr.Map) error) error {
	for n := 0; ; {
		var out struct {
			Items            []attr.Map
			LastEvaluatedKey attr.Map
		}
		if limit > 0 {
			in["Limit"] = limit - n
		}
		if err := c.dynamodb(ctx, operation, in, &out); err != nil {
			return err
		}
		for _, item := range out.Items {
			n++
			if err := each(item); err != nil {
				return err
			}
		}
		if out.LastEvaluatedKey == nil || limit > 0 && n >= limit {
			return nil
		}
		in["ExclusiveStartKey"] = out.LastEvaluatedKey
	}
}

// Execute runs a PartiQL statement to the end of its result.
func (c *Client) Execute(ctx context.Context, statement string, each func(attr.Map) error) error {
	in := map[string]any{"Statement": statement}
	for {
		var out struct {
			Items     []attr.Map
			NextToken *string
		}
		if err := c.dynamodb(ctx, "ExecuteStatement", in, &out); err != nil {
			return err
		}
		for _, item := range out.Items {
			if err := each(item); err != nil {
				return err
			}
		}
		if out.NextToken == nil {
			return nil
		}
		in["NextToken"] = *out.NextToken
	}
}

// Contributor is a key with what it was counted for: units of capacity, or requests that were refused.
type Contributor struct {
	Key   attr.Map `json:"key"`
	Count float64  `json:"count"`
}

// Contributors are the keys of a table or an index with most traffic.
type Contributors struct {
	Since               time.Time     `json:"since"`
	Partitions          []Contributor `json:"partitions"`
	Items               []Contributor `json:"items"`
	ThrottledPartitions []Contributor `json:"throttledPartitions"`
	ThrottledItems      []Contributor `json:"throttledItems"`
}

// Contributors returns the keys with most traffic of a table, or of an index of it when that is not empty. Only the root user may look.
func (c *Client) Contributors(ctx context.Context, account, table, index string, limit int) (*Contributors, error) {
	out := &Contributors{}
	query := url.Values{"index": {index}, "limit": {strconv.Itoa(limit)}}
	return out, c.admin(ctx, "/_lambent/dynamodb/contributors/"+account+"/"+url.PathEscape(c.Region)+"/"+url.PathEscape(table)+"?"+query.Encode(), out)
}
