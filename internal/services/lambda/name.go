package lambda

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// latest is the qualifier of the unpublished version.
const latest = "$LATEST"

// latestPublished is the qualifier of the version that a function on a capacity provider has besides numbered ones: it is published again and again, and is what
// invocations without a qualifier get, https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-version-publishing.html.
const latestPublished = "$LATEST.PUBLISHED"

// ref names a function, with a version or alias if the qualifier is not empty.
type ref struct {
	scope
	name, qualifier string
}

// function is the ARN without a qualifier.
func (r ref) function() string {
	return "arn:aws:lambda:" + r.region + ":" + r.account + ":function:" + r.name
}

// arn is the ARN with the qualifier, if there is one.
func (r ref) arn() string {
	if r.qualifier == "" {
		return r.function()
	}
	return r.function() + ":" + r.qualifier
}

// with returns r with another qualifier.
func (r ref) with(qualifier string) ref {
	r.qualifier = qualifier
	return r
}

// qualified is r with the qualifier that an empty one stands for.
func (r ref) qualified() ref {
	if r.qualifier == "" {
		r.qualifier = latest
	}
	return r
}

func scopeOf(ctx context.Context) scope {
	r := service.RequestFrom(ctx)
	return scope{r.Account, r.Region}
}

// parseRef reads the name of a function in the forms that the API accepts: a name, a partial ARN (account:function:name) or an ARN,
// each with or without a qualifier behind a colon (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html). The qualifier parameter must
// not contradict. As on AWS, the word function may be missing in an ARN, and the last word of an ARN without a name is taken for the name.
func parseRef(ctx context.Context, name string, qualifier *string) (ref, error) {
	here := scopeOf(ctx)
	r := ref{scope: here}
	parts := strings.Split(name, ":")
	switch {
	case parts[0] == "arn":
		if len(parts) < 6 || parts[2] != "lambda" || parts[5] != "function" && len(parts) > 6 {
			return r, badName(name)
		}
		if parts[3] != here.region && here.region != "" {
			return r, notFound("Functions from '%s' are not reachable in this region ('%s')", parts[3], here.region)
		}
		r.region, r.account = parts[3], parts[4]
		if parts = parts[5:]; len(parts) > 1 {
			parts = parts[1:]
		}
	case len(parts) >= 3 && parts[1] == "function":
		r.account = parts[0]
		parts = parts[2:]
	case len(parts) >= 2 && parts[0] == "function":
		parts = parts[1:]
	}
	if len(parts) > 2 || parts[0] == "" {
		return r, badName(name)
	}
	r.name = parts[0]
	if len(parts) == 2 {
		r.qualifier = parts[1]
	}
	if qualifier != nil && *qualifier != "" {
		if r.qualifier != "" && r.qualifier != *qualifier {
			return r, invalid("The derived qualifier from the function name does not match the specified qualifier.")
		}
		r.qualifier = *qualifier
	}
	return r, nil
}

func badName(name string) error {
	return validation("Value '%s' at 'functionName' failed to satisfy constraint: Member must be a function name or a function ARN", name)
}

// maxName is the most characters that the name of a function may have.
const maxName = 64

// newName is parseRef for the name of a function that is to be made.
func newName(ctx context.Context, name string) (ref, error) {
	r, err := unqualified(ctx, name)
	if err == nil && len(r.name) > maxName {
		err = invalid("1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to %d", r.name, maxName)
	}
	return r, err
}

// isNumber tells whether a qualifier is the number of a published version.
func isNumber(q string) bool {
	return q != "" && strings.Trim(q, "0123456789") == ""
}

// isPublished tells whether a qualifier names a published version.
func isPublished(q string) bool { return isNumber(q) || q == latestPublished }

// unqualified is parseRef for operations on functions as a whole.
func unqualified(ctx context.Context, name string) (ref, error) {
	r, err := parseRef(ctx, name, nil)
	if err == nil && r.qualifier != "" {
		err = invalid("This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.")
	}
	return r, err
}
