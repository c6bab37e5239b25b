package sam

// url makes the URL of the function, and lets everybody use it if it needs no credentials.
func (f *aFunction) url() ([]*resource, error) {
	given := f.properties.dict("FunctionUrlConfig")
	if given.len() == 0 {
		return nil, nil
	}
	if err := f.checkURL(given); err != nil {
		return nil, err
	}
	target := any(f.main.ref())
	if f.alias != nil {
		target = f.alias.ref()
	}
	p := dictOf("AuthType", given.get("AuthType"), "TargetFunctionArn", target, "InvokeMode", given.get("InvokeMode"))
	if v := given.get("Cors"); truthy(v) {
		p.set("Cors", v)
	}
	made := []*resource{f.beside("AWS::Lambda::Url", f.id+"Url", p)}
	if !is(given.get("AuthType"), "NONE") || isIntrinsic(given) {
		return made, nil
	}
	return append(made,
		f.beside("AWS::Lambda::Permission", f.id+"UrlPublicPermissions", dictOf("Action", "lambda:InvokeFunctionUrl", "FunctionName", target, "Principal", "*", "FunctionUrlAuthType", "NONE")),
		f.beside("AWS::Lambda::Permission", f.id+"URLInvokeAllowPublicAccess", dictOf("Action", "lambda:InvokeFunction", "FunctionName", target, "Principal", "*", "InvokedViaFunctionUrl", true)),
	), nil
}

// urlCORS has what the properties of the CORS configuration of a URL must be.
var urlCORS = map[string]kind{
	"AllowOrigins": {"list", isList}, "AllowMethods": {"list", isList}, "AllowCredentials": {"bool", isBool}, "AllowHeaders": {"list", isList}, "ExposeHeaders": {"list", isList}, "MaxAge": {"int", isInteger},
}

func (f *aFunction) checkURL(given *dict) error {
	if isIntrinsic(given) {
		return nil
	}
	if auth := given.get("AuthType"); !isIntrinsic(auth) && !is(auth, iamAuthorizer, "NONE") {
		return invalid(f.id, "AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE.")
	}
	v := given.get("Cors")
	if !truthy(v) || isIntrinsic(v) {
		return nil
	}
	cors, err := inResource(f.id, "FunctionUrlConfig.Cors").dict(v)
	if err != nil {
		return err
	}
	for k, v := range cors.all() {
		want, known := urlCORS[k]
		if !known {
			return invalid(f.id, "%s is not a valid property for configuring Cors.", k)
		}
		if !isIntrinsic(v) && !want.fits(v) {
			return invalid(f.id, "%s must be of type %s.", k, want.description)
		}
	}
	return nil
}
