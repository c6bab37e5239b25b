// Package attr holds DynamoDB attribute values and items in their stored form, and is the one codec between that form and
// the JSON of the DynamoDB API.
//
// A [Value] and a [Map] are byte slices: what comes from a request is turned into them once, what is stored is
// them, and an answer is written from them, with no tree of Go values between. The zero value of both (nil) means absent.
//
// # The stored form
//
//	value   = tag payload
//	payload = nothing                        NULL, BOOL (one tag each for true and false)
//	        | uvarint length, bytes          S, B, N
//	        | u32 length, u32 count, elems   SS, NS, BS (elem = uvarint length, bytes), L (elem = value), M (elem = entry)
//	entry   = uvarint length, name, value
//	map     = u32 count, entries             a Map is an M without tag and length
//
// Integers of fixed size are big-endian. The form is canonical: entries are sorted by name, sets by their elements, and a
// number has one encoding, so two values are equal exactly when their bytes are. A number's bytes also sort like the
// number, which is why [AppendSortKey] copies them into store keys.
//
// # Invalid input
//
// JSON that is malformed, or of the wrong shape, is refused by DecodeJSON with a [SyntaxError]. What is well formed but breaks a rule of
// DynamoDB (an empty set, a number with too many digits) becomes an invalid Map or Value that carries the message, because DynamoDB
// reports it after other checks of the request: ask with Err before using what was decoded. No other function accepts
// an invalid one.
//
// The package does not check the limits of an item (400 KB) or of keys; package dynamodb does.
package attr
