package logs

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// transformerProperties are the properties of AWS::Logs::Transformer
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-transformer.html).
type transformerProperties struct {
	LogGroupIdentifier string      `cfn:"LogGroupIdentifier,required,createOnly"`
	TransformerConfig  []processor `cfn:"TransformerConfig,required"`
}

type processor struct {
	AddKeys           *processorEntries    `cfn:"AddKeys"`
	CopyValue         *processorEntries    `cfn:"CopyValue"`
	Csv               *csvProperties       `cfn:"Csv"`
	DateTimeConverter *dateTimeProperties  `cfn:"DateTimeConverter"`
	DeleteKeys        *processorKeys       `cfn:"DeleteKeys"`
	Grok              *grokProperties      `cfn:"Grok"`
	ListToMap         *listToMapProperties `cfn:"ListToMap"`
	LowerCaseString   *processorKeys       `cfn:"LowerCaseString"`
	MoveKeys          *processorEntries    `cfn:"MoveKeys"`
	ParseCloudfront   *parserProperties    `cfn:"ParseCloudfront"`
	ParseJSON         *parserProperties    `cfn:"ParseJSON"`
	ParseKeyValue     *keyValueProperties  `cfn:"ParseKeyValue"`
	ParsePostgres     *parserProperties    `cfn:"ParsePostgres"`
	ParseRoute53      *parserProperties    `cfn:"ParseRoute53"`
	ParseVPC          *parserProperties    `cfn:"ParseVPC"`
	RenameKeys        *processorEntries    `cfn:"RenameKeys"`
	SplitString       *processorEntries    `cfn:"SplitString"`
	SubstituteString  *processorEntries    `cfn:"SubstituteString"`
	TrimString        *processorKeys       `cfn:"TrimString"`
	TypeConverter     *processorEntries    `cfn:"TypeConverter"`
	UpperCaseString   *processorKeys       `cfn:"UpperCaseString"`
}

type processorKeys struct {
	WithKeys []string `cfn:"WithKeys,required"`
}

type processorEntries struct {
	Entries []processorEntry `cfn:"Entries,required"`
}

// processorEntry is an entry of any processor that has entries; PutTransformer tells what an entry of one lacks.
type processorEntry struct {
	Key               *string `cfn:"Key"`
	Value             *string `cfn:"Value"`
	Source            *string `cfn:"Source"`
	Target            *string `cfn:"Target"`
	RenameTo          *string `cfn:"RenameTo"`
	Delimiter         *string `cfn:"Delimiter"`
	From              *string `cfn:"From"`
	To                *string `cfn:"To"`
	Type              *string `cfn:"Type"`
	OverwriteIfExists *bool   `cfn:"OverwriteIfExists"`
}

type parserProperties struct {
	Source      *string `cfn:"Source"`
	Destination *string `cfn:"Destination"`
}

type csvProperties struct {
	QuoteCharacter *string  `cfn:"QuoteCharacter"`
	Delimiter      *string  `cfn:"Delimiter"`
	Columns        []string `cfn:"Columns"`
	Source         *string  `cfn:"Source"`
	Destination    *string  `cfn:"Destination"`
}

type dateTimeProperties struct {
	Source         string   `cfn:"Source,required"`
	Target         string   `cfn:"Target,required"`
	TargetFormat   *string  `cfn:"TargetFormat"`
	MatchPatterns  []string `cfn:"MatchPatterns,required"`
	SourceTimezone *string  `cfn:"SourceTimezone"`
	TargetTimezone *string  `cfn:"TargetTimezone"`
	Locale         *string  `cfn:"Locale"`
}

type grokProperties struct {
	Source *string `cfn:"Source"`
	Match  string  `cfn:"Match,required"`
}

type listToMapProperties struct {
	Source           string  `cfn:"Source,required"`
	Key              string  `cfn:"Key,required"`
	ValueKey         *string `cfn:"ValueKey"`
	Target           *string `cfn:"Target"`
	Flatten          *bool   `cfn:"Flatten"`
	FlattenedElement *string `cfn:"FlattenedElement"`
}

type keyValueProperties struct {
	Source            *string `cfn:"Source"`
	Destination       *string `cfn:"Destination"`
	FieldDelimiter    *string `cfn:"FieldDelimiter"`
	KeyValueDelimiter *string `cfn:"KeyValueDelimiter"`
	KeyPrefix         *string `cfn:"KeyPrefix"`
	NonMatchValue     *string `cfn:"NonMatchValue"`
	OverwriteIfExists *bool   `cfn:"OverwriteIfExists"`
}

func (l *Logs) transformerType() service.ResourceType {
	return service.NewResourceType("AWS::Logs::Transformer", service.ResourceSpec[transformerProperties]{
		Create: func(ctx context.Context, _ service.ResourceCall, p *transformerProperties) (service.Resource, error) {
			return l.putTransformerResource(ctx, p)
		},
		Update: func(ctx context.Context, _ service.ResourceCall, _, p *transformerProperties) (service.Resource, error) {
			return l.putTransformerResource(ctx, p)
		},
		Delete:     l.deleteTransformerResource,
		Identifier: []string{"LogGroupIdentifier"}, Read: l.readTransformerResource, List: l.listTransformerResources, Missing: []string{"ResourceNotFoundException"},
	})
}

func (l *Logs) putTransformerResource(ctx context.Context, p *transformerProperties) (service.Resource, error) {
	return service.Resource{PhysicalID: p.LogGroupIdentifier}, l.call(ctx, "PutTransformer", reshape.To[api.PutTransformerInput](p))
}

func (l *Logs) deleteTransformerResource(ctx context.Context, c service.ResourceCall, _ *transformerProperties) error {
	return service.Unless(l.call(ctx, "DeleteTransformer", &api.DeleteTransformerInput{LogGroupIdentifier: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readTransformerResource(ctx context.Context, id service.Identifier) (*transformerProperties, service.Resource, error) {
	out, err := ask[api.GetTransformerOutput](ctx, l, "GetTransformer", &api.GetTransformerInput{LogGroupIdentifier: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[transformerProperties](out)
	p.LogGroupIdentifier = id[0]
	return p, service.Resource{PhysicalID: id[0]}, nil
}

// listTransformerResources lists the groups of a page that have a transformer.
func (l *Logs) listTransformerResources(ctx context.Context, _ *transformerProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeLogGroupsOutput](ctx, l, "DescribeLogGroups", &api.DescribeLogGroupsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	var have []api.LogGroup
	for _, g := range out.LogGroups {
		err := l.call(ctx, "GetTransformer", &api.GetTransformerInput{LogGroupIdentifier: *g.LogGroupName})
		if err == nil {
			have = append(have, g)
		} else if service.Code(err) != "ResourceNotFoundException" {
			return service.Page{}, err
		}
	}
	return service.NewPage(have, out.NextToken, func(g *api.LogGroup) service.Identifier { return service.Identifier{opt.Value(g.LogGroupName)} }), nil
}
