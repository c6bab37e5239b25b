package lambda

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

type corsProperties struct {
	AllowCredentials *bool    `cfn:"AllowCredentials"`
	AllowHeaders     []string `cfn:"AllowHeaders"`
	AllowMethods     []string `cfn:"AllowMethods"`
	AllowOrigins     []string `cfn:"AllowOrigins"`
	ExposeHeaders    []string `cfn:"ExposeHeaders"`
	MaxAge           *int32   `cfn:"MaxAge"`
}

// urlProperties are the properties of AWS::Lambda::Url.
type urlProperties struct {
	AuthType          string          `cfn:"AuthType,required"`
	Cors              *corsProperties `cfn:"Cors"`
	InvokeMode        string          `cfn:"InvokeMode"`
	Qualifier         *string         `cfn:"Qualifier,createOnly"`
	TargetFunctionArn string          `cfn:"TargetFunctionArn,required,createOnly"`
}

// cors is the API's form; without one in the template it takes the configuration away.
func (p *urlProperties) cors() *api.Cors {
	if p.Cors == nil {
		return &api.Cors{}
	}
	return &api.Cors{
		AllowCredentials: p.Cors.AllowCredentials, AllowHeaders: p.Cors.AllowHeaders, AllowMethods: p.Cors.AllowMethods, AllowOrigins: p.Cors.AllowOrigins,
		ExposeHeaders: p.Cors.ExposeHeaders, MaxAge: p.Cors.MaxAge,
	}
}

func (p *urlProperties) mode() string {
	if p.InvokeMode == "" {
		return api.InvokeModeBuffered
	}
	return p.InvokeMode
}

func urlResource(arn, url string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"FunctionArn": arn, "FunctionUrl": url}}
}

func (l *Lambda) createURLResource(ctx context.Context, c service.ResourceCall, p *urlProperties) (service.Resource, error) {
	in := &api.CreateFunctionUrlConfigInput{FunctionName: p.TargetFunctionArn, Qualifier: p.Qualifier, AuthType: p.AuthType, InvokeMode: p.mode()}
	if p.Cors != nil {
		in.Cors = p.cors()
	}
	out, err := service.Call[api.CreateFunctionUrlConfigOutput](ctx, l.deps.Door, "lambda", "CreateFunctionUrlConfig", in)
	if c.Retry && service.Code(err) == "ResourceConflictException" {
		return l.updateURLResource(ctx, c, p, p)
	}
	if err != nil {
		return service.Resource{}, err
	}
	return urlResource(out.FunctionArn, out.FunctionUrl), nil
}

func (l *Lambda) updateURLResource(ctx context.Context, _ service.ResourceCall, _, p *urlProperties) (service.Resource, error) {
	out, err := service.Call[api.UpdateFunctionUrlConfigOutput](ctx, l.deps.Door, "lambda", "UpdateFunctionUrlConfig", &api.UpdateFunctionUrlConfigInput{
		FunctionName: p.TargetFunctionArn, Qualifier: p.Qualifier, AuthType: p.AuthType, InvokeMode: p.mode(), Cors: p.cors(),
	})
	if err != nil {
		return service.Resource{}, err
	}
	return urlResource(out.FunctionArn, out.FunctionUrl), nil
}

func (l *Lambda) deleteURLResource(ctx context.Context, _ service.ResourceCall, p *urlProperties) error {
	return service.Unless(l.do(ctx, "DeleteFunctionUrlConfig", &api.DeleteFunctionUrlConfigInput{FunctionName: p.TargetFunctionArn, Qualifier: p.Qualifier}), "ResourceNotFoundException")
}
