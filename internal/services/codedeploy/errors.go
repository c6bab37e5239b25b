package codedeploy

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

func fault(code, format string, args ...any) error {
	return service.Errorf(code, format, args...).WithStatus(http.StatusBadRequest)
}

// unsupported refuses something by name.
func unsupported(what, instead string) error {
	return fault("InvalidInputException", "Lambent does not support %s. %s", what, instead)
}

// The codes of what is not there.
const (
	codeNoApplication = "ApplicationDoesNotExistException"
	codeNoGroup       = "DeploymentGroupDoesNotExistException"
	codeNoConfig      = "DeploymentConfigDoesNotExistException"
	codeNoDeployment  = "DeploymentDoesNotExistException"
)

func noApplication(name string) error {
	return fault(codeNoApplication, "No application found for name: %s", name)
}

func noGroup(name string) error {
	return fault(codeNoGroup, "No Deployment Group found for name: %s", name)
}

func noConfig(name string) error {
	return fault(codeNoConfig, "No Deployment Configuration found for name: %s", name)
}

func noDeployment(id string) error {
	return fault(codeNoDeployment, "The deployment %s could not be found", id)
}

func storeError(err error) error {
	return service.StoreError("codedeploy", "InternalFailure", http.StatusInternalServerError, err)
}
