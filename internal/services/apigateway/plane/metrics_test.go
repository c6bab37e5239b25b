package plane

import (
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/test/metertest"
)

func TestRequestsAreCounted(t *testing.T) {
	f := newFixture(t)
	var counts meter.Registry
	f.plane.o.Meters = &counts
	f.api.Name = "pets"
	mock := func(template string) aws.Method {
		return aws.Method{AuthorizationType: ptr("NONE"), MethodIntegration: &aws.Integration{
			Type: "MOCK", RequestTemplates: map[string]string{"application/json": template}, CacheNamespace: ptr("n"),
			IntegrationResponses: map[string]aws.IntegrationResponse{"200": {StatusCode: ptr("200")}},
		}, MethodResponses: map[string]aws.MethodResponse{"200": {StatusCode: ptr("200")}}}
	}
	proxy := aws.Method{AuthorizationType: ptr("NONE"), MethodIntegration: &aws.Integration{
		Type: "AWS_PROXY", HttpMethod: ptr("POST"), Uri: ptr("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:f/invocations"),
	}}
	s := shape{Paths: map[string]map[string]aws.Method{
		"/a/{id}": {"GET": mock(`{"statusCode": 200}`)}, "/bad": {"GET": mock(`{}`)}, "/f": {"ANY": proxy},
	}}
	f.answer("f", `{"statusCode": 404}`)
	f.deploy("api1", s.tree(), aws.Stage{CacheClusterEnabled: ptr(true), MethodSettings: map[string]aws.MethodSetting{
		"a/{id}/GET": {MetricsEnabled: ptr(true), CachingEnabled: ptr(true)},
	}})
	for _, path := range []string{"/a/1", "/a/1", "/bad", "/nothing", "/f"} {
		f.send("GET /prod" + path + " HTTP/1.1")
	}
	metertest.Await(t, &counts, map[string]string{
		"Count ApiName=pets": "5/5", "Count ApiName=pets Stage=prod": "5/5", "4XXError ApiName=pets Stage=prod": "2/5", "5XXError ApiName=pets": "1/5",
		"Latency ApiName=pets": "0/5", "IntegrationLatency ApiName=pets": "0/1", "CacheHitCount ApiName=pets": "1/2", "CacheMissCount ApiName=pets Stage=prod": "1/2",
		"Count ApiName=pets Method=GET Resource=/a/{id} Stage=prod": "2/2", "CacheHitCount ApiName=pets Method=GET Resource=/a/{id} Stage=prod": "1/2",
	})
}
