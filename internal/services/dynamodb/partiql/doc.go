// Package partiql parses the statements of PartiQL for DynamoDB
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html): SELECT, INSERT, UPDATE, DELETE and EXISTS.
//
// A statement is parsed with its parameters, and becomes what the expressions of the API become: conditions, updates and items of packages expr and
// attr. Which conditions select by key is not decided here, because that depends on the table.
//
// A bare or "quoted" word is a name, a 'quoted' one is a string. Keywords have no case. Statements that are not well formed are refused with an *[Error],
// whose text is DynamoDB's as far as it is known.
package partiql
