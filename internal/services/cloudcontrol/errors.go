package cloudcontrol

import (
	"errors"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudcontrol"
	"lambent.dev/lambent/internal/service"
)

// The error codes and texts are those of https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_CreateResource.html, as recorded of AWS.

func invalid(format string, args ...any) error {
	return service.Errorf("ValidationException", format, args...).WithStatus(http.StatusBadRequest)
}

func noType(name string) error {
	return service.Errorf("TypeNotFoundException", "The type '%s' cannot be found.", name)
}

func noAction(typ, action string) error {
	return service.Errorf("UnsupportedActionException", "Resource type %s does not support %s action", typ, action)
}

func noRequest(token string) error {
	return service.Errorf("RequestTokenNotFoundException", "Request with token %s was not found", token)
}

// hooksFailed is the code of the failure of a request that hooks forbid.
const hooksFailed = "HooksFailed"

// signs are parts of error codes of services, and what a handler calls errors whose code has them. The first that fits counts.
func signs() [][2]string {
	return [][2]string{
		{"NotFound", cloudcontrol.HandlerErrorCodeNotFound},
		{"NoSuch", cloudcontrol.HandlerErrorCodeNotFound},
		{"NonExistent", cloudcontrol.HandlerErrorCodeNotFound},
		{"AlreadyExist", cloudcontrol.HandlerErrorCodeAlreadyExists},
		{"AlreadyOwned", cloudcontrol.HandlerErrorCodeAlreadyExists},
		{"QueueNameExists", cloudcontrol.HandlerErrorCodeAlreadyExists},
		{"ResourceExists", cloudcontrol.HandlerErrorCodeAlreadyExists},
		{"ResourceInUse", cloudcontrol.HandlerErrorCodeAlreadyExists},
		{"Conflict", cloudcontrol.HandlerErrorCodeAlreadyExists},
		{"AccessDenied", cloudcontrol.HandlerErrorCodeAccessDenied},
		{"NotAuthorized", cloudcontrol.HandlerErrorCodeAccessDenied},
		{"AuthorizationError", cloudcontrol.HandlerErrorCodeAccessDenied},
		{"Throttling", cloudcontrol.HandlerErrorCodeThrottling},
		{"TooManyRequests", cloudcontrol.HandlerErrorCodeThrottling},
		{hooksFailed, cloudcontrol.HandlerErrorCodeGeneralServiceException},
		{"LimitExceeded", cloudcontrol.HandlerErrorCodeServiceLimitExceeded},
	}
}

// handlerCode says what kind of failure the error of a resource type is.
func handlerCode(err error) string {
	if errors.Is(err, service.ErrGone) {
		return cloudcontrol.HandlerErrorCodeNotFound
	}
	var e *service.Error
	if !errors.As(err, &e) {
		return cloudcontrol.HandlerErrorCodeInternalFailure
	}
	for _, s := range signs() {
		if strings.Contains(e.Code, s[0]) {
			return s[1]
		}
	}
	if e.Status >= http.StatusInternalServerError {
		return cloudcontrol.HandlerErrorCodeServiceInternalError
	}
	return cloudcontrol.HandlerErrorCodeInvalidRequest
}

// message returns what a client may know of an error.
func message(err error) string {
	var e *service.Error
	if errors.As(err, &e) {
		return e.Message
	}
	if errors.Is(err, service.ErrGone) {
		return "The resource was not found."
	}
	return "Internal failure"
}

// failed returns the error of a handler that a call waits for. A failure of this process stays what it is.
func failed(typ, token string, err error) error {
	kind := handlerCode(err)
	if kind == cloudcontrol.HandlerErrorCodeInternalFailure {
		return err
	}
	code := "GeneralServiceException"
	switch kind {
	case cloudcontrol.HandlerErrorCodeNotFound:
		code = "ResourceNotFoundException"
	case cloudcontrol.HandlerErrorCodeInvalidRequest:
		code = "InvalidRequestException"
	case cloudcontrol.HandlerErrorCodeThrottling:
		code = "ThrottlingException"
	case cloudcontrol.HandlerErrorCodeServiceInternalError:
		code = "ServiceInternalErrorException"
	}
	return service.Errorf(code, "%s Handler returned status FAILED: %s (HandlerErrorCode: %s, RequestToken: %s)", typ, message(err), kind, token)
}
