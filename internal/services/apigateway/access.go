package apigateway

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/service"
)

// access returns the rules of the management calls: the action is the HTTP method of the call and the resource its path
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html). Both are in the API's model.
func access(operations []awsapi.Binding) map[string]service.Access {
	rules := make(map[string]service.Access, len(operations))
	for _, b := range operations {
		if b.Call != nil {
			rules[b.Name] = service.Access{Action: "apigateway:" + methodOf(b.Name), Targets: targets(b.Name)}
		}
	}
	return rules
}

// methodOf returns the HTTP method of an operation; a test compares it with the model.
func methodOf(operation string) string {
	switch operation {
	case "ImportDocumentationParts", "TagResource":
		return "PUT"
	}
	for _, p := range []struct{ prefix, method string }{
		{"Get", "GET"}, {"Update", "PATCH"}, {"Put", "PUT"}, {"Delete", "DELETE"}, {"Flush", "DELETE"}, {"Untag", "DELETE"},
	} {
		if strings.HasPrefix(operation, p.prefix) {
			return p.method
		}
	}
	return "POST"
}

// targets returns the resource of a call.
func targets(operation string) func(ctx context.Context, in any) ([]service.Target, error) {
	return func(ctx context.Context, in any) ([]service.Target, error) {
		schema, err := aws.API.Schema()
		if err != nil {
			return nil, err
		}
		o := schema.Operation(operation)
		path, err := fill(o, reflect.ValueOf(in).Elem())
		if err != nil {
			return nil, err
		}
		return []service.Target{{ARN: resourceARN(ctx, reflect.ValueOf(in).Elem(), path)}}, nil
	}
}

// resourceARN is the ARN of what a path names. That of a private custom domain name, and of what is below it, has the account and the id of the name
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html).
func resourceARN(ctx context.Context, in reflect.Value, path string) string {
	r := service.RequestFrom(ctx)
	id := ""
	if v := in.FieldByName("DomainNameId"); v.IsValid() && !v.IsNil() {
		id = v.Elem().String()
	}
	if id == "" {
		return "arn:aws:apigateway:" + r.Region + "::" + path
	}
	name := reflect.Indirect(in.FieldByName("DomainName")).String()
	return "arn:aws:apigateway:" + r.Region + ":" + r.Account + ":" + strings.Replace(path, "/domainnames/"+name, "/domainnames/"+domain.Ref(name, id), 1)
}

// fill returns the path of a call with its labels filled in.
func fill(o *awsapi.Operation, in reflect.Value) (string, error) {
	path, _, _ := strings.Cut(o.URI, "?")
	for i := range o.Input.Members {
		m := &o.Input.Members[i]
		if m.Location != awsapi.URI {
			continue
		}
		name := m.WireName
		if name == "" {
			name = m.Name
		}
		v := reflect.Indirect(in.FieldByName(awsapi.FieldName(m.Name, false)))
		if !v.IsValid() || v.Kind() != reflect.String {
			return "", fmt.Errorf("the input of %s has no text %s", o.Name, m.Name)
		}
		value := v.String()
		if strings.HasSuffix(name, "arn") {
			value = url.PathEscape(value)
		}
		path = strings.NewReplacer("{"+name+"}", value, "{"+name+"+}", value).Replace(path)
	}
	return path, nil
}
