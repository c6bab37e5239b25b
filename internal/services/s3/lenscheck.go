package s3

import (
	"slices"
	"strings"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/arn"
)

// lensDestination is the bucket that the export of a configuration goes to; nil when there is none.
func lensDestination(c *control.StorageLensConfiguration) *control.S3BucketDestination {
	if c.DataExport == nil {
		return nil
	}
	return c.DataExport.S3BucketDestination
}

// lensBucket is the name of a destination's bucket.
func lensBucket(d *control.S3BucketDestination) string { return strings.TrimPrefix(d.Arn, bucketARN) }

const bucketARN = "arn:aws:s3:::"

// checkLens refuses a configuration that Storage Lens does not take, and what it does not do here.
func checkLens(p lensPlace, id string, c *control.StorageLensConfiguration) error {
	switch {
	case c.Id != id:
		return badLens("InvalidConfigId", "The configuration ID is not valid: the request is about %s, and the configuration has the Id %s.", id, c.Id)
	case c.StorageLensArn != nil:
		return badLens("InvalidStorageLensArn", "The S3 Storage Lens ARN is not required in input.")
	case id == defaultLens && (c.Include != nil || c.Exclude != nil):
		return badLens("InvalidFilterForDefaultConfiguration", "The default configuration must not include any filters.")
	case id == defaultLens && p.region != "us-east-1":
		return badLens("InvalidRegionForDefaultConfiguration", "The specified Region is not supported for default configuration. Its home region is us-east-1.")
	}
	for _, check := range []func(p lensPlace, c *control.StorageLensConfiguration) error{lensUnsupported, checkLensScope, checkLensPrefixes, checkLensGroups, checkLensExport} {
		if err := check(p, c); err != nil {
			return err
		}
	}
	return nil
}

// lensUnsupported refuses by name what is not counted or written here.
func lensUnsupported(_ lensPlace, c *control.StorageLensConfiguration) error {
	a, b := c.AccountLevel, c.AccountLevel.BucketLevel
	for _, level := range []struct {
		at          string
		requests    *control.ActivityMetrics
		codes       *control.DetailedStatusCodesMetrics
		performance *control.AdvancedPerformanceMetrics
	}{{"AccountLevel", a.ActivityMetrics, a.DetailedStatusCodesMetrics, a.AdvancedPerformanceMetrics}, {"BucketLevel", b.ActivityMetrics, b.DetailedStatusCodesMetrics, b.AdvancedPerformanceMetrics}} {
		name := ""
		switch {
		case level.requests != nil && deref(level.requests.IsEnabled):
			name = "ActivityMetrics"
		case level.codes != nil && deref(level.codes.IsEnabled):
			name = "DetailedStatusCodesMetrics"
		case level.performance != nil && deref(level.performance.IsEnabled):
			name = "AdvancedPerformanceMetrics"
		}
		if name != "" {
			return unsupported("PutStorageLensConfiguration", level.at+"."+name+" (requests are not counted; the access log of a bucket has each of them)")
		}
	}
	switch d := c.DataExport; {
	case c.AwsOrg != nil:
		return unsupported("PutStorageLensConfiguration", "AwsOrg (a configuration is about its account)")
	case c.ExpandedPrefixesDataExport != nil:
		return unsupported("PutStorageLensConfiguration", "ExpandedPrefixesDataExport")
	case d != nil && d.StorageLensTableDestination != nil && d.StorageLensTableDestination.IsEnabled:
		return unsupported("PutStorageLensConfiguration", "DataExport.StorageLensTableDestination (export to a bucket)")
	case d != nil && d.S3BucketDestination != nil && d.S3BucketDestination.Format != control.FormatCsv:
		return unsupported("PutStorageLensConfiguration", "the Format "+d.S3BucketDestination.Format+" (use CSV)")
	}
	return nil
}

// checkLensScope looks at the buckets and regions that a configuration is about, or is not about.
func checkLensScope(_ lensPlace, c *control.StorageLensConfiguration) error {
	var buckets, regions []string
	switch in, out := c.Include, c.Exclude; {
	case in != nil && out != nil:
		return badLens("InvalidIncludeExcludeContainers", "You can specify either an Include container or an Exclude container in a configuration. You cannot specify both in a configuration.")
	case in != nil:
		if buckets, regions = in.Buckets, in.Regions; len(buckets)+len(regions) == 0 {
			return badLens("EmptyIncludeContainer", "The include container cannot be empty.")
		}
	case out != nil:
		if buckets, regions = out.Buckets, out.Regions; len(buckets)+len(regions) == 0 {
			return badLens("EmptyExcludeContainer", "The exclude container cannot be empty.")
		}
	}
	switch {
	case len(buckets) > maxLensFilter:
		return badLens("TooManyBuckets", "The buckets container cannot have more than %d buckets.", maxLensFilter)
	case len(regions) > maxLensFilter:
		return badLens("TooManyRegions", "The Regions container cannot have more than %d Regions.", maxLensFilter)
	}
	for _, b := range buckets {
		if name, ok := strings.CutPrefix(b, bucketARN); !ok || !validBucketName(name) {
			return invalidArgument("%q is not the ARN of a bucket, such as %spictures", b, bucketARN)
		}
	}
	for _, r := range regions {
		if !validRegion(r) {
			return badLens("InvalidRegionName", "The Region name is not valid: %q", r)
		}
	}
	return nil
}

// lensIncludes tells whether a configuration is about a bucket: one that is named, where buckets are, and in a region that is named, where regions are.
func lensIncludes(c *control.StorageLensConfiguration, b *bucket) bool {
	if in := c.Include; in != nil {
		return (len(in.Buckets) == 0 || slices.Contains(in.Buckets, b.arn())) && (len(in.Regions) == 0 || slices.Contains(in.Regions, b.Region))
	}
	out := c.Exclude
	return out == nil || !slices.Contains(out.Buckets, b.arn()) && !slices.Contains(out.Regions, b.Region)
}

