// Package secretsmanager is AWS Secrets Manager: named secrets with versions, which functions rotate.
//
// # Keys
//
// All keys begin with ("secretsmanager", kind, account, region), then:
//
//	"s", name            a secret (record): what it is, and which version has which stage
//	"v", name, version   a version (record), its value sealed
//
// # Stages
//
// A stage is on one version at most, since the secret's record holds the version of each stage. When AWSCURRENT moves, the version that had it gets
// AWSPREVIOUS.
//
// # Values
//
// The value of a version is sealed with a data key of the key service, under the secret's key or alias/aws/secretsmanager, bound to the secret's ARN and the
// version's id: who reads a value needs the right to decrypt with that key. Data keys are made and opened outside of transactions.
//
// # Rotation
//
// A rotation is a durable job that calls the function step by step. A step that fails ends the try; the job is tried again, from the first step, and gives up
// after some tries until the next date of the schedule. Functions must bear that, as on AWS.
//
// # Replicas
//
// A replica is a secret of its own in another region, with the same name and suffix, whose values are sealed under a key of that region. Every change of the primary secret
// is written to its replicas in the same transaction.
//
// # Secrets of services
//
// Another service may own a secret ([port.Secrets]): it makes, changes and deletes it in its own transactions. Users see and read it with the rights that secrets need, and change
// nothing but its tags and its policy.
//
// # What it is not
//
// Secrets of other vendors that Secrets Manager manages (Type, ExternalSecretRotation…) and AWS's own rotation functions (HostedRotationLambda) are refused.
//
// # Locks
//
// None: all state is in the store.
package secretsmanager
