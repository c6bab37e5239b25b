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
	var failed *transformError
	if errors.As(err, &failed) {
		return invalid("%s", failed.message)
	}
	return err
}

func noChangeSet(name string) error {
	return service.Errorf("ChangeSetNotFound", "ChangeSet [%s] does not exist", name).WithStatus(404)
}

func lacking(capabilities []string) error {
	return service.Errorf("InsufficientCapabilitiesException", "Requires capabilities : [%s]", strings.Join(capabilities, ", ")).WithStatus(400)
}

func noStackSet(name string) error {
	return service.Errorf("StackSetNotFoundException", "StackSet %s not found", name).WithStatus(404)
}

// isNoSet tells whether err says that a stack set does not exist.
func isNoSet(err error) bool { return service.Code(err) == "StackSetNotFoundException" }

func noInstance(set string, t setTarget) error {
	return service.Errorf("StackInstanceNotFoundException", "Stack instance for account %s in region %s of StackSet %s not found", t.Account, t.Region, set).WithStatus(404)
}

func noSetOperation(id string) error {
	return service.Errorf("OperationNotFoundException", "Operation %s not found", id).WithStatus(404)
}

func badOperation(format string, args ...any) error {
	return service.Errorf("InvalidOperationException", format, args...).WithStatus(400)
}

func exists(name string) error {
	return service.Errorf("AlreadyExistsException", "Stack [%s] already exists", name).WithStatus(400)
}
