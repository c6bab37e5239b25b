package wire

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

// A GET of a queue's URL is for actions on queues; AWS answers others as here.
func TestQueueURLTakesActionsOnQueuesOnly(t *testing.T) {
	for _, tc := range []struct {
		query, code string
		status      int
	}{
		{"", "UnknownOperationException", http.StatusNotFound},
		{"Action=CreateQueue&QueueName=x", "InvalidAction", http.StatusBadRequest},
		{"Action=ListQueues", "InvalidAction", http.StatusBadRequest},
		{"Action=GetQueueUrl&QueueName=x", "", 0},
	} {
		req := &Request{Method: http.MethodGet, RawPath: "/000000000000/q", RawQuery: tc.query, Header: http.Header{}}
		_, err := New(sqs.API, (&sqs.Handlers{}).Bindings()).Match(req)
		var e *service.Error
		errors.As(err, &e)
		switch {
		case tc.code == "" && err != nil, tc.code != "" && (e == nil || e.Code != tc.code || e.Status != tc.status):
			t.Errorf("%q: %v", tc.query, err)
		case tc.code == "InvalidAction" && !strings.HasSuffix(e.Message, "is not valid for this endpoint."):
			t.Errorf("%q: %s", tc.query, e.Message)
		}
	}
}
