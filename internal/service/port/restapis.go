package port

import "context"

// RESTAPIs tells what REST APIs serve, for who documents them.
type RESTAPIs interface {
	// DescribeREST returns what a stage of an API serves, or an error with the code NotFoundException. It asks for no permission: its caller has asked.
	DescribeREST(ctx context.Context, account, region, api, stage string) (RESTAPI, error)
}

// RESTAPI is a REST API as one of its stages serves it.
type RESTAPI struct {
	// Document is the OpenAPI 3.0 document of what is deployed, in JSON. Its x-amazon-apigateway-documentation has the documentation parts that the API has now.
	Document []byte
	// Private tells that the API is reached through VPC endpoints alone.
	Private bool
}
