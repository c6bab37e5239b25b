// Command account is the function that signs people up and in.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"photoboard/internal/api"
	"photoboard/internal/session"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	hours, err := strconv.Atoi(os.Getenv("SESSION_HOURS"))
	if err != nil {
		log.Fatalf("SESSION_HOURS: %v", err)
	}
	db := dynamodb.NewFromConfig(cfg)
	a := &accounts{
		db: db, table: os.Getenv("USERS_TABLE"),
		sessions: session.New(db), lifetime: time.Duration(hours) * time.Hour,
	}
	api.Serve(map[string]api.Handler{"POST /signup": a.signUp, "POST /signin": a.signIn})
}

type accounts struct {
	db       *dynamodb.Client
	table    string
	sessions *session.Sessions
	lifetime time.Duration
}

type credentials struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,30}$`)

func (a *accounts) signUp(ctx context.Context, r api.Request) (api.Response, error) {
	c, err := read(r)
	if err != nil {
		return api.Response{}, err
	}
	if !validName.MatchString(c.Name) {
		return api.Response{}, api.Errorf(http.StatusBadRequest, "a name has 2 to 31 letters, digits, dots, dashes or underscores")
	}
	if len(c.Password) < 8 || len(c.Password) > 200 {
		return api.Response{}, api.Errorf(http.StatusBadRequest, "a password has 8 to 200 characters")
	}
	_, err = a.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &a.table,
		Item: map[string]types.AttributeValue{
			"name":     &types.AttributeValueMemberS{Value: c.Name},
			"password": &types.AttributeValueMemberS{Value: session.HashPassword(c.Password)},
			"created":  &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Unix(), 10)},
		},
		ConditionExpression:      aws.String("attribute_not_exists(#name)"),
		ExpressionAttributeNames: map[string]string{"#name": "name"},
	})
	var taken *types.ConditionalCheckFailedException
	if errors.As(err, &taken) {
		return api.Response{}, api.Errorf(http.StatusConflict, "the name %s is taken", c.Name)
	}
	if err != nil {
		return api.Response{}, fmt.Errorf("store user: %w", err)
	}
	return a.welcome(ctx, http.StatusCreated, c.Name)
}

func (a *accounts) signIn(ctx context.Context, r api.Request) (api.Response, error) {
	c, err := read(r)
	if err != nil {
		return api.Response{}, err
	}
	var hash string
	if validName.MatchString(c.Name) {
		out, err := a.db.GetItem(ctx, &dynamodb.GetItemInput{
			TableName:      &a.table,
			Key:            map[string]types.AttributeValue{"name": &types.AttributeValueMemberS{Value: c.Name}},
			ConsistentRead: aws.Bool(true),
		})
		if err != nil {
			return api.Response{}, fmt.Errorf("read user: %w", err)
		}
		if v, ok := out.Item["password"].(*types.AttributeValueMemberS); ok {
			hash = v.Value
		}
	}
	if len(c.Password) > 200 || !session.CheckPassword(hash, c.Password) {
		return api.Response{}, api.Errorf(http.StatusUnauthorized, "name and password do not match")
	}
	return a.welcome(ctx, http.StatusOK, c.Name)
}

func (a *accounts) welcome(ctx context.Context, status int, name string) (api.Response, error) {
	token, err := a.sessions.Token(ctx, name, a.lifetime)
	if err != nil {
		return api.Response{}, err
	}
	return api.JSON(status, map[string]string{"name": name, "token": token})
}

func read(r api.Request) (credentials, error) {
	var c credentials
	err := api.Decode(r, &c)
	c.Name = strings.ToLower(strings.TrimSpace(c.Name))
	return c, err
}
