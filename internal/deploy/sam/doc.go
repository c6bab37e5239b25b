// Package sam expands the AWS::Serverless-2016-10-31 transform: it turns serverless resources into plain CloudFormation ones, as AWS does. A template becomes the same resources
// with the same logical ids and properties, so that a stack can move between the two, and a template that AWS refuses is refused with AWS's message. The proof is
// test/compat/sam: the public test cases of AWS's own program.
//
// What the result needs and Lambent does not have, a resource type or an attribute, is refused by name when it is planned; the transform does not know what that is.
//
// # Way of a template
//
//	read      values in the order of the text (read.go, dict.go)
//	prepare   sections checked, implicit APIs added, Globals merged, connectors of resources made resources (prepare.go, implicit.go, globals.go)
//	expand    one serverless resource after the other: functions, state machines, APIs, others, connectors (transform.go; a file per resource type and kind of event)
//	follow    references to what was replaced (resolve.go)
//	write     values of templates
//
// A resource type is a line in [transform.expanders]: the schema of its properties and the function that makes [resource] values of a [source]. An event type is a line in
// functionEvents or stateMachineEvents. Functions and events that add to an API, a bucket or a user pool change the template's own resource, which is expanded or taken over
// later; that is why there is an order.
//
// # Errors
//
// A fault of a resource is a [problem]: all are found and told at once. A fault that makes the rest meaningless is a [document] and ends the transform.
//
// # Digests
//
// Logical ids of versions and layers end with a digest of JSON as Python writes it (print.go). That of a REST API's deployment is a digest of how Python 2 prints the definition, in the
// order of its hash tables: order.go has that order, [unicode] marks the texts that Python 2 prints with a u, and definitions are copied where AWS's program copies them, since a
// copy is ordered anew. Templates without a REST API are not touched by any of this.
//
// # Data
//
// policies.json holds SAM's policy templates, connectors.json what connectors need, and managed.txt the paths of the policies that AWS manages, by partition; they are data of the AWS
// Serverless Application Model, see NOTICE.
//
// The package is pure: values in, values out. It never changes its input. The uploading of code is the packager's work: CodeUri must be a location in S3 by the time of the transform.
package sam
