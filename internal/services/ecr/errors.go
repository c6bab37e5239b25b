package ecr

import (
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// The service's error codes (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html and each operation's page).
const (
	codeInvalid     = "InvalidParameterException"
	codeExists      = "RepositoryAlreadyExistsException"
	codeNoRepo      = "RepositoryNotFoundException"
	codeNoPolicy    = "RepositoryPolicyNotFoundException"
	codeNoLifecycle = "LifecyclePolicyNotFoundException"
	codeNoImage     = "ImageNotFoundException"
	codeManyTags    = "TooManyTagsException"
	codeServer      = "ServerException"
)

func invalid(format string, args ...any) error {
	return service.Errorf(codeInvalid, "Invalid parameter at "+format, args...).WithStatus(http.StatusBadRequest)
}

func refuse(code, format string, args ...any) error {
	return service.Errorf(code, format, args...).WithStatus(http.StatusBadRequest)
}

func noRepository(p place, name string) error {
	return refuse(codeNoRepo, "The repository with name '%s' does not exist in the registry with id '%s'", name, p.account)
}

func tooManyTags(name string) error {
	return refuse(codeManyTags, "The repository '%s' may have at most %d tags.", strings.TrimSpace(name), maxTags)
}

func storeError(err error) error {
	return service.StoreError("ecr", codeServer, http.StatusInternalServerError, err)
}
