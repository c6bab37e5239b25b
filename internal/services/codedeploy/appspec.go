package codedeploy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"

	"go.yaml.in/yaml/v3"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/opt"
)

// appSpec is what a revision says: which alias of a function moves from which version to which, and which functions are asked before and after, see
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-example.html#appspec-file-example-lambda.
type appSpec struct {
	Function, Alias, Current, Target string
	Before, After                    string
}

// appSpecFile is the form of the document, in JSON or YAML.
type appSpecFile struct {
	Version   any `yaml:"version"`
	Resources []map[string]struct {
		Type       string `yaml:"Type"`
		Properties struct {
			Name           string `yaml:"Name"`
			Alias          string `yaml:"Alias"`
			CurrentVersion string `yaml:"CurrentVersion"`
			TargetVersion  string `yaml:"TargetVersion"`
		} `yaml:"Properties"`
	} `yaml:"Resources"`
	Hooks []map[string]string `yaml:"Hooks"`
}

func badRevision(format string, args ...any) error {
	return fault("InvalidRevisionException", format, args...)
}

// content returns the text of a revision.
func content(l *api.RevisionLocation) (string, error) {
	switch {
	case l == nil:
		return "", fault("RevisionRequiredException", "A revision is needed.")
	case l.RevisionType == api.RevisionLocationTypeAppSpecContent && l.AppSpecContent != nil:
		return checked(l.AppSpecContent.Content, l.AppSpecContent.Sha256)
	case l.RevisionType == api.RevisionLocationTypeString && l.String != nil:
		return checked(l.String.Content, l.String.Sha256)
	case l.RevisionType == api.RevisionLocationTypeS3 || l.RevisionType == api.RevisionLocationTypeGitHub:
		return "", unsupported("revisions of the type "+l.RevisionType, "Use AppSpecContent.")
	}
	return "", badRevision("The revision has no content of the type %s.", l.RevisionType)
}

func checked(text, sum *string) (string, error) {
	if hash := sha256.Sum256([]byte(opt.Value(text))); sum != nil && *sum != hex.EncodeToString(hash[:]) {
		return "", badRevision("The sha256 of the revision is not that of its content.")
	}
	return opt.Value(text), nil
}

func parse(text string) (appSpec, error) {
	var f appSpecFile
	if err := yaml.Unmarshal([]byte(text), &f); err != nil {
		return appSpec{}, badRevision("The AppSpec is neither JSON nor YAML of the form that is wanted: %v", err)
	}
	if len(f.Resources) != 1 || len(f.Resources[0]) != 1 {
		return appSpec{}, badRevision("The AppSpec must have one resource, and has %d.", len(f.Resources))
	}
	var spec appSpec
	for name, r := range f.Resources[0] {
		p := r.Properties
		if r.Type != "AWS::Lambda::Function" {
			return spec, badRevision("The resource %s of the AppSpec must be of the type AWS::Lambda::Function, and is of the type %s.", name, cmp.Or(r.Type, "(none)"))
		}
		spec.Function, spec.Alias, spec.Current, spec.Target = p.Name, p.Alias, p.CurrentVersion, p.TargetVersion
	}
	for what, value := range map[string]string{"Name": spec.Function, "Alias": spec.Alias, "CurrentVersion": spec.Current, "TargetVersion": spec.Target} {
		if value == "" {
			return spec, badRevision("The AppSpec lacks the property %s of its resource.", what)
		}
	}
	for _, hooks := range f.Hooks {
		for event, function := range hooks {
			switch event {
			case beforeAllowTraffic:
				spec.Before = function
			case afterAllowTraffic:
				spec.After = function
			default:
				return spec, badRevision("The hook %s is none of %s and %s.", event, beforeAllowTraffic, afterAllowTraffic)
			}
		}
	}
	return spec, nil
}

// text writes the document, without hooks.
func (a appSpec) text() string {
	var f appSpecFile
	_ = yaml.Unmarshal([]byte("version: 0.0\nResources: [{function: {Type: AWS::Lambda::Function}}]"), &f) // it is well-formed
	r := f.Resources[0]["function"]
	r.Properties.Name, r.Properties.Alias, r.Properties.CurrentVersion, r.Properties.TargetVersion = a.Function, a.Alias, a.Current, a.Target
	f.Resources[0]["function"] = r
	b, _ := yaml.Marshal(f) // texts only
	return string(b)
}
