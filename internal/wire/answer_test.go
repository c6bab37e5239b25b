package wire_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/wire"
)

// TestErrorsAreNamedAsEachProtocolNamesThem has CloudWatch's answers, as they were recorded: one of its exceptions has the name of another one's code, and what the model refuses has
// a code of its own in the query protocol and for clients that come from it.
func TestErrorsAreNamedAsEachProtocolNamesThem(t *testing.T) {
	a := wire.New(cloudwatch.API, (&cloudwatch.Handlers{}).Bindings())
	notFound, invalid := service.Errorf("ResourceNotFound", ""), service.Errorf("ValidationException", "no")
	for name, tc := range map[string]struct {
		query  bool
		plain  bool // the client does not come from the query protocol
		err    error
		status int
		want   string
		mode   string // X-Amzn-Query-Error
	}{
		"not found in JSON alone": {false, true, notFound, 400, `{"__type":"com.amazonaws.cloudwatch.v2010_08_01#ResourceNotFound"}`, ""},
		"not found in JSON":       {false, false, notFound, 404, `{"__type":"com.amazonaws.cloudwatch.v2010_08_01#ResourceNotFound"}`, "ResourceNotFound;Sender"},
		"not found in query":      {true, false, notFound, 404, "<Error><Type>Sender</Type><Code>ResourceNotFound</Code></Error>", ""},
		"invalid in JSON":         {false, false, invalid, 400, `{"__type":"com.amazon.coral.validate#ValidationException","message":"no"}`, "ValidationError;Sender"},
		"invalid in query":        {true, false, invalid, 400, "<Error><Type>Sender</Type><Code>ValidationError</Code><Message>no</Message></Error>", ""},
		"of a dashboard": {
			false, false, service.Errorf("DashboardNotFoundError", "none"), 404, `{"__type":"com.amazonaws.cloudwatch.v2010_08_01#DashboardNotFoundError","message":"none"}`, "ResourceNotFound;Sender",
		},
	} {
		t.Run(name, func(t *testing.T) {
			req := jsonRequest("GraniteServiceVersion20100801.SetAlarmState", "{}")
			if !tc.plain {
				req.Header.Set("X-Amzn-Query-Mode", "true")
			}
			if tc.query {
				req = formRequest("Action=SetAlarmState&Version=2010-08-01")
			}
			op, err := a.Match(req)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			if err := op.WriteError(w, req, tc.err); err != nil {
				t.Fatal(err)
			}
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) || w.Header().Get("X-Amzn-Query-Error") != tc.mode {
				t.Errorf("got  %d %s %q\nwant %d %s %q", w.Code, w.Body, w.Header().Get("X-Amzn-Query-Error"), tc.status, tc.want, tc.mode)
			}
		})
	}
}

// TestTemplatesWithoutTextAreNull has the answers of API Gateway, as they were recorded: to it, null and an empty text are the same template.
func TestTemplatesWithoutTextAreNull(t *testing.T) {
	a := gatewayAPI()
	const path = "/restapis/a/resources/r/methods/GET/integration/responses/200"
	for _, template := range []string{"null", `""`} {
		req := restRequest("PUT", path, `{"responseTemplates":{"application/json":`+template+`}}`)
		op, in, err := decode(t, a, req)
		if err != nil {
			t.Fatal(err)
		}
		templates := in.(*apigateway.PutIntegrationResponseInput).ResponseTemplates
		if text, ok := templates["application/json"]; !ok || text != "" {
			t.Errorf("%s is %q", template, templates)
		}
		w := httptest.NewRecorder()
		if err := op.WriteResponse(t.Context(), w, req, &apigateway.PutIntegrationResponseOutput{ResponseTemplates: templates}); err != nil {
			t.Fatal(err)
		}
		if got, want := w.Body.String(), `{"responseTemplates":{"application/json":null}}`; got != want {
			t.Errorf("%s is answered with %s, want %s", template, got, want)
		}
	}
}

// TestNumbersWithAFractionShowIt holds whole numbers to how AWS writes them, as in the recorded answers of API Gateway, CloudWatch and CloudWatch Logs.
func TestNumbersWithAFractionShowIt(t *testing.T) {
	a := gatewayAPI()
	req := restRequest("GET", "/usageplans/p", "")
	op, err := a.Match(req)
	if err != nil {
		t.Fatal(err)
	}
	for rate, want := range map[float64]string{10: "10.0", 0: "0.0", 0.5: "0.5", -3: "-3.0", 10000: "10000.0", 1e21: "1e+21"} {
		w := httptest.NewRecorder()
		if err := op.WriteResponse(t.Context(), w, req, &apigateway.GetUsagePlanOutput{Throttle: &apigateway.ThrottleSettings{RateLimit: &rate}}); err != nil {
			t.Fatal(err)
		}
		if got := w.Body.String(); !strings.Contains(got, `"rateLimit":`+want+"}") {
			t.Errorf("%v is in %s", rate, got)
		}
	}
}
