// Package expr parses and runs the expressions of the DynamoDB API: conditions, filters, key conditions, projections and
// updates (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html).
//
// One lexer and recursive-descent parsers, one for each grammar, resolve the placeholders (#name, :value) while they read and
// make small trees, which run against items in their stored form. Expressions are refused with DynamoDB's messages, as an *[Error]: syntax first, then
// the rules in the order in which DynamoDB checks them, whatever their place in the text.
//
// The package knows no tables. What an expression may do with the key of a table is checked by its caller, who asks [Update.Touches] and
// [Condition.KeyTests].
package expr
