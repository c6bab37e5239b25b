package s3

import (
	"fmt"
	"strings"
	"testing"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
)

func TestStorageLensConfigurationsAreKept(t *testing.T) {
	f := newLensFixture(t)
	in := &control.PutStorageLensConfigurationInput{AccountId: account, ConfigId: "usage", StorageLensConfiguration: plainLens(), Tags: []control.StorageLensTag{{Key: "team", Value: "a"}}}
	if _, err := f.putStorageLens(f.ctx(), in); err != nil {
		t.Fatal(err)
	}
	got, err := f.getStorageLens(f.ctx(), &control.GetStorageLensConfigurationInput{AccountId: account, ConfigId: "usage"})
	if err != nil || *got.StorageLensConfiguration.StorageLensArn != "arn:aws:s3:us-east-1:"+account+":storage-lens/usage" || got.StorageLensConfiguration.DataExport.S3BucketDestination.Arn != "arn:aws:s3:::reports" {
		t.Errorf("the configuration is %+v, %v", got, err)
	}
	list, err := f.listStorageLenses(f.ctx(), &control.ListStorageLensConfigurationsInput{AccountId: account})
	if err != nil || len(list.StorageLensConfigurationList) != 1 || !*list.StorageLensConfigurationList[0].IsEnabled || list.StorageLensConfigurationList[0].HomeRegion != "us-east-1" {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if err := f.putLens(plainLens()); err != nil { // without tags, which stay
		t.Fatal(err)
	}
	tagged := &control.GetStorageLensConfigurationTaggingInput{AccountId: account, ConfigId: "usage"}
	if out, err := f.getStorageLensTagging(f.ctx(), tagged); err != nil || len(out.Tags) != 1 || out.Tags[0].Value != "a" {
		t.Errorf("the tags are %+v, %v", out, err)
	}
	if _, err := f.putStorageLensTagging(f.ctx(), &control.PutStorageLensConfigurationTaggingInput{AccountId: account, ConfigId: "usage", Tags: []control.StorageLensTag{{Key: "stage", Value: "b"}}}); err != nil {
		t.Fatal(err)
	}
	if out, err := f.getStorageLensTagging(f.ctx(), tagged); err != nil || len(out.Tags) != 1 || out.Tags[0].Key != "stage" {
		t.Errorf("the tags are %+v, %v", out, err)
	}
	if _, err := f.deleteStorageLensTagging(f.ctx(), &control.DeleteStorageLensConfigurationTaggingInput{AccountId: account, ConfigId: "usage"}); err != nil {
		t.Fatal(err)
	}
	if out, err := f.getStorageLensTagging(f.ctx(), tagged); err != nil || len(out.Tags) != 0 {
		t.Errorf("the tags are %+v, %v", out, err)
	}
	if _, err := f.deleteStorageLens(f.ctx(), &control.DeleteStorageLensConfigurationInput{AccountId: account, ConfigId: "usage"}); err != nil {
		t.Fatal(err)
	}
	_, err = f.getStorageLens(f.ctx(), &control.GetStorageLensConfigurationInput{AccountId: account, ConfigId: "usage"})
	code(t, err, "NoSuchConfiguration")
	_, err = f.deleteStorageLens(f.ctx(), &control.DeleteStorageLensConfigurationInput{AccountId: account, ConfigId: "usage"})
	code(t, err, "NoSuchConfiguration")
	_, err = f.putStorageLensTagging(f.ctx(), &control.PutStorageLensConfigurationTaggingInput{AccountId: account, ConfigId: "usage"})
	code(t, err, "NoSuchConfiguration")
	in.AccountId = "111122223333"
	_, err = f.putStorageLens(f.ctx(), in)
	code(t, err, "AccessDenied")
}

func TestDefaultStorageLensIsNotDeleted(t *testing.T) {
	f := newLensFixture(t)
	c := plainLens()
	c.Id = defaultLens
	if err := f.putLens(c); err != nil {
		t.Fatal(err)
	}
	_, err := f.deleteStorageLens(f.ctx(), &control.DeleteStorageLensConfigurationInput{AccountId: account, ConfigId: defaultLens})
	code(t, err, "DefaultConfigurationDeleteForbidden")
	c.Exclude = &control.Exclude{Regions: []string{"eu-west-1"}}
	code(t, f.putLens(c), "InvalidFilterForDefaultConfiguration")
	c.Exclude = nil
	_, err = f.putStorageLens(f.in("eu-west-1"), &control.PutStorageLensConfigurationInput{AccountId: account, ConfigId: defaultLens, StorageLensConfiguration: c})
	code(t, err, "InvalidRegionForDefaultConfiguration")
}

func TestStorageLensConfigurationsAreRefused(t *testing.T) {
	f := newLensFixture(t)
	const group = "arn:aws:s3:us-east-1:" + account + ":storage-lens-group/"
	many := func(n int, format string) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return all
	}
	groups := func(include, exclude []string) func(c *control.StorageLensConfiguration) {
		return func(c *control.StorageLensConfiguration) {
			c.AccountLevel.StorageLensGroupLevel = &control.StorageLensGroupLevel{SelectionCriteria: &control.StorageLensGroupLevelSelectionCriteria{Include: include, Exclude: exclude}}
		}
	}
	prefixes := func(enabled bool, delimiter string, depth int32, least float64) func(c *control.StorageLensConfiguration) {
		return func(c *control.StorageLensConfiguration) {
			c.AccountLevel.BucketLevel.PrefixLevel = &control.PrefixLevel{StorageMetrics: &control.PrefixLevelStorageMetrics{
				IsEnabled: &enabled, SelectionCriteria: &control.SelectionCriteria{Delimiter: &delimiter, MaxDepth: &depth, MinStorageBytesPercentage: &least},
			}}
		}
	}
	for want, changes := range map[string][]func(c *control.StorageLensConfiguration){
		"": {
			prefixes(true, "/", 1, 100), groups([]string{group + "a"}, nil), groups(nil, []string{group + "a", group + "b"}),
			func(c *control.StorageLensConfiguration) {
				c.Exclude = &control.Exclude{Regions: []string{"eu-west-1"}}
			},
			func(c *control.StorageLensConfiguration) {
				c.AccountLevel.ActivityMetrics = &control.ActivityMetrics{IsEnabled: ptr(false)}
			},
			func(c *control.StorageLensConfiguration) {
				c.DataExport.S3BucketDestination.Encryption = &control.StorageLensDataExportEncryption{SSES3: &control.SSES3{}}
			},
		},
		"InvalidStorageLensArn": {func(c *control.StorageLensConfiguration) { c.StorageLensArn = ptr("arn") }},
		"InvalidIncludeExcludeContainers": {func(c *control.StorageLensConfiguration) {
			c.Include, c.Exclude = &control.Include{Regions: []string{"eu-west-1"}}, &control.Exclude{Regions: []string{"eu-west-1"}}
		}},
		"EmptyIncludeContainer": {func(c *control.StorageLensConfiguration) { c.Include = &control.Include{} }},
		"EmptyExcludeContainer": {func(c *control.StorageLensConfiguration) { c.Exclude = &control.Exclude{} }},
		"TooManyBuckets": {func(c *control.StorageLensConfiguration) {
			c.Include = &control.Include{Buckets: many(51, "arn:aws:s3:::bucket-%d")}
		}},
		"TooManyRegions": {func(c *control.StorageLensConfiguration) {
			c.Include = &control.Include{Regions: many(51, "eu-west-%d")}
		}},
		"InvalidRegionName": {func(c *control.StorageLensConfiguration) { c.Include = &control.Include{Regions: []string{"Mars"}} }},
		"InvalidArgument": {func(c *control.StorageLensConfiguration) {
			c.Include = &control.Include{Buckets: []string{"pictures"}}
		}},
		"StorageMetricsMustEnabled":            {prefixes(false, "/", 2, 5)},
		"InvalidMaximumPrefixDepth":            {prefixes(true, "/", 11, 5)},
		"InvalidMinimumStorageBytesPercentage": {prefixes(true, "/", 2, 0.5)},
		"InvalidRequest": {func(c *control.StorageLensConfiguration) {
			prefixes(true, "/", 2, 5)(c)
			c.PrefixDelimiter = ptr("-")
		}},
		"InvalidIncludeExcludeElements": {groups(nil, nil), groups([]string{group + "a"}, []string{group + "b"})},
		"EmptyIncludeElement":           {groups([]string{}, nil)},
		"EmptyExcludeElement":           {groups(nil, []string{})},
		"TooManyStorageLensGroups":      {groups(many(51, group+"g%d"), nil)},
		"InvalidStorageLensGroupARN": {
			groups([]string{"images"}, nil), groups([]string{strings.Replace(group, account, "111122223333", 1) + "a"}, nil), groups([]string{group + "a b"}, nil),
		},
		"DuplicateStorageLensGroupARN": {groups([]string{group + "a", group + "a"}, nil)},
		"InvalidDestination": {
			func(c *control.StorageLensConfiguration) { c.DataExport.S3BucketDestination.Arn = "reports" },
			func(c *control.StorageLensConfiguration) { c.DataExport.S3BucketDestination.Arn = "arn:aws:s3:::none" },
			func(c *control.StorageLensConfiguration) {
				c.DataExport.S3BucketDestination.AccountId = "111122223333"
			},
		},
		"InvalidEncryptionMethod": {func(c *control.StorageLensConfiguration) {
			c.DataExport.S3BucketDestination.Encryption = &control.StorageLensDataExportEncryption{SSES3: &control.SSES3{}, SSEKMS: &control.SSEKMS{KeyId: "k"}}
		}},
		"MissingEncryptionMethod": {func(c *control.StorageLensConfiguration) {
			c.DataExport.S3BucketDestination.Encryption = &control.StorageLensDataExportEncryption{}
		}},
		"InvalidKMSEncryptionKeyId": {func(c *control.StorageLensConfiguration) {
			c.DataExport.S3BucketDestination.Encryption = &control.StorageLensDataExportEncryption{SSEKMS: &control.SSEKMS{KeyId: "k"}}
		}},
		"NotImplemented": {
			func(c *control.StorageLensConfiguration) {
				c.AccountLevel.ActivityMetrics = &control.ActivityMetrics{IsEnabled: ptr(true)}
			},
			func(c *control.StorageLensConfiguration) {
				c.AccountLevel.BucketLevel.DetailedStatusCodesMetrics = &control.DetailedStatusCodesMetrics{IsEnabled: ptr(true)}
			},
			func(c *control.StorageLensConfiguration) {
				c.AccountLevel.AdvancedPerformanceMetrics = &control.AdvancedPerformanceMetrics{IsEnabled: ptr(true)}
			},
			func(c *control.StorageLensConfiguration) { c.AwsOrg = &control.StorageLensAwsOrg{Arn: "arn"} },
			func(c *control.StorageLensConfiguration) {
				c.ExpandedPrefixesDataExport = &control.StorageLensExpandedPrefixesDataExport{}
			},
			func(c *control.StorageLensConfiguration) {
				c.DataExport.StorageLensTableDestination = &control.StorageLensTableDestination{IsEnabled: true}
			},
			func(c *control.StorageLensConfiguration) { c.DataExport.S3BucketDestination.Format = "Parquet" },
		},
	} {
		for i, change := range changes {
			c := plainLens()
			change(c)
			err := f.putLens(c)
			if got := service.Code(err); got != want {
				t.Errorf("%q, case %d: %v", want, i, err)
			}
		}
	}
	_, err := f.putStorageLens(f.ctx(), &control.PutStorageLensConfigurationInput{AccountId: account, ConfigId: "other", StorageLensConfiguration: plainLens()})
	code(t, err, "InvalidConfigId")
	_, err = f.putStorageLens(f.in("eu-west-1"), &control.PutStorageLensConfigurationInput{AccountId: account, ConfigId: "usage", StorageLensConfiguration: plainLens()})
	code(t, err, "InvalidDestination")
}

