// Package cloudcontrol is the AWS Cloud Control API: the resource types of CloudFormation, one resource at a time and without a stack.
//
// A create, an update or a delete is a request: it is checked at once, written with its job in one transaction, and carried out by the job as the principal that asked for it or as the
// role that it passed. A resource type's functions call the service's operations through the door, so a request needs the same permissions as those calls, beside that of the Cloud Control API itself.
// A process that stops anywhere finds the request again; a create is then tried again with the same token and told so, as in a stack.
//
// # Keys
//
// All under "cloudcontrol", account, region (keys.go):
//
//	request time token          [requestRecord], for as long as [keep] says
//	token token                 the key of the request
//	client client-token         the token of the request that has it
//	busy type identifier        the token of the request that works on a resource
//
// # Cancelling
//
// A request that has not begun is cancelled at once. One that is under way is told to stop ([Service.running]) and stays as far as it came: nothing is rolled back, as with AWS.
//
// # Hooks
//
// A request asks the hooks of CloudFormation before it begins. One that they forbid has failed without a call of the resource type; what they said is kept with it.
//
// # What it deliberately is not
//
// Types have one version: TypeVersionId is refused by name.
package cloudcontrol
