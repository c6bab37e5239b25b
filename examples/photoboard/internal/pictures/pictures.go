// Package pictures is what the functions agree on about boards and pictures: ids, object keys and table rows.
package pictures

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"photoboard/internal/api"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Sizes are the copies made of each picture: their names, and the longest side in pixels.
var Sizes = map[string]int{"thumb": 360, "large": 1600}

// NewID returns an id that cannot be guessed.
func NewID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}

// UploadKey returns the object key under which an upload arrives. The id is a nonce made for this one upload.
func UploadKey(board, id string) string { return board + "/" + id }

// ParseUploadKey is the inverse of UploadKey.
func ParseUploadKey(key string) (board, id string, err error) {
	board, id, ok := strings.Cut(key, "/")
	if !ok || board == "" || id == "" {
		return "", "", fmt.Errorf("object key %q is not board/picture", key)
	}
	return board, id, nil
}

// CopyKey returns the object key of a resized copy.
func CopyKey(id, size string) string { return id + "/" + size + ".jpg" }

// OwnBoard returns the board's row if it belongs to owner. A board of somebody else looks like one that is not there.
// The table's key is (owner, id), so that the look-up is the check.
func OwnBoard(ctx context.Context, db *dynamodb.Client, owner, board string) (map[string]types.AttributeValue, error) {
	if board == "" {
		return nil, errors.New("no board in the path")
	}
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(os.Getenv("BOARDS_TABLE")),
		Key: map[string]types.AttributeValue{
			"owner": &types.AttributeValueMemberS{Value: owner},
			"id":    &types.AttributeValueMemberS{Value: board},
		},
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("read board: %w", err)
	}
	if out.Item == nil {
		return nil, api.Errorf(http.StatusNotFound, "you have no such board")
	}
	return out.Item, nil
}

// Text returns a string attribute, or "".
func Text(item map[string]types.AttributeValue, name string) string {
	if v, ok := item[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

// Number returns a number attribute in its decimal form, or "0".
func Number(item map[string]types.AttributeValue, name string) string {
	if v, ok := item[name].(*types.AttributeValueMemberN); ok {
		return v.Value
	}
	return "0"
}
