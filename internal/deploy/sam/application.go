package sam

import (
	"errors"
	"regexp"
)

// applicationSchema are the properties of AWS::Serverless::Application, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-application.html.
var applicationSchema = schema{
	{"Location", textOrMap, required}, {"TemplateUrl", aText, 0}, {"Parameters", aMap, 0}, {"NotificationARNs", textsOrMaps, 0}, {"Tags", aMap, 0}, {"TimeoutInMinutes", anInteger, 0},
}

type applicationKey struct{ id, version string }

// application is where the template of an application is, or why it is not known.
type application struct {
	url string
	err error
}

var dynamicSSM = regexp.MustCompile(`{{resolve:ssm:[a-zA-Z0-9_.\-/]+(:\d+)?}}`)

// located tells whether a location names an application of the repository.
func located(location *dict) bool {
	return location.get("ApplicationId") != nil && location.get("SemanticVersion") != nil
}

// locateApplications asks for the templates of the applications that the template names.
func (t *transform) locateApplications() error {
	t.applications = map[applicationKey]application{}
	for id, v := range t.resources.all() {
		r := v.(*dict)
		location := r.dict("Properties").dict("Location")
		if !is(r.get("Type"), typeApplication) || !located(location) {
			continue
		}
		for _, k := range []string{"ApplicationId", "SemanticVersion"} {
			v, err := t.resolveBoth(clone(location.get(k)))
			if err != nil {
				return err
			}
			location.set(k, v)
		}
		app, version := location.get("ApplicationId"), location.get("SemanticVersion")
		_, unresolved := app.(*dict)
		if _, also := version.(*dict); unresolved || also {
			continue
		}
		key := applicationKey{compactJSON.format(app), compactJSON.format(version)}
		if _, known := t.applications[key]; !known {
			t.applications[key] = t.locate(id, app, version)
		}
	}
	return nil
}

func (t *transform) locate(id string, app, version any) application {
	name, err := inResource(id, "Location.ApplicationId").text(app)
	if err != nil {
		return application{err: err}
	}
	number, err := inResource(id, "Location.SemanticVersion").text(version)
	switch {
	case err != nil:
		return application{err: err}
	case t.Application == nil:
		return application{err: invalid(id, "Serverless Application Repository is not available in this region.")}
	case dynamicSSM.MatchString(name):
		return application{err: invalid(id, "Serverless Application Repostiory does not support dynamic reference in 'ApplicationId' property.")} //nolint:misspell // AWS's spelling
	}
	url, err := t.Application(name, number)
	if err != nil {
		err = invalid(id, "%v", err)
	}
	return application{url, err}
}

// findApplication writes the URL of an application's template into its properties.
func (t *transform) findApplication(s *source) error {
	if !s.properties.has("Location") {
		return invalid(s.id, "Resource is missing the required [Location] property.")
	}
	location, ok := s.get("Location").(*dict)
	if !ok {
		s.properties.set("TemplateUrl", s.get("Location"))
		return nil
	}
	for _, k := range []string{"ApplicationId", "SemanticVersion"} {
		if !location.has(k) {
			return invalid(s.id, "Resource is missing the required [%s] property.", k)
		}
	}
	app, version := location.get("ApplicationId"), location.get("SemanticVersion")
	if err := inResource(s.id, "ApplicationId").present(app); err != nil {
		return err
	}
	const unresolved = "Property '%s' cannot be resolved. Only FindInMap and Ref intrinsic functions are supported."
	if _, isMap := app.(*dict); isMap {
		return invalid(s.id, unresolved, "ApplicationId")
	}
	if !truthy(version) {
		return invalid(s.id, "Property 'SemanticVersion' cannot be blank.")
	}
	if _, isMap := version.(*dict); isMap {
		return invalid(s.id, unresolved, "SemanticVersion")
	}
	found, known := t.applications[applicationKey{compactJSON.format(app), compactJSON.format(version)}]
	if !known {
		return errors.New("sam: the location of an application was not looked up")
	}
	s.properties.set("TemplateUrl", found.url)
	return found.err
}

// application expands AWS::Serverless::Application into a nested stack.
func (t *transform) application(s *source) ([]*resource, error) {
	marks := newDict()
	if location, ok := s.get("Location").(*dict); ok {
		for _, k := range [][2]string{{"serverlessrepo:applicationId", "ApplicationId"}, {"serverlessrepo:semanticVersion", "SemanticVersion"}} {
			if v := location.get(k[1]); v != nil {
				marks.set(k[0], v)
			}
		}
	}
	tags, err := s.markedTags(marks)
	if err != nil {
		return nil, err
	}
	p := dictOf("TemplateURL", "", "Tags", tags)
	s.copyTo(p, "Parameters", "NotificationARNs", "TimeoutInMinutes")
	if v := s.get("TemplateUrl"); truthy(v) {
		p.set("TemplateURL", v)
	}
	r := s.beside("AWS::CloudFormation::Stack", s.id, p)
	r.dependsOn = s.dependsOn
	return []*resource{r}, nil
}
