// Package ion reads and writes items as Amazon Ion text, in the form of DynamoDB's exports and imports: numbers are decimals, binary values blobs, and sets
// lists with an annotation such as $dynamodb_SS (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html;
// https://amazon-ion.github.io/ion-docs/docs/spec.html).
//
// It is not a library for Ion: what has no place in an item (timestamps, clobs, s-expressions, other annotations, symbol tables) is refused, and the binary form
// is not read, which DynamoDB does not import either.
package ion
