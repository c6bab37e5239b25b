// Command boards is the function that lists and makes boards, and shows the pictures of one.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log"
	"net/http"
	"os"
	"photoboard/internal/api"
	"photoboard/internal/pictures"
	"photoboard/internal/session"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A board shows its newest pictures, up to pageSize.
const pageSize = 200

// Picture URLs work for an hour; the page asks for new ones when it is open for longer.
const urlLifetime = time.Hour

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	db := dynamodb.NewFromConfig(cfg)
	b := &boards{
		db: db, sessions: session.New(db), presign: s3.NewPresignClient(s3.NewFromConfig(cfg)),
		boardsTable: os.Getenv("BOARDS_TABLE"), picturesTable: os.Getenv("PICTURES_TABLE"), copies: os.Getenv("COPIES_BUCKET"),
	}
	api.Serve(map[string]api.Handler{
		"GET /boards":         b.list,
		"POST /boards":        b.create,
		"GET /boards/{board}": b.show,
	})
}

type boards struct {
	db                         *dynamodb.Client
	sessions                   *session.Sessions
	presign                    *s3.PresignClient
	boardsTable, picturesTable string
	copies                     string
}

type board struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Created int64  `json:"created"`
}

type picture struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	// Thumb and Large are URLs of the copies; Error says why there are none.
	Thumb string `json:"thumb,omitempty"`
	Large string `json:"large,omitempty"`
	Error string `json:"error,omitempty"`
}

func (b *boards) list(ctx context.Context, r api.Request) (api.Response, error) {
	user, err := b.sessions.User(ctx, r)
	if err != nil {
		return api.Response{}, err
	}
	list := []board{}
	pages := dynamodb.NewQueryPaginator(b.db, &dynamodb.QueryInput{
		TableName:                 &b.boardsTable,
		KeyConditionExpression:    aws.String("#owner = :owner"),
		ExpressionAttributeNames:  map[string]string{"#owner": "owner"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":owner": &types.AttributeValueMemberS{Value: user}},
		ConsistentRead:            aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return api.Response{}, fmt.Errorf("list boards: %w", err)
		}
		for _, item := range page.Items {
			list = append(list, asBoard(item))
		}
	}
	return api.JSON(http.StatusOK, map[string]any{"boards": list})
}

func (b *boards) create(ctx context.Context, r api.Request) (api.Response, error) {
	user, err := b.sessions.User(ctx, r)
	if err != nil {
		return api.Response{}, err
	}
	var in struct {
		Title string `json:"title"`
	}
	if err := api.Decode(r, &in); err != nil {
		return api.Response{}, err
	}
	title := strings.TrimSpace(in.Title)
	if title == "" || len(title) > 200 {
		return api.Response{}, api.Errorf(http.StatusBadRequest, "a board has a title of 1 to 200 bytes")
	}
	// Ids begin with the time, so that a person's boards are listed in the order they were made.
	now := time.Now()
	id := fmt.Sprintf("%011x%s", now.UnixMilli(), pictures.NewID()[:12])
	item := map[string]types.AttributeValue{
		"owner":   &types.AttributeValueMemberS{Value: user},
		"id":      &types.AttributeValueMemberS{Value: id},
		"title":   &types.AttributeValueMemberS{Value: title},
		"created": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Unix(), 10)},
	}
	_, err = b.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &b.boardsTable, Item: item, ConditionExpression: aws.String("attribute_not_exists(id)"),
	})
	if err != nil {
		return api.Response{}, fmt.Errorf("store board: %w", err)
	}
	return api.JSON(http.StatusCreated, asBoard(item))
}

func (b *boards) show(ctx context.Context, r api.Request) (api.Response, error) {
	user, err := b.sessions.User(ctx, r)
	if err != nil {
		return api.Response{}, err
	}
	id := r.PathParameters["board"]
	row, err := pictures.OwnBoard(ctx, b.db, user, id)
	if err != nil {
		return api.Response{}, err
	}
	out, err := b.db.Query(ctx, &dynamodb.QueryInput{
		TableName:                 &b.picturesTable,
		IndexName:                 aws.String("byBoard"),
		KeyConditionExpression:    aws.String("board = :board"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":board": &types.AttributeValueMemberS{Value: id}},
		ScanIndexForward:          aws.Bool(false),
		Limit:                     aws.Int32(pageSize),
	})
	if err != nil {
		return api.Response{}, fmt.Errorf("list pictures: %w", err)
	}

	// The tag follows the pictures and not their URLs, which are new at every call: a page that asks again and
	// again gets an empty 304 until something happens, and keeps the pictures it has.
	tag := etag(id, out.Items)
	if r.Headers["if-none-match"] == tag {
		return api.Response{StatusCode: http.StatusNotModified, Headers: map[string]string{"etag": tag}}, nil
	}
	list := []picture{}
	for _, item := range out.Items {
		p, err := b.picture(ctx, item)
		if err != nil {
			return api.Response{}, err
		}
		list = append(list, p)
	}
	answer, err := api.JSON(http.StatusOK, map[string]any{"board": asBoard(row), "pictures": list})
	if err == nil {
		answer.Headers["etag"] = tag
	}
	return answer, err
}

func (b *boards) picture(ctx context.Context, item map[string]types.AttributeValue) (picture, error) {
	p := picture{ID: pictures.Text(item, "id"), Name: pictures.Text(item, "name"), Error: pictures.Text(item, "error")}
	p.Width, _ = strconv.Atoi(pictures.Number(item, "width"))
	p.Height, _ = strconv.Atoi(pictures.Number(item, "height"))
	if p.Error != "" {
		return p, nil
	}
	for size, to := range map[string]*string{"thumb": &p.Thumb, "large": &p.Large} {
		signed, err := b.presign.PresignGetObject(ctx, &s3.GetObjectInput{
			Bucket: &b.copies, Key: aws.String(pictures.CopyKey(p.ID, size)),
		}, s3.WithPresignExpires(urlLifetime))
		if err != nil {
			return p, fmt.Errorf("sign picture: %w", err)
		}
		*to = signed.URL
	}
	return p, nil
}

func asBoard(item map[string]types.AttributeValue) board {
	created, _ := strconv.ParseInt(pictures.Number(item, "created"), 10, 64)
	return board{ID: pictures.Text(item, "id"), Title: pictures.Text(item, "title"), Created: created}
}

func etag(board string, items []map[string]types.AttributeValue) string {
	h := sha256.New()
	h.Write([]byte(board))
	for _, item := range items {
		h.Write([]byte(pictures.Text(item, "id")))
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:12]) + `"`
}
