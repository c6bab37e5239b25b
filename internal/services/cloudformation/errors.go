package cloudformation

import (
	"errors"
	"strings"

	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
)

// The error codes are those of https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html and of the operations.

func invalid(format string, args ...any) error {
	return service.Errorf("ValidationError", format, args...).WithStatus(400)
}

func noStack(name string) error { return invalid("Stack with id %s does not exist", name) }

func unsupported(operation, parameter string) error {
	return service.Unsupported("ValidationError", operation, parameter)
}

// visible turns a template's error into one for the client.
func visible(err error) error {
	var e *template.Error
	if errors.As(err, &e) {
		return invalid("%s", e.Error())
	}
	return err
}

func noChangeSet(name string) error {
	return service.Errorf("ChangeSetNotFound", "ChangeSet [%s] does not exist", name).WithStatus(404)
}

func lacking(capabilities []string) error {
	return service.Errorf("InsufficientCapabilitiesException", "Requires capabilities : [%s]", strings.Join(capabilities, ", ")).WithStatus(400)
}

func exists(name string) error {
	return service.Errorf("AlreadyExistsException", "Stack [%s] already exists", name).WithStatus(400)
}
