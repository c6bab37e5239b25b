// Package sam expands the AWS::Serverless-2016-10-31 transform: it turns serverless resources into plain CloudFormation ones.
//
// The logical ids it makes are those that AWS makes, so that a stack can move between the two. What it does not know (a
// resource type, a property, an event type) it refuses by name; see [Transform].
//
// The package is pure: values in, values out. It never changes its input. The uploading of code is the packager's work:
// CodeUri must be a location in S3 by the time of the transform.
//
// policies.json holds SAM's policy templates; it is data of the AWS Serverless Application Model, see NOTICE.
package sam