// lensPrefixes is how a configuration groups keys by their prefixes.
type lensPrefixes struct {
	delimiter string
	depth     int
	// least is the share of a bucket's bytes that a prefix must hold to be reported, in percent.
	least float64
}

// lensPrefixesOf returns the prefix level of a configuration; ok is false without one. What a configuration leaves out is what S3's console offers:
// /, ten levels and one percent.
func lensPrefixesOf(c *control.StorageLensConfiguration) (p lensPrefixes, ok bool) {
	if c.AccountLevel.BucketLevel.PrefixLevel == nil {
		return p, false
	}
	p = lensPrefixes{delimiter: "/", depth: 10, least: 1}
	if d := deref(c.PrefixDelimiter); d != "" {
		p.delimiter = d
	}
	if by := c.AccountLevel.BucketLevel.PrefixLevel.StorageMetrics.SelectionCriteria; by != nil {
		if d := deref(by.Delimiter); d != "" {
			p.delimiter = d
		}
		if by.MaxDepth != nil {
			p.depth = int(*by.MaxDepth)
		}
		if by.MinStorageBytesPercentage != nil {
			p.least = *by.MinStorageBytesPercentage
		}
	}
	return p, true
}

func checkLensPrefixes(_ lensPlace, c *control.StorageLensConfiguration) error {
	level := c.AccountLevel.BucketLevel.PrefixLevel
	if level == nil {
		return nil
	}
	if !deref(level.StorageMetrics.IsEnabled) {
		return badLens("StorageMetricsMustEnabled", "Prefix-level storage metrics must be enabled. Leave PrefixLevel out to have none.")
	}
	p, _ := lensPrefixesOf(c)
	switch outer := deref(c.PrefixDelimiter); {
	case p.depth < 1 || p.depth > 10:
		return badLens("InvalidMaximumPrefixDepth", "MaxDepth must be within the range [1,10].")
	case p.least < 1 || p.least > 100:
		return badLens("InvalidMinimumStorageBytesPercentage", "MinStorageBytesPercentage must be within the range [1.00,100.00].")
	case outer != "" && outer != p.delimiter:
		return invalidRequest("PrefixDelimiter %q and the Delimiter of the selection criteria %q must be the same character.", outer, p.delimiter)
	}
	return nil
}

// checkLensGroups looks at the groups that a configuration reports.
func checkLensGroups(p lensPlace, c *control.StorageLensConfiguration) error {
	if c.AccountLevel.StorageLensGroupLevel == nil || c.AccountLevel.StorageLensGroupLevel.SelectionCriteria == nil {
		return nil
	}
	by := c.AccountLevel.StorageLensGroupLevel.SelectionCriteria
	all := append(slices.Clone(by.Include), by.Exclude...)
	switch {
	case (by.Include == nil) == (by.Exclude == nil):
		return badLens("InvalidIncludeExcludeElements", "Only one Include or Exclude element is allowed. At least one Include or Exclude element must be present.")
	case by.Include != nil && len(all) == 0:
		return badLens("EmptyIncludeElement", "You must specify a Storage Lens group with your Include element.")
	case len(all) == 0:
		return badLens("EmptyExcludeElement", "You must specify a Storage Lens group with your Exclude element.")
	case len(all) > maxLensGroups:
		return badLens("TooManyStorageLensGroups", "You can't attach more than %d Storage Lens groups to your Storage Lens dashboard.", maxLensGroups)
	}
	for i, text := range all {
		if at, _, ok := parseLensGroupARN(text); !ok || at.account != p.account {
			return badLens("InvalidStorageLensGroupARN", "This Storage Lens group ARN isn't valid or only Storage Lens groups in your account are allowed: %q", text)
		}
		if slices.Contains(all[:i], text) {
			return badLens("DuplicateStorageLensGroupARN", "There are two or more entries of the same Storage Lens group ARN in this configuration: %s", text)
		}
	}
	return nil
}

// lensReports tells whether a configuration reports a group.
func lensReports(c *control.StorageLensConfiguration, arn string) bool {
	level := c.AccountLevel.StorageLensGroupLevel
	switch {
	case level == nil:
		return false
	case level.SelectionCriteria == nil:
		return true
	case level.SelectionCriteria.Include != nil:
		return slices.Contains(level.SelectionCriteria.Include, arn)
	}
	return !slices.Contains(level.SelectionCriteria.Exclude, arn)
}

func checkLensExport(_ lensPlace, c *control.StorageLensConfiguration) error {
	d := lensDestination(c)
	if d == nil {
		return nil
	}
	if name, ok := strings.CutPrefix(d.Arn, bucketARN); !ok || !validBucketName(name) {
		return badLens("InvalidDestination", "The S3 bucket ARN is malformed: %q", d.Arn)
	}
	e := d.Encryption
	switch {
	case e == nil:
		return nil
	case e.SSES3 != nil && e.SSEKMS != nil:
		return badLens("InvalidEncryptionMethod", "Only one encryption method can be specified.")
	case e.SSES3 == nil && e.SSEKMS == nil:
		return badLens("MissingEncryptionMethod", "The encryption method cannot be blank. Specify either SSE-KMS or SSE-S3.")
	case e.SSEKMS != nil:
		if a, err := arn.Parse(e.SSEKMS.KeyId); err != nil || a.Service != "kms" {
			return badLens("InvalidKMSEncryptionKeyId", "The KMS key ID ARN is not valid: %q", e.SSEKMS.KeyId)
		}
	}
	return nil
}