func TestStorageLensGroupsAreKept(t *testing.T) {
	f := newLensFixture(t)
	filter := &control.StorageLensGroupFilter{MatchAnyPrefix: []string{"a/"}}
	if err := f.createGroup("images", filter); err != nil {
		t.Fatal(err)
	}
	code(t, f.createGroup("images", filter), "ConfigurationAlreadyExists")
	changed := &control.StorageLensGroup{Name: "images", Filter: &control.StorageLensGroupFilter{MatchAnySuffix: []string{".png"}}}
	if _, err := f.updateLensGroup(f.ctx(), &control.UpdateStorageLensGroupInput{AccountId: account, Name: "images", StorageLensGroup: changed}); err != nil {
		t.Fatal(err)
	}
	_, err := f.updateLensGroup(f.ctx(), &control.UpdateStorageLensGroupInput{AccountId: account, Name: "other", StorageLensGroup: changed})
	code(t, err, "MismatchedName")
	got, err := f.getLensGroup(f.ctx(), &control.GetStorageLensGroupInput{AccountId: account, Name: "images"})
	const arn = "arn:aws:s3:us-east-1:" + account + ":storage-lens-group/images"
	if err != nil || *got.StorageLensGroup.StorageLensGroupArn != arn || len(got.StorageLensGroup.Filter.MatchAnySuffix) != 1 || got.StorageLensGroup.Filter.MatchAnyPrefix != nil {
		t.Errorf("the group is %+v, %v", got, err)
	}
	if _, err := f.tagResource(f.ctx(), &control.TagResourceInput{AccountId: account, ResourceArn: arn, Tags: []control.Tag{{Key: "team", Value: "a"}}}); err != nil {
		t.Fatal(err)
	}
	tags, err := f.listTagsForResource(f.ctx(), &control.ListTagsForResourceInput{AccountId: account, ResourceArn: arn})
	if err != nil || len(tags.Tags) != 1 || tags.Tags[0].Value != "a" {
		t.Errorf("the tags are %+v, %v", tags, err)
	}
	targets, err := f.tagTargets(f.ctx(), arn, nil, nil)
	if err != nil || targets[0].ARN != arn || targets[0].Condition["aws:ResourceTag/team"] == nil {
		t.Errorf("tagging needs %+v, %v", targets, err)
	}
	list, err := f.listLensGroups(f.ctx(), &control.ListStorageLensGroupsInput{AccountId: account})
	if err != nil || len(list.StorageLensGroupList) != 1 || list.StorageLensGroupList[0].StorageLensGroupArn != arn {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if _, err := f.deleteLensGroup(f.ctx(), &control.DeleteStorageLensGroupInput{AccountId: account, Name: "images"}); err != nil {
		t.Fatal(err)
	}
	_, err = f.getLensGroup(f.ctx(), &control.GetStorageLensGroupInput{AccountId: account, Name: "images"})
	code(t, err, "NoSuchConfiguration")
	_, err = f.listTagsForResource(f.ctx(), &control.ListTagsForResourceInput{AccountId: account, ResourceArn: arn})
	code(t, err, "NoSuchResource")
	for i := range maxLensGroups {
		if err := f.createGroup(fmt.Sprintf("g%d", i), filter); err != nil {
			t.Fatal(err)
		}
	}
	code(t, f.createGroup("more", filter), "TooManyConfigurations")
}

func TestStorageLensGroupsAreRefused(t *testing.T) {
	f := newLensFixture(t)
	type filter = control.StorageLensGroupFilter
	tags := func(all ...string) (out []control.S3Tag) {
		for _, t := range all {
			k, v, _ := strings.Cut(t, "=")
			out = append(out, control.S3Tag{Key: k, Value: v})
		}
		return out
	}
	age := func(more, less *int32) *control.MatchObjectAge {
		return &control.MatchObjectAge{DaysGreaterThan: more, DaysLessThan: less}
	}
	size := func(more, less *int64) *control.MatchObjectSize {
		return &control.MatchObjectSize{BytesGreaterThan: more, BytesLessThan: less}
	}
	for want, filters := range map[string][]filter{
		"InvalidFilter":             {{}, {MatchAnyPrefix: []string{"a"}, MatchAnySuffix: []string{"b"}}, {And: &lensCriteria{}, MatchAnyPrefix: []string{"a"}}},
		"InvalidLogicalOperator":    {{And: &lensCriteria{MatchAnyPrefix: []string{"a"}}}, {Or: &control.StorageLensGroupOrOperator{}}},
		"InvalidMatchAnyPrefix":     {{MatchAnyPrefix: []string{}}},
		"InvalidMatchAnySuffix":     {{MatchAnySuffix: []string{}}},
		"InvalidMatchAnyTag":        {{MatchAnyTag: []control.S3Tag{}}},
		"InvalidPrefix":             {{MatchAnyPrefix: []string{""}}, {MatchAnyPrefix: []string{strings.Repeat("a", 1025)}}},
		"InvalidSuffix":             {{MatchAnySuffix: []string{""}}},
		"InvalidTag":                {{MatchAnyTag: tags("=a")}, {MatchAnyTag: tags("a=#")}, {MatchAnyTag: tags(strings.Repeat("a", 129))}},
		"TooManyElements":           {{MatchAnyPrefix: strings.Split("abcdefghijk", "")}, {MatchAnyTag: tags(strings.Split("abcdefghijk", "")...)}},
		"DuplicateElement":          {{MatchAnyPrefix: []string{"a", "a"}}, {MatchAnyTag: tags("a=1", "a=1")}, {And: &lensCriteria{MatchAnyPrefix: []string{"a"}, MatchAnyTag: tags("a=1", "a=2")}}},
		"InvalidMatchObjectAge":     {{MatchObjectAge: age(nil, nil)}},
		"InvalidAge":                {{MatchObjectAge: age(ptr(int32(0)), nil)}, {MatchObjectAge: age(nil, ptr(int32(-1)))}},
		"InvalidMatchObjectSize":    {{MatchObjectSize: size(nil, nil)}},
		"InvalidSize":               {{MatchObjectSize: size(ptr(int64(0)), nil)}, {MatchObjectSize: size(nil, ptr(int64(maxLensSize+1)))}},
		"InvalidNumericCombination": {{MatchObjectAge: age(ptr(int32(3)), ptr(int32(3)))}, {MatchObjectSize: size(ptr(int64(4)), ptr(int64(3)))}},
		"":                          {{MatchAnyTag: tags("a=1", "a=2")}},
	} {
		for i := range filters {
			if err := f.createGroup("g", &filters[i]); service.Code(err) != want {
				t.Errorf("%q, case %d: %v", want, i, err)
			}
		}
	}
	code(t, f.createGroup("a b", &filter{MatchAnyPrefix: []string{"a"}}), "InvalidName")
	_, err := f.createLensGroup(f.ctx(), &control.CreateStorageLensGroupInput{AccountId: account, StorageLensGroup: &control.StorageLensGroup{
		Name: "h", Filter: &filter{MatchAnyPrefix: []string{"a"}}, StorageLensGroupArn: ptr("arn"),
	}})
	code(t, err, "InvalidStorageLensGroupARN")
}

func TestStorageLensGroupsPickObjects(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	v := &version{attributes: attributes{Tags: []tag{{"team", "a"}}}, Size: 100, Modified: now.Add(-10 * day)}
	c := func(prefix, team string, days int32, bytes int64) lensCriteria {
		out := lensCriteria{}
		if prefix != "" {
			out.MatchAnyPrefix = []string{"x/", prefix}
		}
		if team != "" {
			out.MatchAnyTag = []control.S3Tag{{Key: "team", Value: team}, {Key: "other", Value: "a"}}
		}
		if days > 0 {
			out.MatchObjectAge = &control.MatchObjectAge{DaysGreaterThan: &days}
		}
		if bytes > 0 {
			out.MatchObjectSize = &control.MatchObjectSize{BytesLessThan: &bytes}
		}
		return out
	}
	for i, e := range []struct {
		criteria lensCriteria
		and, or  bool
	}{
		{c("img/", "a", 9, 101), true, true},
		{c("img/", "b", 0, 0), false, true},
		{c("pic/", "b", 0, 0), false, false},
		{c("img/", "", 10, 0), false, true}, // ten days are not more than ten
		{c("", "a", 0, 100), false, true},   // and 100 bytes not less than 100
		{c("", "", 20, 50), false, false},
	} {
		or := control.StorageLensGroupOrOperator(e.criteria)
		if got := lensMatches(&control.StorageLensGroupFilter{And: &e.criteria}, "img/a.png", v, now); got != e.and {
			t.Errorf("case %d: And is %v", i, got)
		}
		if got := lensMatches(&control.StorageLensGroupFilter{Or: &or}, "img/a.png", v, now); got != e.or {
			t.Errorf("case %d: Or is %v", i, got)
		}
	}
	if !lensMatches(&control.StorageLensGroupFilter{MatchAnySuffix: []string{".jpg", ".png"}}, "img/a.png", v, now) {
		t.Error("a suffix does not match")
	}
}
