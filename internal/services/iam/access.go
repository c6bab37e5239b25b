package iam

import (
	"context"
	"reflect"
	"strings"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// access names what each operation needs. The action is the operation's name; the resource
// follows from the name or ARN that the input carries.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
func (s *IAM) access() map[string]service.Access {
	h := s.handlers()
	out := map[string]service.Access{}
	for _, b := range h.Bindings() {
		if b.Call == nil {
			continue
		}
		action := "iam:" + b.Name
		out[b.Name] = service.Access{Action: action, Targets: func(ctx context.Context, in any) ([]service.Target, error) {
			return s.targets(ctx, reflect.ValueOf(in).Elem())
		}}
	}
	return out
}

// targets finds the resource of an input by the field that names it.
func (s *IAM) targets(ctx context.Context, in reflect.Value) ([]service.Target, error) {
	t := service.Target{ARN: "*"}
	acct := account(ctx)
	switch {
	case textOf(in, "RoleName") != "" && !in.FieldByName("InstanceProfileName").IsValid():
		t.ARN = s.nameOf(ctx, role, textOf(in, "RoleName"), textOf(in, "Path"))
	case textOf(in, "GroupName") != "":
		t.ARN = s.nameOf(ctx, group, textOf(in, "GroupName"), textOf(in, "Path"))
	case textOf(in, "UserName") != "":
		t.ARN = s.nameOf(ctx, user, textOf(in, "UserName"), textOf(in, "Path"))
	case textOf(in, "InstanceProfileName") != "":
		t.ARN = "arn:aws:iam::" + acct + ":instance-profile/" + textOf(in, "InstanceProfileName")
	case textOf(in, "PolicySourceArn") != "":
		t.ARN = textOf(in, "PolicySourceArn")
	case textOf(in, "PolicyName") != "":
		path := textOf(in, "Path")
		if path == "" {
			path = "/"
		}
		t.ARN = "arn:aws:iam::" + acct + ":policy" + path + textOf(in, "PolicyName")
	case textOf(in, "ServerCertificateName") != "":
		t.ARN = s.certificateNamed(ctx, textOf(in, "ServerCertificateName"), textOf(in, "Path"))
	case textOf(in, "VirtualMFADeviceName") != "":
		path := textOf(in, "Path")
		if path == "" {
			path = "/"
		}
		t.ARN = mfaARN(acct, path, textOf(in, "VirtualMFADeviceName"))
	case textOf(in, "SerialNumber") != "" && !in.FieldByName("UserName").IsValid():
		t.ARN = textOf(in, "SerialNumber")
	case textOf(in, "OpenIDConnectProviderArn") != "":
		t.ARN = textOf(in, "OpenIDConnectProviderArn")
	case textOf(in, "SAMLProviderArn") != "":
		t.ARN = textOf(in, "SAMLProviderArn")
	case textOf(in, "SAMLMetadataDocument") != "":
		t.ARN = samlARN(acct, textOf(in, "Name"))
	case textOf(in, "Url") != "":
		t.ARN = oidcARN(acct, strings.TrimPrefix(textOf(in, "Url"), "https://"))
	case textOf(in, "PolicyArn") != "":
		t.ARN = textOf(in, "PolicyArn")
	case in.FieldByName("UserName").IsValid():
		// A call about the caller itself, which is a user's right only if a policy says so.
		if p := service.RequestFrom(ctx).Principal; p.Kind == service.User {
			t.ARN = p.ARN
		}
	}
	t.Condition = conditions(in)
	return []service.Target{t}, nil
}

// conditions returns iam:PolicyARN, iam:PermissionsBoundary, iam:AWSServiceName and the tag keys.
func conditions(in reflect.Value) map[string][]string {
	out := map[string][]string{}
	if v := textOf(in, "PolicyArn"); v != "" {
		out["iam:PolicyARN"] = []string{v}
	}
	if v := textOf(in, "PermissionsBoundary"); v != "" {
		out["iam:PermissionsBoundary"] = []string{v}
	}
	if v := textOf(in, "AWSServiceName"); v != "" {
		out["iam:AWSServiceName"] = []string{v}
	}
	if tags := in.FieldByName("Tags"); tags.IsValid() && tags.Kind() == reflect.Slice {
		for i := range tags.Len() {
			k := textOf(tags.Index(i), "Key")
			out["aws:RequestTag/"+k] = []string{textOf(tags.Index(i), "Value")}
			out["aws:TagKeys"] = append(out["aws:TagKeys"], k)
		}
	}
	if keys := in.FieldByName("TagKeys"); keys.IsValid() && keys.Kind() == reflect.Slice {
		for i := range keys.Len() {
			out["aws:TagKeys"] = append(out["aws:TagKeys"], keys.Index(i).String())
		}
	}
	return out
}

// textOf returns a string field, or what a string pointer points to; "" when there is none.
func textOf(in reflect.Value, field string) string {
	f := in.FieldByName(field)
	switch {
	case !f.IsValid():
		return ""
	case f.Kind() == reflect.String:
		return f.String()
	case f.Kind() == reflect.Pointer && !f.IsNil() && f.Elem().Kind() == reflect.String:
		return f.Elem().String()
	}
	return ""
}

// nameOf returns the ARN of an entity; one that does not exist yet has the path of the request.
func (s *IAM) nameOf(ctx context.Context, k kind, name, path string) string {
	if path == "" {
		path = "/"
	}
	arn := entityARN(account(ctx), k, path, name)
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		e, err := find(r, account(ctx), k, name)
		if err == nil {
			arn = e.arn()
		}
		return nil //nolint:nilerr // A missing entity keeps the ARN that it would have.
	})
	if err != nil {
		return arn
	}
	return strings.TrimSpace(arn)
}

// certificateNamed returns the ARN of a server certificate; one that does not exist yet has the path of the request.
func (s *IAM) certificateNamed(ctx context.Context, name, path string) string {
	if c, err := s.viewCertificate(ctx, name); err == nil {
		return c.arn()
	}
	if path == "" {
		path = "/"
	}
	return certificateARN(account(ctx), path, name)
}
