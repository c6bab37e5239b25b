// Package ssm is the Parameter Store of AWS Systems Manager: named, versioned values, in the clear or encrypted.
//
// # Keys
//
// All keys begin with ("ssm", kind, account, region), then:
//
//	"p", path            a parameter (record): what it is, and its current version
//	"v", path, version   one version (record): its value and labels; 100 are kept
//
// path is the name with one slash in front, since "name" and "/name" are the same parameter. Paths sort by level, so that what is below one is a span.
//
// The value of a SecureString is sealed with a data key of the key service, bound to the parameter's ARN; the wrapped data key lies beside it.
//
// Names below /aws/service are AWS's public parameters. They follow from rules (public.go) and have no rows. Names below /aws/reference/secretsmanager
// are the values of secrets, read from Secrets Manager by the caller's own right.
//
// # What it is not
//
// The rest of Systems Manager (documents, maintenance windows, sessions, inventories, …) has no handlers. Parameters cannot be shared with other accounts.
//
// # Locks
//
// None: all state is in the store.
package ssm
