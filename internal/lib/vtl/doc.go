// Package vtl is the Velocity Template Language as API Gateway runs it: the mapping templates of integrations
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings.html).
//
// [Parse] compiles a template once; [Template.Render] runs it, from any number of goroutines. Variables live in slots that are numbered
// when the template is compiled, so that a run looks no names up.
//
// The language is Velocity 1.x with the differences that recorded renders of API Gateway show (testdata/renders.json):
//
//   - A reference that leads to nothing is the empty string: it prints nothing, is true in a condition and equals "".
//   - Only false (and the literal null) is false in a condition; 0, "" and empty collections are true.
//   - There are no macros: the definition prints nothing, and a call such as #name($x) is printed as it stands, as is #evaluate.
//   - Strings have no escapes but the doubled quote. A double-quoted string is itself a template.
//   - A directive eats the rest of its line if that is blank, but not its indentation. Blanks between a directive and #set are eaten.
//   - Names may contain hyphens, so $a-1 is one name.
//
// Values are string, bool, int64, float64, nil, [*List], [*Map] and whatever implements [Object]. A JSON document keeps the order of its
// members; its arrays print as JSON and its objects as {k=v}, as those of the JSON library behind API Gateway do.
//
// A run is bounded by [Limits]: steps, bytes of output, bytes of all the text it makes, and the depth of nesting. Regular expressions are
// those of RE2, which cannot be made to run for long; look-around and back-references are refused.
package vtl
