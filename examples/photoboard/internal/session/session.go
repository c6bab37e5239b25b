// Package session signs people in: password hashes, and session tokens that any function can check without
// a look-up.
//
// A token is "payload.signature": the payload is base64url JSON with the user and the time the session ends, and
// the signature its HMAC-SHA256 under the application's key. The key is made by the first function that needs it
// and lives in a table of its own, so that only functions that may read that table can check or make tokens.
package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"photoboard/internal/api"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const keyID = "session"

// Sessions makes and checks tokens.
type Sessions struct {
	db    *dynamodb.Client
	table string

	keyMu sync.Mutex // guards key
	key   []byte
}

// New returns the sessions whose key is in the table named by KEYS_TABLE.
func New(db *dynamodb.Client) *Sessions {
	return &Sessions{db: db, table: os.Getenv("KEYS_TABLE")}
}

type payload struct {
	User string `json:"u"`
	Ends int64  `json:"e"` // Unix seconds
}

// Token returns a token for user that is good for lifetime. It makes the signing key when there is none yet.
func (s *Sessions) Token(ctx context.Context, user string, lifetime time.Duration) (string, error) {
	key, err := s.signingKey(ctx)
	if errors.Is(err, errNoKey) {
		if err = s.makeKey(ctx); err == nil {
			key, err = s.signingKey(ctx)
		}
	}
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(payload{User: user, Ends: time.Now().Add(lifetime).Unix()})
	if err != nil {
		return "", err
	}
	body := base64.RawURLEncoding.EncodeToString(raw)
	return body + "." + base64.RawURLEncoding.EncodeToString(sign(key, body)), nil
}

// User returns the user whose token a request carries in its Authorization header.
func (s *Sessions) User(ctx context.Context, r api.Request) (string, error) {
	refused := api.Errorf(http.StatusUnauthorized, "sign in first")
	token, ok := strings.CutPrefix(r.Headers["authorization"], "Bearer ")
	if !ok {
		return "", refused
	}
	body, signature, ok := strings.Cut(token, ".")
	if !ok {
		return "", refused
	}
	got, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return "", refused
	}
	key, err := s.signingKey(ctx)
	if errors.Is(err, errNoKey) {
		return "", refused
	}
	if err != nil {
		return "", err
	}
	if !hmac.Equal(got, sign(key, body)) {
		return "", refused
	}
	var p payload
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil || json.Unmarshal(raw, &p) != nil || time.Now().Unix() >= p.Ends {
		return "", refused
	}
	return p.User, nil
}

func sign(key []byte, body string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(body))
	return m.Sum(nil)
}

var errNoKey = errors.New("there is no session key yet")

// signingKey returns the key, read once for the life of the process.
func (s *Sessions) signingKey(ctx context.Context) ([]byte, error) {
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	if s.key != nil {
		return s.key, nil
	}
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &s.table,
		Key:            map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: keyID}},
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("read the session key: %w", err)
	}
	key, ok := out.Item["key"].(*types.AttributeValueMemberB)
	if !ok {
		return nil, errNoKey
	}
	s.key = key.Value
	return s.key, nil
}

// makeKey stores a new random key unless another function was faster.
func (s *Sessions) makeKey(ctx context.Context) error {
	key := make([]byte, 32)
	rand.Read(key) // never fails: crypto/rand
	_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table,
		Item: map[string]types.AttributeValue{
			"id":  &types.AttributeValueMemberS{Value: keyID},
			"key": &types.AttributeValueMemberB{Value: key},
		},
		ConditionExpression: aws.String("attribute_not_exists(id)"),
	})
	var lost *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &lost) {
		return fmt.Errorf("store the session key: %w", err)
	}
	return nil
}
