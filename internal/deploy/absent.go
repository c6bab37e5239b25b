package deploy

import "strings"

// Instead tells for a type of AWS's that this version does not have what does its work here; "" where nothing does.
func Instead(typ string) string {
	switch typ {
	case "AWS::Lambda::MicrovmImage":
		return "an AWS::Lambda::Function with the PackageType Image"
	case "AWS::Lambda::NetworkConnector":
		return "the VpcConfig of an AWS::Lambda::Function"
	case "AWS::Lambda::WebFunction", "AWS::Lambda::WebFunctionEndpoint":
		return "an AWS::Lambda::Function with an AWS::Lambda::Url"
	case "AWS::Lambda::WebFunctionRevision":
		return "an AWS::Lambda::Version"
	case "AWS::CloudFormation::GuardHook":
		return "an AWS::CloudFormation::LambdaHook, whose function checks the same"
	case "AWS::CloudFormation::HookVersion", "AWS::CloudFormation::HookDefaultVersion":
		return "an AWS::CloudFormation::LambdaHook"
	case "AWS::CloudFormation::ResourceVersion", "AWS::CloudFormation::ResourceDefaultVersion", "AWS::CloudFormation::Publisher", "AWS::CloudFormation::PublicTypeVersion":
		return "an AWS::CloudFormation::CustomResource"
	case "AWS::CloudFormation::ModuleVersion", "AWS::CloudFormation::ModuleDefaultVersion":
		return "an AWS::CloudFormation::Stack"
	case "AWS::Logs::Integration":
		return "queries of Logs Insights (`aws logs start-query`), which need no OpenSearch"
	}
	return ""
}

// advice is a sentence for each of the types that has something in its place.
func advice(types []string) string {
	var b strings.Builder
	for _, typ := range types {
		if instead := Instead(typ); instead != "" {
			b.WriteString(". Lambent does not have " + typ + ": use " + instead)
		}
	}
	return b.String()
}
