// Command dynamodb uses the AWS SDK for Go v2 as people do: attributevalue for their structs, and the expression builder. It prints ok.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type order struct {
	Customer string            `dynamodbav:"customer"`
	Number   int               `dynamodbav:"number"`
	Tags     []string          `dynamodbav:"tags,stringset,omitempty"`
	Lines    []line            `dynamodbav:"lines"`
	Extra    map[string]string `dynamodbav:"extra,omitempty"`
	Raw      []byte            `dynamodbav:"raw,omitempty"`
	Made     time.Time         `dynamodbav:"made,unixtime"`
	Note     *string           `dynamodbav:"note"`
	Kind     string            `dynamodbav:"kind,omitempty"`
}

type line struct {
	SKU   string  `dynamodbav:"sku"`
	Price float64 `dynamodbav:"price"`
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func run(ctx context.Context) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	db := dynamodb.NewFromConfig(cfg)
	table := aws.String("go-orders")
	_, err = db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("customer"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("number"), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("customer"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("number"), KeyType: types.KeyTypeRange}},
	})
	if err != nil {
		return err
	}
	if err := dynamodb.NewTableExistsWaiter(db).Wait(ctx, &dynamodb.DescribeTableInput{TableName: table}, time.Minute); err != nil {
		return err
	}
	first := order{
		Customer: "ann", Number: 1, Tags: []string{"a", "b"}, Lines: []line{{"x", 1.25}}, Extra: map[string]string{"k": "v"}, Raw: []byte{0, 255}, Made: time.Unix(1_795_000_000, 0),
	}
	if err := put(ctx, db, table, first, nil); err != nil {
		return err
	}
	absent := expression.AttributeNotExists(expression.Name("customer"))
	var failed *types.ConditionalCheckFailedException
	if err := put(ctx, db, table, first, &absent); !errors.As(err, &failed) {
		return fmt.Errorf("a second put: %w", err)
	}
	for i := range 30 {
		if err := put(ctx, db, table, order{Customer: "bob", Number: i, Made: first.Made, Kind: fmt.Sprint("k", i)}, nil); err != nil {
			return err
		}
	}
	return errors.Join(read(ctx, db, table, first), update(ctx, db, table), page(ctx, db, table), transact(ctx, db, table))
}

func put(ctx context.Context, db *dynamodb.Client, table *string, o order, condition *expression.ConditionBuilder) error {
	item, err := attributevalue.MarshalMap(o)
	if err != nil {
		return err
	}
	in := &dynamodb.PutItemInput{TableName: table, Item: item}
	if condition != nil {
		e, err := expression.NewBuilder().WithCondition(*condition).Build()
		if err != nil {
			return err
		}
		in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.Condition(), e.Names(), e.Values()
	}
	_, err = db.PutItem(ctx, in)
	return err
}

func key(customer string, number int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"customer": &types.AttributeValueMemberS{Value: customer}, "number": &types.AttributeValueMemberN{Value: fmt.Sprint(number)}}
}

func read(ctx context.Context, db *dynamodb.Client, table *string, want order) error {
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: key(want.Customer, want.Number), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return err
	}
	var got order
	if err := attributevalue.UnmarshalMap(out.Item, &got); err != nil {
		return err
	}
	if !got.Made.Equal(want.Made) {
		return fmt.Errorf("made %s, want %s", got.Made, want.Made)
	}
	got.Made = want.Made
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("read %+v, want %+v", got, want)
	}
	return nil
}

func update(ctx context.Context, db *dynamodb.Client, table *string) error {
	e, err := expression.NewBuilder().
		WithUpdate(expression.Set(expression.Name("lines[0].price"), expression.Name("lines[0].price").Plus(expression.Value(0.75))).
			Set(expression.Name("extra.new"), expression.IfNotExists(expression.Name("extra.new"), expression.Value("n"))).
			Remove(expression.Name("raw")).Delete(expression.Name("tags"), expression.Value(&types.AttributeValueMemberSS{Value: []string{"a"}}))).
		WithCondition(expression.Name("lines[0].sku").Equal(expression.Value("x")).And(expression.Size(expression.Name("tags")).GreaterThan(expression.Value(1)))).Build()
	if err != nil {
		return err
	}
	out, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: table, Key: key("ann", 1), UpdateExpression: e.Update(), ConditionExpression: e.Condition(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		ReturnValues: types.ReturnValueAllNew,
	})
	if err != nil {
		return err
	}
	var got order
	if err := attributevalue.UnmarshalMap(out.Attributes, &got); err != nil {
		return err
	}
	if got.Lines[0].Price != 2 || got.Extra["new"] != "n" || got.Raw != nil || !reflect.DeepEqual(got.Tags, []string{"b"}) {
		return fmt.Errorf("updated to %+v", got)
	}
	return nil
}

func page(ctx context.Context, db *dynamodb.Client, table *string) error {
	e, err := expression.NewBuilder().WithKeyCondition(expression.Key("customer").Equal(expression.Value("bob")).And(expression.KeyBetween(expression.Key("number"), expression.Value(5), expression.Value(24)))).
		WithFilter(expression.Name("kind").In(expression.Value("k6"), expression.Value("k8"), expression.Value("k24"))).WithProjection(expression.NamesList(expression.Name("number"))).Build()
	if err != nil {
		return err
	}
	pages := dynamodb.NewQueryPaginator(db, &dynamodb.QueryInput{
		TableName: table, KeyConditionExpression: e.KeyCondition(), FilterExpression: e.Filter(), ProjectionExpression: e.Projection(), ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
		Limit: aws.Int32(6),
	})
	var found []order
	n := 0
	for ; pages.HasMorePages(); n++ {
		p, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		var some []order
		if err := attributevalue.UnmarshalListOfMaps(p.Items, &some); err != nil {
			return err
		}
		found = append(found, some...)
	}
	if len(found) != 3 || found[0].Number != 6 || found[2].Number != 24 || n != 4 {
		return fmt.Errorf("%d pages with %+v", n, found)
	}
	return nil
}

func transact(ctx context.Context, db *dynamodb.Client, table *string) error {
	_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Delete: &types.Delete{TableName: table, Key: key("bob", 1)}},
		{ConditionCheck: &types.ConditionCheck{TableName: table, Key: key("no", 1), ConditionExpression: aws.String("attribute_exists(customer)")}},
	}})
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) || len(canceled.CancellationReasons) != 2 || *canceled.CancellationReasons[1].Code != "ConditionalCheckFailed" {
		return fmt.Errorf("the transaction: %w", err)
	}
	return nil
}
