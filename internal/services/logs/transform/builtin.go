package transform

import (
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
)

// The columns of the logs of services. Those of CloudFront are those of its standard logs
// (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html), those of VPC the flow logs' default format
// (https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html), and those of Route 53 the query logs
// (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/query-logs.html).
const (
	cloudFrontColumns = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id " +
		"x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port " +
		"time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end"
	vpcColumns     = "version accountId interfaceId srcAddr dstAddr srcPort dstPort protocol packets bytes start end action logStatus"
	route53Columns = "version queryTimestamp hostZoneId queryName queryType responseCode protocol edgeLocation resolverIp ednsClientSubnet"
)

// vpcTexts are columns of flow logs that are no numbers even if they look so.
var vpcTexts = map[string]bool{"accountId": true}

var numeral = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?$`)

// number returns a text that is a number as one.
func number(text string) any {
	if numeral.MatchString(text) {
		return json.Number(text)
	}
	return text
}

// builtin makes a step of a parser of whole messages.
func builtin(from *string, read func(text string) (map[string]any, error)) (step, error) {
	if from != nil && *from != wholeMessage {
		return nil, errors.New("source must be left out, or be @message")
	}
	return parser(nil, nil, false, read)
}

// table reads a line whose columns have names.
func table(names, text string, split func(string) []string, value func(name, text string) any) (map[string]any, error) {
	columns, have := strings.Fields(names), split(text)
	if len(have) != len(columns) {
		return nil, errUnreadable
	}
	fields := make(map[string]any, len(columns))
	for i, name := range columns {
		fields[name] = value(name, have[i])
	}
	return fields, nil
}

// compileCloudFront reads the standard logs of CloudFront, whose columns tabs separate and whose values are URL-encoded.
func compileCloudFront(p *api.Processor) (step, error) {
	return builtin(p.ParseCloudfront.Source, func(text string) (map[string]any, error) {
		return table(cloudFrontColumns, text, func(text string) []string { return strings.Split(text, "\t") }, func(_, text string) any {
			if plain, err := url.PathUnescape(text); err == nil {
				text = plain
			}
			return number(text)
		})
	})
}

func compileVPC(p *api.Processor) (step, error) {
	return builtin(p.ParseVPC.Source, func(text string) (map[string]any, error) {
		return table(vpcColumns, text, strings.Fields, func(name, text string) any {
			if vpcTexts[name] {
				return text
			}
			return number(text)
		})
	})
}

func compileRoute53(p *api.Processor) (step, error) {
	return builtin(p.ParseRoute53.Source, func(text string) (map[string]any, error) {
		return table(route53Columns, text, strings.Fields, func(name, text string) any {
			if name == "version" {
				return number(text)
			}
			return text
		})
	})
}

// postgresLine is the beginning of a line of RDS for PostgreSQL, whose log_line_prefix is %t:%r:%u@%d:[%p]:.
var postgresLine = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+):([^:]*|[^(]*\(\d+\)):([^@]*)@([^:]*):\[(\d+)\]:([A-Z0-9]+): `)

func compilePostgres(p *api.Processor) (step, error) {
	return builtin(p.ParsePostgres.Source, func(text string) (map[string]any, error) {
		m := postgresLine.FindStringSubmatch(text)
		if m == nil {
			return nil, errUnreadable
		}
		return map[string]any{"logTime": m[1], "srcIp": m[2], "userName": m[3], "dbName": m[4], "processId": m[5], "logLevel": m[6]}, nil
	})
}
